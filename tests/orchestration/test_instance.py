"""Dagster's home: what is written into it on first use only, and which of its runs live."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from uuid import uuid4

import dagster as dg
import pytest
import yaml
from tenacity import Retrying, stop_after_delay, wait_fixed

from pipeline.errors import PipelineError
from pipeline.orchestration.dagster_home import dagster_home
from pipeline.orchestration.instance import exclusive, fail_dead_runs, origin_of
from pipeline.orchestration.process_locks import is_held, process_lock
from pipeline.settings import PROJECT_ROOT
from tests.automation.daily import going_on
from tests.fakes.postgres import Postgres


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_limits_of_the_queue_are_those_of_the_project(home: Path) -> None:
    dagster_home()
    with dg.DagsterInstance.get() as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 3
        assert queue.tag_concurrency_limits == [
            {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
        ]
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds > 24 * 60 * 60, "history takes hours"


def test_the_ui_asks_for_no_address(home: Path) -> None:
    dagster_home()
    with dg.DagsterInstance.get() as instance:
        assert not instance.nux_enabled


def test_a_configuration_that_is_there_is_the_users(home: Path) -> None:
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", "utf-8")
    dagster_home()
    assert (home / "dagster.yaml").read_text("utf-8") == "telemetry: {enabled: false}\n"


def test_runs_of_the_command_line_have_the_code_location_of_the_workspace() -> None:
    [location] = yaml.safe_load((PROJECT_ROOT / "workspace.yaml").read_text("utf-8"))["load_from"]
    assert origin_of("job").location_name == location["python_module"]["location_name"]


# Whose process lives


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    dagster_home()
    with dg.DagsterInstance.get() as instance:
        yield instance


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def test_a_run_of_the_service_holds_a_lock_as_long_as_it_lives(instance: dg.DagsterInstance) -> None:
    run = going_on(instance)
    with process_lock(run.run_id):
        fail_dead_runs(instance)
        assert status_of(instance, run) is dg.DagsterRunStatus.STARTED
        [lock] = (dagster_home() / "locks").glob("*.lock")
        left_behind = lock.read_bytes()
    assert list((dagster_home() / "locks").glob("*.lock")) == []

    lock.write_bytes(left_behind)  # as a process that was killed leaves it
    fail_dead_runs(instance)
    assert status_of(instance, run) is dg.DagsterRunStatus.FAILURE
    assert not lock.exists()


def test_a_run_of_the_service_that_has_not_begun_is_dagsters_to_watch(instance: dg.DagsterInstance) -> None:
    run = going_on(instance, dg.DagsterRunStatus.STARTING)
    fail_dead_runs(instance)
    assert status_of(instance, run) is dg.DagsterRunStatus.STARTING


def test_a_run_of_a_command_has_its_lock_before_it_begins_and_until_it_has_ended(instance: dg.DagsterInstance) -> None:
    run = going_on(instance, of_a_command=True)
    with process_lock(run.run_id):
        with process_lock(run.run_id):  # as its steps hold it
            pass
        fail_dead_runs(instance)
        assert status_of(instance, run) is dg.DagsterRunStatus.STARTED
    fail_dead_runs(instance)
    assert status_of(instance, run) is dg.DagsterRunStatus.FAILURE


def test_an_exclusive_command_and_runs_refuse_each_other(instance: dg.DagsterInstance) -> None:
    with (
        process_lock("a-run"),
        process_lock("another"),
        pytest.raises(PipelineError, match="A run is active"),
        exclusive(instance),
    ):
        pass
    with exclusive(instance):
        with pytest.raises(PipelineError, match="`reconcile` or `restore` is already running"), exclusive(instance):
            pass
        with pytest.raises(PipelineError, match="`reconcile` or `restore` is running"), process_lock("a-run"):
            pass
    with process_lock("a-run"):
        pass
    assert list((dagster_home() / "locks").glob("*.lock")) == []


def test_a_killed_run_no_longer_holds_off_an_exclusive_command(instance: dg.DagsterInstance) -> None:
    run = going_on(instance)
    with subprocess.Popen(
        [sys.executable, "-c", _LIVING, run.run_id], env=dict(os.environ), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "process_lock\n"
        with pytest.raises(PipelineError, match="A run is active"), exclusive(instance):
            pass
        process.kill()
        process.wait()
        with exclusive(instance):
            assert status_of(instance, run) is dg.DagsterRunStatus.FAILURE


@pytest.fixture
def shared_ledger(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.url(postgres.create(f"runs_{uuid4().hex}"))
    monkeypatch.setenv("LEDGER", url)


@pytest.mark.usefixtures("shared_ledger")
@pytest.mark.parametrize("of_a_command", [True, False])
def test_a_run_of_another_machine_lives_as_long_as_its_lock_at_the_ledgers_server(
    instance: dg.DagsterInstance, tmp_path: Path, of_a_command: bool
) -> None:
    run = going_on(instance, of_a_command=of_a_command)
    elsewhere = dict(os.environ) | {"DAGSTER_HOME": str(tmp_path / "elsewhere")}
    with (
        subprocess.Popen(
            [sys.executable, "-c", _LIVING, run.run_id], env=elsewhere, stdout=subprocess.PIPE, text=True
        ) as process,
        ExitStack() as stack,
    ):
        assert process.stdout is not None
        stack.callback(process.kill)
        assert process.stdout.readline() == "process_lock\n"
        fail_dead_runs(instance)
        assert status_of(instance, run) is dg.DagsterRunStatus.STARTED
        with pytest.raises(PipelineError, match="A run is active"), exclusive(instance):
            pass
        process.kill()
        process.wait()
    for attempt in Retrying(stop=stop_after_delay(30), wait=wait_fixed(0.1), reraise=True):
        with attempt:  # the server notices it a moment later
            assert not is_held(run.run_id)
    with exclusive(instance):
        assert status_of(instance, run) is dg.DagsterRunStatus.FAILURE


_LIVING = """
import sys, threading
from pipeline.orchestration.process_locks import process_lock
with process_lock(sys.argv[1]):
    print("process_lock", flush=True)
    threading.Event().wait()
"""


# Forked from a process that has made a home of its own, so that all of them start at the same moment.
_FIRST_STARTS = """
import os, sys
from pipeline.orchestration.instance import opened_instance
def start(home):
    os.environ["DAGSTER_HOME"] = home
    with opened_instance() as instance:
        instance.get_runs_count()
first, *others = sys.argv[1:]
start(first)
for home in others:
    starts = []
    for _ in range(4):
        if (process := os.fork()) == 0:
            start(home)
            raise SystemExit
        starts.append(process)
    print([os.waitpid(process, 0)[1] for process in starts])
"""


def test_first_starts_at_once_make_one_home(tmp_path: Path) -> None:
    """Two that made its storages at once left two revisions of them, and no later start was possible."""
    homes = [str(tmp_path / f"home{number}") for number in range(3)]
    starts = [sys.executable, "-c", _FIRST_STARTS, *homes]
    done = subprocess.run(starts, capture_output=True, text=True, check=False)
    assert done.stdout == "[0, 0, 0, 0]\n[0, 0, 0, 0]\n", done.stderr
    for home in homes:
        storages = sorted(Path(home).rglob("*.db"))
        assert {path.name for path in storages} >= {"runs.db", "schedules.db", "index.db"}
        for path in storages:
            with closing(sqlite3.connect(path)) as connection:
                assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,), path
