"""When a run is asked for, and what is told of one that failed."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Self

import dagster as dg
import pytest
from filelock import FileLock
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.alerting import Alert, tell
from pipeline.automation import JOB_NAME, failed_runs, new_exports, selligent_to_segment_daily
from pipeline.dates import ExportDates
from pipeline.exports.intake import newest_loads
from pipeline.exports.loading import load
from pipeline.failures import fit_to_tell
from pipeline.instance import LOCK_TAG, fail_dead_runs
from pipeline.partitions import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from pipeline.resources import Exports, SegmentResource, WarehouseResource
from pipeline.segment.ledger import REPORTED, Batch
from pipeline.settings import Settings, load_settings
from tests.end_to_end.project import Project
from tests.end_to_end.tiny import LAYOUTS, log
from tests.serving import Uvicorn

ROW = "ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"
TUESDAY, WEDNESDAY = "2024-06-11", "2024-06-12"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose settings this process has."""
    project = Project(tmp_path).with_files({}, LAYOUTS)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in project.environment.items():
        if name.lower() in Settings.model_fields:
            monkeypatch.setenv(name, value)
    return project


@dataclass
class Daemon:
    """Looks again and again, with the cursor that it left."""

    instance: dg.DagsterInstance
    cursor: str | None = None
    skipped: str = ""

    def looks(self) -> dict[str, str]:
        """Dates that are asked for, with their run keys."""
        context = dg.build_sensor_context(
            self.instance,
            self.cursor,
            resources={"exports": Exports(), "warehouse": WarehouseResource()},
        )
        found: Any = new_exports(context)
        if isinstance(found, dg.SkipReason):
            self.skipped = str(found.skip_message)
            return {}
        self.cursor = found.cursor
        self.skipped = str(found.skip_reason and found.skip_reason.skip_message)
        return {str(request.partition_key): str(request.run_key) for request in found.run_requests or []}


@pytest.fixture
def daemon(instance: dg.DagsterInstance, project: Project) -> Daemon:
    return Daemon(instance)


def put(project: Project, *names: str, rows: Sequence[str] = (ROW,)) -> None:
    project.with_files({name: log(rows) for name in names}, {})


def load_all(project: Project) -> None:
    ever = ExportDates(date(2010, 1, 1), date(2030, 1, 1))
    with project.warehouse.writing() as connection:
        load(connection, Exports().location(), Exports().look(), ever, clock=lambda: datetime.now(UTC))


def going_on(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED, **tags: str
) -> dg.DagsterRun:
    return instance.add_run(dg.DagsterRun(job_name=JOB_NAME, status=status, tags=tags))


def test_nothing_new_asks_for_nothing(daemon: Daemon) -> None:
    assert daemon.looks() == {}
    assert daemon.skipped == "No export is new."


def test_new_exports_ask_for_one_run_a_date(daemon: Daemon, project: Project) -> None:
    put(project, "log_20240611.csv", "log_20240611_0700.csv", "log_20240612.csv")
    assert set(daemon.looks()) == {TUESDAY, WEDNESDAY}


def test_what_was_asked_for_is_not_asked_for_again(daemon: Daemon, project: Project) -> None:
    put(project, "log_20240611.csv")
    daemon.looks()
    assert Daemon(daemon.instance, daemon.cursor).looks() == {}, "after a restart, the cursor is all that is left"
    assert daemon.looks() == {}
    assert daemon.skipped == "1 date with new exports asked for already; see its run."


def test_a_changed_export_asks_again_under_another_key(daemon: Daemon, project: Project) -> None:
    put(project, "log_20240611.csv")
    first = daemon.looks()
    load_all(project)
    assert daemon.looks() == {}
    put(project, "log_20240611.csv", rows=[ROW, ROW])
    second = daemon.looks()
    assert set(second) == {TUESDAY}
    assert second != first


@pytest.mark.parametrize(
    ("status", "tags"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, {PARTITION_TAG: TUESDAY}),
        (dg.DagsterRunStatus.STARTED, {PARTITION_TAG: TUESDAY}),
        (dg.DagsterRunStatus.STARTED, {RANGE_START_TAG: "2024-06-01", RANGE_END_TAG: "2024-06-30"}),
    ],
    ids=["about to start", "going on", "going on, a range"],
)
def test_a_date_that_is_being_run_is_asked_for_when_that_has_ended(
    daemon: Daemon, project: Project, status: dg.DagsterRunStatus, tags: dict[str, str]
) -> None:
    run = going_on(daemon.instance, status, **tags)
    put(project, "log_20240611.csv", "log_20240705.csv")
    assert set(daemon.looks()) == {"2024-07-05"}
    assert daemon.looks() == {}
    assert daemon.skipped.startswith("2024-06-11: a run is going on")

    daemon.instance.report_run_failed(run)
    assert set(daemon.looks()) == {TUESDAY}


def test_a_run_of_another_date_is_nobodys_business(daemon: Daemon, project: Project) -> None:
    going_on(daemon.instance, **{PARTITION_TAG: WEDNESDAY})
    put(project, "log_20240611.csv")
    assert set(daemon.looks()) == {TUESDAY}


def test_a_killed_run_of_the_command_line_holds_no_date(daemon: Daemon, project: Project, tmp_path: Path) -> None:
    run = going_on(daemon.instance, **{PARTITION_TAG: TUESDAY, LOCK_TAG: str(tmp_path / "1.lock")})
    put(project, "log_20240611.csv")
    assert set(daemon.looks()) == {TUESDAY}
    ended = daemon.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE


def test_a_living_run_of_the_command_line_holds_its_date(daemon: Daemon, project: Project, tmp_path: Path) -> None:
    with FileLock(tmp_path / "1.lock"):
        going_on(daemon.instance, **{PARTITION_TAG: TUESDAY, LOCK_TAG: str(tmp_path / "1.lock")})
        put(project, "log_20240611.csv")
        assert daemon.looks() == {}


def test_a_file_that_is_gone_asks_for_nothing_and_is_told(daemon: Daemon, project: Project) -> None:
    put(project, "log_20240611.csv")
    put(project, "log_20240612.csv", rows=[ROW, ROW])
    load_all(project)
    (project.exports / "log_20240611.csv").unlink()
    assert daemon.looks() == {}
    assert daemon.skipped == "No export is new. 1 loaded file gone from the folder; their rows stay."
    assert project.query("SELECT count(*) FROM raw.events") == [(3,)]


def test_what_is_wrong_with_a_layout_is_told_and_nothing_is_forgotten(daemon: Daemon, project: Project) -> None:
    put(project, "log_20240611.csv")
    daemon.looks()
    before = daemon.cursor
    project.with_files({}, {"log.yml": "name: log\n"})
    assert daemon.looks() == {}
    assert "log.yml" in daemon.skipped
    assert daemon.cursor == before


@pytest.mark.parametrize("cursor", ["", "{", "[]", '{"dates": 3}', "20240611"])
def test_a_cursor_that_cannot_be_read_is_begun_anew(daemon: Daemon, project: Project, cursor: str) -> None:
    put(project, "log_20240611.csv")
    daemon.cursor = cursor
    assert set(daemon.looks()) == {TUESDAY}


@pytest.fixture
def stored() -> Iterator[dg.DagsterInstance]:
    """On disk, as a schedule wants it."""
    with dg.instance_for_test() as instance:
        yield instance


def scheduled(instance: dg.DagsterInstance) -> dict[str, str]:
    """What the schedule asks for on the Wednesday."""
    with dg.build_schedule_context(
        instance,
        scheduled_execution_time=datetime(2024, 6, 12, 6, tzinfo=UTC),
        resources={"warehouse": WarehouseResource(), "segment": SegmentResource()},
    ) as context:
        requests: Any = selligent_to_segment_daily(context)
    return {str(request.partition_key): str(request.run_key) for request in requests}


@pytest.mark.usefixtures("project")
def test_the_schedule_asks_for_the_day_whatever_the_sensor_saw(stored: dg.DagsterInstance) -> None:
    assert scheduled(stored) == {WEDNESDAY: "daily-2024-06-12-2024-06-12"}


def test_the_schedule_asks_again_for_what_did_not_go_all_the_way(
    stored: dg.DagsterInstance, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(project, "log_20240611.csv")
    load_all(project)
    assert scheduled(stored) == {
        TUESDAY: "daily-2024-06-12-2024-06-11",
        WEDNESDAY: "daily-2024-06-12-2024-06-12",
    }
    running = going_on(stored, **{PARTITION_TAG: TUESDAY})
    assert set(scheduled(stored)) == {WEDNESDAY}
    stored.delete_run(running.run_id)

    with project.warehouse.reading() as connection:
        SegmentResource().ledger().reach(REPORTED, newest_loads(connection))
    assert set(scheduled(stored)) == {WEDNESDAY}
    waits = Batch("b", "email_opened", date(2024, 6, 11), 0, 1, 100)
    SegmentResource().ledger().register([waits], [], datetime.now(UTC))
    assert set(scheduled(stored)) == {WEDNESDAY}  # for good: there is no write key
    monkeypatch.setenv("SEGMENT_WRITE_KEY", "a-key")
    assert set(scheduled(stored)) == {TUESDAY, WEDNESDAY}


def test_the_schedule_asks_for_the_day_even_where_the_ledger_cannot_be_asked(
    stored: dg.DagsterInstance, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER", f"sqlite:///{project.exports}")
    assert set(scheduled(stored)) == {WEDNESDAY}


# Runs that failed

SECRET = "hunter2-secret"


class Hook:
    """A webhook on loopback, and what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
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
        self.told.append(json.loads(await request.body()))
        return Response(status_code=self.status, headers={"location": "/elsewhere"})


@dg.op
def raw() -> None:
    raise ValueError(f"login of zoe@example.com with {SECRET} failed")


@dg.job(name=JOB_NAME, executor_def=dg.in_process_executor)
def failing() -> None:
    raw()


REPOSITORY = dg.Definitions(jobs=[failing], sensors=[failed_runs]).get_repository_def()


class Monitor:
    """The daemon's look at runs that failed."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None

    def looks(self) -> None:
        context = dg.build_sensor_context(self.instance, self.cursor, repository_def=REPOSITORY)
        self.cursor = failed_runs.evaluate_tick(context).cursor


@pytest.fixture
def monitor(instance: dg.DagsterInstance, project: Project) -> Monitor:
    monitor = Monitor(instance)
    monitor.looks()
    return monitor


def fail(instance: dg.DagsterInstance, **tags: str) -> str:
    """A run as the command line makes it: in its own process, of no code location."""
    return failing.execute_in_process(instance=instance, raise_on_error=False, tags=tags).run_id


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with Hook() as hook:
        monkeypatch.setenv("ALERT_WEBHOOK", hook.url)
        yield hook


def test_a_failed_run_is_told_once_with_what_a_person_needs(
    monitor: Monitor, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGMENT_WRITE_KEY", SECRET)
    run = fail(monitor.instance, **{PARTITION_TAG: TUESDAY})
    monitor.looks()
    monitor.looks()
    error = "ValueError: login of z***@example.com with *** failed"
    link = f"http://127.0.0.1:3000/runs/{run}"
    assert hook.told == [
        {
            "text": f"selligent_to_segment of 2024-06-11 failed at raw: {error} {link}",
            "job": "selligent_to_segment",
            "partition": "2024-06-11",
            "step": "raw",
            "error": error,
            "run_id": run,
            "run_url": link,
        }
    ]


def test_a_range_and_another_address_of_the_ui_are_told(
    monitor: Monitor, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_UI_URL", "https://dagster.example.com/")
    run = fail(monitor.instance, **{RANGE_START_TAG: TUESDAY, RANGE_END_TAG: WEDNESDAY})
    monitor.looks()
    assert hook.told[0]["partition"] == "2024-06-11 to 2024-06-12"
    assert hook.told[0]["run_url"] == f"https://dagster.example.com/runs/{run}"


def test_a_run_that_was_killed_is_told(monitor: Monitor, hook: Hook, tmp_path: Path) -> None:
    run = going_on(monitor.instance, **{PARTITION_TAG: TUESDAY, LOCK_TAG: str(tmp_path / "1.lock")})
    fail_dead_runs(monitor.instance)
    monitor.looks()
    assert [(told["run_id"], told["step"]) for told in hook.told] == [(run.run_id, "")]
    assert "was killed" in hook.told[0]["error"]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_refuses_fails_nothing(
    monitor: Monitor, hook: Hook, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    hook.status = status
    fail(monitor.instance, **{PARTITION_TAG: TUESDAY})
    monitor.looks()
    assert len(hook.told) == 1, "no redirect is followed"
    assert SECRET not in caplog.text.replace(f"with {SECRET}", "")


def test_a_webhook_that_nobody_answers_fails_nothing_and_is_not_named(
    monitor: Monitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    monkeypatch.setenv("ALERT_WEBHOOK", f"http://127.0.0.1:{port}/{SECRET}")
    fail(monitor.instance, **{PARTITION_TAG: TUESDAY})
    monitor.looks()

    said: list[str] = []
    assert not tell(Alert("job", "run", TUESDAY, [], "broken"), load_settings(), said.append)
    assert said == ["ALERT_WEBHOOK could not be reached (ConnectionError); run run is not reported there."]


def test_without_a_webhook_nobody_is_told(monitor: Monitor) -> None:
    fail(monitor.instance, **{PARTITION_TAG: TUESDAY})
    monitor.looks()


def test_what_is_told_holds_no_password_of_any_setting(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {
        "LEDGER": "postgresql://zoe:pass%20word@db/ledger",
        "WAREHOUSE": "ducklake:postgres:host=db password=word-two",
        "SELLIGENT_EXPORTS": "sftp://zoe:word-three@host/out",
        "SEGMENT_PUBLIC_API_TOKEN": "word-four",
        "SEGMENT_SOURCE_ID": "source",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    words = "pass word, pass%20word, word-two, word-three, word-four"
    assert fit_to_tell(words, load_settings()) == "***, ***, ***, ***, ***"
