"""A plain DuckDB file is for one process at a time: others wait for it, and readers have a copy."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

import pipeline
from pipeline.errors import WarehouseLocked
from pipeline.ledger import Ledger, Pairing
from pipeline.ledger.warehouse_pairing import pair_warehouse
from pipeline.orchestration.reader_copy import update_copy
from pipeline.settings import PROJECT_ROOT, Settings
from pipeline.warehouse import Warehouse, readable
from pipeline.warehouse.readable_copy import copy_of, publish, publish_in_turn, replace_in_turn, unfinished_copy_of
from pipeline.warehouse.reservation import reserved
from pipeline.warehouse.waiting import Patience
from tests.orchestration.test_system_errors import LIMIT, small_files
from tests.warehouse.asking import FILE, FILES, one
from tests.warehouse.test_readers_and_writer import AnotherProcess, another_process

PYTHON = Path(sys.executable).resolve().name


def file_of(warehouse: Warehouse) -> Path:
    assert warehouse.plain_file is not None
    return warehouse.plain_file


def add(warehouse: Warehouse, name: str) -> None:
    with warehouse.writing() as connection:
        connection.execute(FILE, [name])


def names_in(file: Path) -> list[str]:
    """The names of files, as an analyst's own DuckDB reads them."""
    with closing(duckdb.connect(str(file), read_only=True)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM raw.export_files ORDER BY name").fetchall()]


# Waiting


@pytest.mark.parametrize("how", ["writing", "reading"])
def test_who_finds_the_file_open_waits_and_names_its_holder(plain_file: Warehouse, how: str) -> None:
    holds = "reading" if how == "writing" else "writing"
    with another_process(plain_file, holds) as holder:
        assert holder.greeting == "open"
        waiter = AnotherProcess(plain_file, how, waiting=True)
        assert waiter.complaint() == (
            f"WAREHOUSE: {file_of(plain_file)} is locked by process {holder.process.pid} ({PYTHON}); waiting for it. "
            "Ctrl+C ends the wait."
        )
        holder.kill()
        assert waiter.answer() == "open"
        assert waiter.ask(FILES) == "(0,)"
        waiter.process.kill()
        waiter.process.communicate()


def test_readers_do_not_wait_for_one_another(plain_file: Warehouse) -> None:
    with another_process(plain_file), plain_file.impatient().reading() as connection:
        assert one(connection, FILES) == 0


def test_a_wait_is_a_line_a_minute_and_ends_after_an_hour(
    plain_file: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += 100 * seconds  # each try takes its time

    patience = Patience(clock=lambda: now[0], sleep=sleep)
    with another_process(plain_file) as holder:
        with pytest.raises(WarehouseLocked) as caught, replace(plain_file, patience=patience).writing():
            pass
        words = f"WAREHOUSE: {file_of(plain_file)} is locked by process {holder.process.pid} ({PYTHON})"
    assert str(caught.value) == f"{words}; wait for it, or use a DuckLake, which can be shared."
    lines = capsys.readouterr().err.splitlines()
    assert 55 < len(lines) < 62
    assert lines[0] == f"{words}; waiting for it. Ctrl+C ends the wait."
    assert lines[1] == f"{words}; waiting for it, 1 minute so far. Ctrl+C ends the wait."
    assert 3_600 <= now[0] < 3_700


def environment(warehouse: Warehouse) -> Mapping[str, str]:
    folder = file_of(warehouse).parent
    return {
        **os.environ,
        "WAREHOUSE": warehouse.location,
        "LEDGER": f"sqlite:///{folder}/ledger.sqlite",
        "PIPELINE_DATA_DIR": f"{folder}/data",
    }


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_wait(plain_file: Warehouse, number: signal.Signals, status: int) -> None:
    command = [sys.executable, "-m", "pipeline", "status"]
    with another_process(plain_file, "writing"):
        waiter = subprocess.Popen(
            command, env=environment(plain_file), cwd=PROJECT_ROOT, stderr=subprocess.PIPE, text=True
        )
        assert waiter.stderr is not None
        assert waiter.stderr.readline().endswith("Ctrl+C ends the wait.\n")
        waiter.send_signal(number)
        assert waiter.communicate(timeout=60) == (None, "\nStopped.\n")
        assert waiter.returncode == status


def test_a_reserved_file_is_for_this_process_only(plain_file: Warehouse) -> None:
    """dbt attaches the file itself, and would fail where a reader is faster."""
    with plain_file.turn(), reserved(plain_file):
        waiter = AnotherProcess(plain_file, "reading", waiting=True)
        assert f"is locked by process {os.getpid()} " in waiter.complaint()
        with closing(duckdb.connect()) as connection:
            connection.execute(f"ATTACH '{file_of(plain_file)}' AS lake")
            connection.execute("INSERT INTO lake.raw.export_files (name) VALUES ('a.csv')")
    assert waiter.answer() == "open"
    assert waiter.ask(FILES) == "(1,)"
    waiter.process.kill()
    waiter.process.communicate()


# The copy


def test_a_copy_has_what_is_committed_and_is_replaced_under_its_readers(plain_file: Warehouse) -> None:
    file, copy = file_of(plain_file), copy_of(file_of(plain_file))
    assert copy.name == "warehouse.readable.duckdb"
    file.chmod(0o640)
    add(plain_file, "a.csv")
    publish(plain_file)
    assert copy.stat().st_mode & 0o777 == 0o640
    with closing(duckdb.connect(str(copy), read_only=True)) as analyst:
        assert one(analyst, FILES) == 1
        add(plain_file, "b.csv")
        publish(plain_file)
        assert one(analyst, FILES) == 1, "the file that was opened stays"
    assert names_in(copy) == ["a.csv", "b.csv"]
    before = copy.stat()
    publish(plain_file)
    assert copy.stat() == before, "nothing has changed"
    assert {path.name for path in file.parent.iterdir()} >= {file.name, copy.name}
    assert not list(file.parent.glob(".*"))


def test_readers_have_the_copy_while_it_is_current_and_while_a_run_has_the_file(
    plain_file: Warehouse, capsys: pytest.CaptureFixture[str]
) -> None:
    file, copy = file_of(plain_file), copy_of(file_of(plain_file))
    assert readable(plain_file).warehouse == plain_file, "there is no copy yet"
    add(plain_file, "a.csv")
    publish(plain_file)
    assert (readable(plain_file).warehouse.location, readable(plain_file).as_of) == (str(copy), None)
    add(plain_file, "b.csv")
    assert readable(plain_file).warehouse == plain_file, "the file is free, and newer"
    assert capsys.readouterr().err == ""
    written = datetime.fromtimestamp(copy.stat().st_mtime, UTC)
    with another_process(plain_file, "writing") as run:
        run.ask(FILE.replace("?", "'c.csv'"))
        found = readable(plain_file)
        assert (found.warehouse.location, found.as_of) == (str(copy), written)
        with found.warehouse.reading() as connection:
            assert one(connection, FILES) == 1
        assert capsys.readouterr().err == (
            f"WAREHOUSE: {file} is locked by process {run.process.pid} ({PYTHON}); reading its copy as of "
            f"{written:%Y-%m-%d %H:%M:%S} UTC\n"
        )


def test_what_a_killed_writer_committed_is_in_the_copy_and_its_unfinished_copy_is_removed(
    plain_file: Warehouse,
) -> None:
    file = file_of(plain_file)
    with another_process(plain_file, "writing") as writer:
        writer.ask(FILE.replace("?", "'a.csv'"))
        writer.kill()
    assert file.with_name(f"{file.name}.wal").stat().st_size
    unfinished_copy_of(file).write_bytes(b"half of a copy")
    publish(plain_file)
    assert names_in(copy_of(file)) == ["a.csv"]
    unfinished_copy_of(file).write_bytes(b"half of a copy")
    publish(plain_file)
    assert not unfinished_copy_of(file).exists(), "also where the copy is current"


def test_a_copy_that_can_not_be_written_leaves_the_former_one(plain_file: Warehouse) -> None:
    file = file_of(plain_file)
    publish(plain_file)
    add(plain_file, "a.csv")
    with small_files(10_000), pytest.raises(OSError, match="File too large"):
        publish(plain_file)
    assert names_in(copy_of(file)) == []
    assert not unfinished_copy_of(file).exists()
    warnings: list[str] = []
    settings = Settings(warehouse=plain_file.location)
    with small_files(10_000):
        update_copy(settings, warnings.append)
    assert warnings == [
        f"The copy of the warehouse for readers stays as it was; the next run writes it. {copy_of(file)} can't be "
        f"written: {LIMIT}"
    ]
    update_copy(settings, warnings.append)
    assert names_in(copy_of(file)) == ["a.csv"]
    add(plain_file, "b.csv")
    with small_files(10_000), pytest.raises(OSError, match="File too large"):
        replace_in_turn(plain_file)
    assert not copy_of(file).exists(), "its content must not be read any longer"


def test_a_program_that_writes_to_the_file_is_not_copied_in_the_middle(plain_file: Warehouse) -> None:
    """One that takes no turn: DuckDB's own command line, for example."""
    with another_process(plain_file, "writing") as other:
        with pytest.raises(WarehouseLocked):
            publish_in_turn(plain_file.impatient())
        other.ask(FILE.replace("?", "'a.csv'"))
        with pytest.raises(WarehouseLocked):
            publish_in_turn(plain_file.impatient())
    assert not copy_of(file_of(plain_file)).exists()


def test_a_connection_of_a_notebook_blocks_no_writer(plain_file: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    add(plain_file, "a.csv")
    publish(plain_file)
    for name, value in environment(plain_file).items():
        monkeypatch.setenv(name, value)
    with pipeline.connect() as notebook, another_process(plain_file, "writing") as run:
        assert run.greeting == "open"
        assert run.ask(FILE.replace("?", "'b.csv'")) == "(1,)"
        assert one(notebook, FILES) == 1
        with pipeline.connect() as another:
            assert one(another, FILES) == 1


def test_status_and_sql_read_the_copy_though_the_ledger_is_ahead_of_it(plain_file: Warehouse) -> None:
    add(plain_file, "a.csv")
    with plain_file.writing() as connection:
        pair_warehouse(connection, Pairing("of-both", 1, 1))
    publish(plain_file)
    ledger = Ledger(environment(plain_file)["LEDGER"])
    ledger.pair(Pairing("of-both", 1, 2))  # it has seen what the run commits here
    ledger.close()
    with another_process(plain_file, "writing") as run:
        run.ask("UPDATE raw.origin SET value = '2' WHERE name = 'generation'")
        for arguments, expected in ((["status"], "all "), (["sql", "--format", "csv", FILES], "1")):
            command = [sys.executable, "-m", "pipeline", *arguments]
            done = subprocess.run(
                command, env=environment(plain_file), cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            assert expected in done.stdout
            words = r"WAREHOUSE: .* is locked by process \d+ .*; reading its copy as of .* UTC\n"
            assert re.fullmatch(words, done.stderr), done
