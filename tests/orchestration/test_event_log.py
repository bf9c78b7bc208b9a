"""Dagster's event log with connections that stay open."""

import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from pipeline.orchestration.dagster_home import dagster_home
from pipeline.orchestration.event_log import OpenSqliteEventLogStorage
from pipeline.orchestration.instance import opened_instance

RUNS = ("first", "second", "third")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def event(run_id: str, step: str) -> EventLogEntry:
    return EventLogEntry(
        error_info=None, level=20, user_message=step, run_id=run_id, timestamp=time.time(), step_key=step
    )


def messages(storage: SqliteEventLogStorage, run_id: str) -> list[str]:
    return [entry.user_message for entry in storage.get_logs_for_run(run_id)]


def open_files(folder: Path) -> set[str]:
    paths = [link.resolve() for link in Path("/proc/self/fd").iterdir()]
    return {path.name for path in paths if path.is_relative_to(folder)}


def test_dagsters_own_class_reads_each_event_as_soon_as_it_is_stored(home: Path) -> None:
    storage = OpenSqliteEventLogStorage(str(home))
    for step in ("raw", "models", "outbox"):
        for run_id in RUNS:  # in turn, as when several runs are active
            storage.store_event(event(run_id, step))
            assert messages(SqliteEventLogStorage(str(home)), run_id)[-1] == step
    for run_id in RUNS:
        assert messages(storage, run_id) == ["raw", "models", "outbox"]


def test_only_the_databases_in_use_stay_open(home: Path) -> None:
    storage = OpenSqliteEventLogStorage(str(home))
    for run_id in RUNS:
        storage.store_event(event(run_id, "raw"))
    assert {"third.db", "index.db"} <= open_files(home)
    assert not open_files(home) & {"first.db", "second.db"}
    storage.dispose()
    assert not open_files(home)


def test_events_can_be_wiped(home: Path) -> None:
    storage = OpenSqliteEventLogStorage(str(home))
    storage.store_event(event("first", "raw"))
    storage.wipe()
    assert messages(storage, "first") == []
    storage.store_event(event("first", "models"))
    assert messages(storage, "first") == ["models"]


def test_commands_use_it_on_the_files_of_dagsters_default(home: Path) -> None:
    dagster_home()
    with dg.DagsterInstance.get() as before:
        assert type(before.event_log_storage) is SqliteEventLogStorage
        before.event_log_storage.store_event(event("first", "raw"))
    with opened_instance() as instance:
        assert isinstance(instance.event_log_storage, OpenSqliteEventLogStorage)
        assert messages(instance.event_log_storage, "first") == ["raw"]


def test_a_storage_that_the_user_chose_stays(home: Path) -> None:
    home.mkdir()
    (home / "dagster.yaml").write_text(f"storage: {{sqlite: {{base_dir: {home}/elsewhere}}}}\n", "utf-8")
    with opened_instance() as instance:
        assert type(instance.event_log_storage) is SqliteEventLogStorage
        assert list((home / "elsewhere").glob("**/index.db"))
