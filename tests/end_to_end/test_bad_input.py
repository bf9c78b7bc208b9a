"""A fault is reported in one line, with the exit status of the contract, and nothing is half-done."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tests.end_to_end.project import Project
from tests.end_to_end.stores import IN_DUCKDB
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.fakes.segment_server import SegmentServer

ROWS = {"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}


def _fails(project: Project, status: int, words: str, *arguments: str, **settings: str) -> None:
    done = project.command("run", *arguments, **settings)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert words in done.stderr
    assert not (project.folder / "warehouse").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"SEGMENT_ENDPOINT": "http://events.example.com"}, "SEGMENT_ENDPOINT: must start with https://"),
        ({"SEGMENT_EVENTS_PER_SECOND": "-5"}, "SEGMENT_EVENTS_PER_SECOND: '-5' is below 0"),
        ({"SEGMENT_REGION": "eu", "SEGMENT_ENDPOINT": "https://api.segment.io"}, "would be accepted and never seen"),
        ({"ALERT_WEBHOOK": "http://example.com"}, "ALERT_WEBHOOK: must start with https://"),
        ({"KEEP_SNAPSHOTS_DAYS": "0"}, "KEEP_SNAPSHOTS_DAYS: '0' is below 1"),
    ],
)
def test_a_wrong_setting_stops_the_run_before_anything_is_touched(
    project: Project, settings: dict[str, str], words: str
) -> None:
    _fails(project.with_files(ROWS, LAYOUTS), 2, words, **settings)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--from", "yesterday"), "'yesterday' is not a day such as 2024-06-11"),
        (("--from", "2024-06-12", "--to", "2024-06-11"), "--from: 2024-06-12 is after 2024-06-11"),
        (("--to", "2999-01-01"), "--to: 2999-01-01 is in the future"),
        (("--from", "2999-01-01"), "--from: 2999-01-01 is in the future"),
        (("--to", "2009-01-01"), "--to: 2009-01-01 is before FIRST_EXPORT_DATE (2024-01-01)"),
        (("--from", "2009-01-01"), "--from: 2009-01-01 is before FIRST_EXPORT_DATE (2024-01-01)"),
        (("--form", "2024-06-12"), "No such option"),
    ],
)
def test_a_wrong_argument_is_reported_in_one_line(project: Project, arguments: tuple[str, ...], words: str) -> None:
    _fails(project.with_files(ROWS, LAYOUTS), 2, words, *arguments)


def test_layouts_of_which_none_can_be_used_are_refused_with_file_and_key(project: Project) -> None:
    broken = {"broken.yml": "name: broken\nfiles: x\nkind: events\ncolumns: {A: userid}\n"}
    _fails(
        project.with_files(ROWS, broken),
        2,
        "broken.yml: columns: 'A': 'userid' is not a meaning; did you mean 'user_id'?",
    )


def test_a_missing_folder_is_named(project: Project) -> None:
    project.with_files(ROWS, LAYOUTS)
    _fails(project, 2, "SELLIGENT_EXPORTS: there is no folder", SELLIGENT_EXPORTS=str(project.folder / "nowhere"))


def test_an_empty_folder_is_fine(project: Project) -> None:
    project.with_files({}, LAYOUTS)
    assert "There is nothing to load in" in project.run()


def test_a_file_that_alone_is_no_reason_for_a_run_is_named_all_the_same(project: Project) -> None:
    """The run reported that there was nothing in the folder."""
    project.with_files({"stranger[b].csv": "A\n1\n"}, LAYOUTS)
    done = project.command("run")
    assert (done.returncode, done.stderr) == (0, "")
    words = "stranger[b].csv: ignored: no layout matches its name; write one, or move the file elsewhere"
    assert words in " ".join(done.stdout.split())
    assert "There is nothing to load in" in " ".join(done.stdout.split())


def test_a_warehouse_in_use_is_reported_by_its_path_and_waited_for(project: Project) -> None:
    project.with_files(ROWS, LAYOUTS)
    project.store = IN_DUCKDB
    place = project.folder / "warehouse.duckdb"
    command, holder = [sys.executable, "-m", "pipeline", "run"], Path(sys.executable).resolve().name
    with duckdb.connect(str(place)):
        run = subprocess.Popen(command, env=project.environment, stderr=subprocess.PIPE, text=True)
        assert run.stderr is not None
        assert run.stderr.readline() == (
            f"WAREHOUSE: {place} is locked by process {os.getpid()} ({holder}); waiting for it. Ctrl+C ends the wait.\n"
        )
    _, progress = run.communicate()
    assert run.returncode == 0, progress
    assert len(project.ids()) == 1


@pytest.mark.stores("sqlite")
def test_a_catalog_of_a_newer_format_is_left_alone(once: Project) -> None:
    catalog = once.folder / "warehouse.sqlite"
    with sqlite3.connect(catalog) as connection:
        connection.execute("UPDATE ducklake_metadata SET value = '99.0' WHERE key = 'version'")
    done = once.command("run", "--from", "2024-06-11", "--to", "2024-06-11")
    assert done.returncode == 1
    assert done.stderr == (
        f"WAREHOUSE: {catalog} was written by another version of DuckDB or DuckLake; use that version.\n"
    )


@pytest.mark.stores("sqlite")
def test_empty_files_are_no_warehouse_and_no_ledger_yet(project: Project) -> None:
    """As a first run leaves them on a disk that is full."""
    project.with_files(ROWS, LAYOUTS)
    for name in ("warehouse.sqlite", "warehouse.sqlite-wal", "ledger.sqlite"):
        (project.folder / name).touch()
    for command in (["status"], ["sql", "SELECT 1"], ["upkeep"]):
        done = project.command(*command)
        assert (done.returncode, done.stderr) == (1, "There is no warehouse yet; `make run` creates it.\n"), command
    project.run()
    assert len(project.ids()) == 1


def test_a_write_key_that_is_refused_stops_the_run_and_is_shown_nowhere(project: Project) -> None:
    project.with_files(ROWS, LAYOUTS)
    with SegmentServer(strict_auth=True) as server:
        done = project.command("run", SEGMENT_ENDPOINT=server.url, SEGMENT_WRITE_KEY="a-very-secret-key")
    assert done.returncode == 1
    assert "Check SEGMENT_WRITE_KEY" in done.stderr
    assert project.query("SELECT DISTINCT status FROM delivery.events") == [("waiting",)]
    assert "a-very-secret-key" not in done.stdout + done.stderr
    for path in project.folder.rglob("*"):
        assert not path.is_file() or b"a-very-secret-key" not in path.read_bytes(), path


def test_a_file_full_of_events_in_the_future_stops_before_anything_is_modelled_and_goes_on_once_it_is_right(
    project: Project,
) -> None:
    """Their ids would change with their times, and every event would be delivered twice."""
    rows = [f"u{number},m1,c1,VIEW,,2999-06-10T08:00:00Z" for number in range(10)]
    project.with_files({"log_20240611.csv": log(rows)}, LAYOUTS)
    done = project.command("run")
    assert done.returncode == 1
    assert "check failed: no_event_is_in_the_future: Events in the future in log_20240611.csv (10 of 10" in done.stderr
    assert project.query("SELECT 1 FROM duckdb_tables() WHERE schema_name = 'staging'") == []
    assert project.query("SELECT 1 FROM delivery.outbox") == []

    project.with_files({"log_20240611.csv": log([row.replace("2999", "2024") for row in rows])}, {})
    project.run()
    assert len(project.ids()) == 10
