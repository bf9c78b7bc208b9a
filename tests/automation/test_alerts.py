"""Alerts about runs that failed or warn."""

import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import dagster as dg
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.automation import alert_webhook
from pipeline.automation.alert_sensors import failed_runs, warned_runs
from pipeline.automation.alert_webhook import Alert, send
from pipeline.automation.job_names import MAIN_JOB, UPKEEP_JOB
from pipeline.automation.redaction import redacted
from pipeline.commands.run_job import _reason
from pipeline.orchestration.instance import fail_dead_runs
from pipeline.orchestration.partitions import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from pipeline.settings import SECRETS, Settings, load_settings
from tests.automation.daily import TUESDAY, WEDNESDAY, going_on
from tests.end_to_end.project import Project
from tests.fakes.raw_http import answering
from tests.fakes.serving import Uvicorn
from tests.support.gnupg_samples import ROTATED

SECRET = "hunter2-secret"


class Hook:
    """A webhook on loopback, and the alerts that it received."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.status = 200

    def __enter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}/hook/{SECRET}"
        self._server = Uvicorn(Starlette(routes=[Route("/{path:path}", self._take, methods=["GET", "POST"])]))
        self._thread = threading.Thread(target=self._server.run, args=([listening],), daemon=True)
        self._thread.start()
        assert self._server.up.wait(timeout=30)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()
        self._thread.join()

    async def _take(self, request: Request) -> Response:
        self.received.append(json.loads(await request.body()))
        return Response(status_code=self.status, headers={"location": "/elsewhere"})


@dg.op
def raw() -> None:
    raise ValueError(f"login of zoe@example.com with {SECRET} failed")


@dg.job(name=MAIN_JOB, executor_def=dg.in_process_executor)
def failing() -> None:
    raw()


REPOSITORY = dg.Definitions(jobs=[failing], sensors=[failed_runs, warned_runs]).get_repository_def()


class Monitor:
    """The daemon's look at runs that failed, and at those that warn."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._cursors: dict[str, str | None] = {}

    def looks(self) -> None:
        for sensor in (failed_runs, warned_runs):
            context = dg.build_sensor_context(self.instance, self._cursors.get(sensor.name), repository_def=REPOSITORY)
            self._cursors[sensor.name] = sensor.evaluate_tick(context).cursor


@pytest.fixture
def monitor(instance: dg.DagsterInstance, project: Project) -> Monitor:
    monitor = Monitor(instance)
    monitor.looks()
    return monitor


def fail(instance: dg.DagsterInstance, **tags: str) -> str:
    """A run as the command line makes it: in its own process, of no code location."""
    return failing.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id


def warn(
    instance: dg.DagsterInstance,
    *,
    holds: bool,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.WARN,
    **tags: str,
) -> str:
    """A run that goes well, in which a check that nothing waits for holds or does not."""

    specs = [dg.AssetCheckSpec(name, asset="links") for name in ("names", "sums")]

    @dg.multi_asset_check(name="raw", specs=specs)
    def checks() -> Iterator[dg.AssetCheckResult]:
        yield dg.AssetCheckResult(passed=True, check_name="sums", asset_key="links")
        yield dg.AssetCheckResult(
            passed=holds,
            check_name="names",
            asset_key="links",
            severity=severity,
            description=f"zoe@example.com has no name ({SECRET})",
        )

    job = dg.define_asset_job(MAIN_JOB, selection=dg.AssetSelection.all_asset_checks())
    defs = dg.Definitions(asset_checks=[checks], jobs=[job], executor=dg.in_process_executor)
    return defs.resolve_job_def(MAIN_JOB).execute_in_process(instance=instance, tags=tags).run_id


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Hook() as hook:
        monkeypatch.setenv("ALERT_WEBHOOK", hook.url)
        yield hook


def test_a_run_of_another_brand_is_left_to_that_brand(monitor: Monitor, hook: Hook) -> None:
    fail(monitor.instance, **{"pipeline/brand": "bravo"})
    warn(monitor.instance, holds=False, **{"pipeline/brand": "bravo"})
    monitor.looks()
    assert hook.received == []


def test_a_failed_run_is_reported_once_with_what_a_person_needs(
    monitor: Monitor, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENT_WRITE_KEY", SECRET)
    run = fail(monitor.instance, **{PARTITION_TAG: TUESDAY})
    monitor.looks()
    monitor.looks()
    error = "ValueError: login of z***@example.com with *** failed"
    link = f"http://127.0.0.1:3000/runs/{run}"
    assert hook.received == [
        {
            "text": f"selligent_to_segment of 2024-06-11 failed at raw: {error} {link}",
            "severity": "error",
            "job": "selligent_to_segment",
            "partition": "2024-06-11",
            "step": "raw",
            "error": error,
            "run_id": run,
            "run_url": link,
        }
    ]


def test_the_text_begins_with_the_brand(monitor: Monitor, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.automation.alert_webhook.BRAND", "acme")
    fail(monitor.instance, **{PARTITION_TAG: TUESDAY})
    monitor.looks()
    assert hook.received[0]["text"].startswith("acme: selligent_to_segment of 2024-06-11 failed at raw: ")


def test_a_range_and_another_address_of_the_ui_are_in_the_alert(
    monitor: Monitor, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_UI_URL", "https://dagster.example.com/")
    run = fail(monitor.instance, **{RANGE_START_TAG: TUESDAY, RANGE_END_TAG: WEDNESDAY})
    monitor.looks()
    assert hook.received[0]["partition"] == "2024-06-11 to 2024-06-12"
    assert hook.received[0]["run_url"] == f"https://dagster.example.com/runs/{run}"


def test_a_run_that_was_killed_is_reported(monitor: Monitor, hook: Hook) -> None:
    run = going_on(monitor.instance, of_a_command=True, **{PARTITION_TAG: TUESDAY})
    fail_dead_runs(monitor.instance)
    monitor.looks()
    assert [(alert["run_id"], alert["step"]) for alert in hook.received] == [(run.run_id, "")]
    assert "was killed" in hook.received[0]["error"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_fails_nothing(
    monitor: Monitor, hook: Hook, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = status
    fail(monitor.instance, **{PARTITION_TAG: TUESDAY})
    monitor.looks()
    assert len(hook.received) == 1, "no redirect is followed"
    assert SECRET not in caplog.text.replace(f"with {SECRET}", "")


def test_a_webhook_without_an_answer_fails_nothing_and_is_not_named(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("ALERT_WEBHOOK", f"http://127.0.0.1:{port}/{SECRET}")
    fail(monitor.instance, **{PARTITION_TAG: TUESDAY})
    monitor.looks()

    messages: list[str] = []
    assert not send(Alert("job", "run", TUESDAY, "failed", [], "broken"), load_settings(), messages.append)
    assert messages == [
        "ALERT_WEBHOOK could not be reached: no answer from its host: Connection refused; run run was not reported."
    ]


def test_a_webhook_that_never_ends_its_answer_fails_nothing(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    def drip(connection: socket.socket, stopped: threading.Event) -> None:
        while not stopped.wait(0.05):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    monkeypatch.setattr(alert_webhook, "TIMEOUT_SECONDS", 0.2)
    logged: list[str] = []
    with answering(drip) as slow:
        monkeypatch.setenv("ALERT_WEBHOOK", f"{slow.url}/{SECRET}")
        assert not send(Alert("job", "run", TUESDAY, "failed", [], "broken"), load_settings(), logged.append)
    assert logged == [
        "ALERT_WEBHOOK could not be reached: no whole answer from its host within 0.2 seconds; "
        "run run was not reported."
    ]


def test_a_run_that_warns_is_reported_once_and_no_other_is(
    monitor: Monitor, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    warn(monitor.instance, holds=True, **{PARTITION_TAG: WEDNESDAY})
    run = warn(monitor.instance, holds=False, **{PARTITION_TAG: TUESDAY})
    monitor.looks()
    monitor.looks()
    [alert] = hook.received
    words = "names: z***@example.com has no name (***)"
    assert alert["text"] == f"selligent_to_segment of 2024-06-11 warns at links: {words} {alert['run_url']}"
    assert (alert["severity"], alert["error"], alert["run_id"]) == ("warning", words, run)


def test_a_failed_check_that_fails_no_run_is_reported_as_an_error(monitor: Monitor, hook: Hook) -> None:
    warn(monitor.instance, holds=False, severity=dg.AssetCheckSeverity.ERROR, **{PARTITION_TAG: TUESDAY})
    monitor.looks()
    [alert] = hook.received
    assert alert["severity"] == "error"
    assert alert["text"].startswith("selligent_to_segment of 2024-06-11 has a failed check at links: names: ")


def test_failed_upkeep_is_reported(monitor: Monitor, hook: Hook) -> None:
    run = monitor.instance.add_run(dg.DagsterRun(job_name=UPKEEP_JOB, status=dg.DagsterRunStatus.STARTED))
    monitor.instance.report_run_failed(run, "The disk is full.")
    monitor.looks()
    assert hook.received[0]["text"].startswith("warehouse_upkeep of all dates failed: The disk is full.")


def test_without_a_webhook_no_alert_is_sent(monitor: Monitor) -> None:
    fail(monitor.instance, **{PARTITION_TAG: TUESDAY})
    monitor.looks()


def test_the_command_line_prints_no_secret(instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cron sends by mail what stands on stderr."""
    monkeypatch.setenv("LEDGER", f"postgresql://zoe@db/ledger?password={SECRET}")
    result = failing.execute_in_process(instance=instance, raise_on_error=False)
    assert _reason(result, "raw") == "ValueError: login of z***@example.com with *** failed"


@pytest.mark.parametrize("name", SECRETS)
def test_no_secret_of_a_setting_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    forms = {
        "warehouse": f"ducklake:postgres:host=db password = '{SECRET}'",
        "ledger": f"postgresql://zoe:{SECRET}@db/ledger",
        "segment_write_key": SECRET,
        "segment_public_api_token": SECRET,
        "selligent_pgp_passphrase": SECRET,
    }
    (tmp_path / "key.asc").write_text(ROTATED)
    monkeypatch.setenv("SELLIGENT_PGP_KEY", str(tmp_path / "key.asc"))
    monkeypatch.setenv("SEGMENT_SOURCE_ID", "source")
    monkeypatch.setenv("SEGMENT_PUBLIC_API_TOKEN", "a-token-of-the-api")
    monkeypatch.setenv(name.upper(), forms.get(name, f"https://zoe:{SECRET}@example.com"))
    settings = load_settings()
    value = getattr(settings, name)
    text = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    assert SECRET not in redacted(text, settings)
    assert SECRET not in repr(settings)


def test_every_secret_is_known_as_one() -> None:
    assert {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)} < set(
        SECRETS
    )


def test_shown_text_contains_no_password_of_any_setting(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "LEDGER": "postgresql://zoe:pass%20word@db/ledger",
        "WAREHOUSE": "ducklake:postgres:host=db password=word-two",
        "SELLIGENT_EXPORTS": "sftp://zoe:word-three@host/out",
        "SEGMENT_PUBLIC_API_TOKEN": "word-four",
        "SEGMENT_SOURCE_ID": "source",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acme;AccountKey=word-five;EndpointSuffix=x")
    words = "pass word, pass%20word, word-two, word-three, word-four, word-five, acme"
    assert redacted(words, load_settings()) == "***, ***, ***, ***, ***, ***, acme"


def test_a_secret_of_one_letter_masks_no_other_letters(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    (project.data / "key.asc").parent.mkdir(parents=True, exist_ok=True)
    (project.data / "key.asc").write_text(ROTATED)
    monkeypatch.setenv("SELLIGENT_PGP_KEY", str(project.data / "key.asc"))
    monkeypatch.setenv("SELLIGENT_PGP_PASSPHRASE", "e")
    monkeypatch.setenv("LEDGER", "postgresql://zoe:d@db/ledger")
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", "AccountName=acme;AccountKey=;EndpointSuffix=x")
    assert redacted("the ledger can't be opened", load_settings()) == "the ledger can't be opened"
