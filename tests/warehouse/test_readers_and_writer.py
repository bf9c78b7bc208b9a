"""Readers and a writer at once; a transaction is all or nothing."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import duckdb
import psycopg
import pytest
from filelock import FileLock, Timeout

from pipeline.warehouse import Warehouse, transaction
from tests.support.warehouses import ducklake_in
from tests.warehouse.asking import FILE, FILES, one

PROJECT = Path(__file__).parents[2]
ANOTHER_PROCESS = """
import sys
__file__ = "another_process.py"  # without it, DuckDB takes Python for an interactive one and shows its progress

from pipeline.errors import WarehouseError
from pipeline.warehouse import Warehouse

warehouse = Warehouse(sys.argv[1], sys.argv[2])
try:
    with warehouse.writing() if sys.argv[3] == "writing" else warehouse.reading() as connection:
        print("open", flush=True)
        for sql in sys.stdin:
            result = connection.execute(sql)
            print(result.fetchone() if result.description else None, flush=True)
except WarehouseError as error:
    print(error, flush=True)
"""


class AnotherProcess:
    """A second process with the warehouse open, or one that is `waiting` for it."""

    def __init__(self, warehouse: Warehouse, how: str, *, waiting: bool = False) -> None:
        command = [sys.executable, "-c", ANOTHER_PROCESS, warehouse.location, warehouse.files, how]
        self.process = subprocess.Popen(
            command,
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if waiting else None,
            text=True,
            bufsize=1,
        )
        self.greeting = "" if waiting else self.answer()

    def complaint(self) -> str:
        """The next line on stderr."""
        assert self.process.stderr
        return self.process.stderr.readline().strip()

    def answer(self) -> str:
        """The next line on stdout."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def ask(self, sql: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(sql + "\n")
        return self.answer()

    def kill(self) -> None:
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL


@contextmanager
def another_process(warehouse: Warehouse, how: str = "reading") -> Iterator[AnotherProcess]:
    another = AnotherProcess(warehouse, how)
    try:
        yield another
    finally:
        another.process.kill()
        another.process.communicate()


# Readers and a writer


@pytest.mark.parametrize("kind", ["ducklake", "plain_file"])
def test_a_reader_changes_nothing(kind: str, request: pytest.FixtureRequest) -> None:
    warehouse: Warehouse = request.getfixturevalue(kind)
    for statement in (FILE.replace("?", "'a.csv'"), "DROP TABLE raw.events", "CREATE TABLE raw.more (id INTEGER)"):
        with warehouse.reading() as connection, pytest.raises(duckdb.Error, match="read-only"):
            connection.execute(statement)


def test_a_reader_in_another_process_reads_while_this_one_writes(ducklake: Warehouse) -> None:
    with another_process(ducklake) as reader:
        assert reader.greeting == "open"
        with ducklake.writing() as connection:
            for number in range(5):
                with transaction(connection):
                    connection.execute(FILE, [f"{number}.csv"])
                    assert reader.ask(FILES) == f"({number},)", "what is not committed is not seen"
                assert reader.ask(FILES) == f"({number + 1},)"


def test_an_open_transaction_of_a_reader_makes_no_write_fail_and_sees_one_moment(ducklake: Warehouse) -> None:
    """An analyst went to lunch in the middle of a query; thirty commits later it's still the same moment there."""
    with another_process(ducklake) as reader:
        reader.ask("BEGIN")
        assert reader.ask(FILES) == "(0,)"
        for writer in range(2):
            with ducklake.writing() as connection:
                for number in range(15):
                    connection.execute(FILE, [f"{writer}-{number}.csv"])
        assert reader.ask(FILES) == "(0,)"
        reader.ask("COMMIT")
        assert reader.ask(FILES) == "(30,)"


def test_a_reader_opens_while_a_write_is_not_finished(ducklake: Warehouse) -> None:
    with ducklake.writing() as connection, transaction(connection):
        connection.execute(FILE, ["a.csv"])
        with another_process(ducklake) as reader:
            assert reader.greeting == "open"
            assert reader.ask(FILES) == "(0,)"


@pytest.mark.parametrize("kind", ["ducklake", "plain_file"])
def test_writers_take_turns(kind: str, request: pytest.FixtureRequest) -> None:
    warehouse: Warehouse = request.getfixturevalue(kind)
    turn = FileLock(f"{warehouse.catalog_file}.lock")
    with warehouse.writing(), pytest.raises(Timeout):
        turn.acquire(timeout=0)
    with pytest.raises(ZeroDivisionError), warehouse.writing():
        _ = 1 / 0
    with turn.acquire(timeout=0), warehouse.reading() as connection:
        assert one(connection, FILES) == 0, "a reader waits for no lock"


def test_a_killed_writer_locks_no_other_process_out_and_leaves_nothing_half_done(ducklake: Warehouse) -> None:
    with another_process(ducklake, "writing") as writer:
        writer.ask(FILE.replace("?", "'whole.csv'"))
        writer.ask("BEGIN")
        writer.ask(FILE.replace("?", "'half.csv'"))
        writer.kill()
    with ducklake.writing() as connection:
        assert connection.execute("SELECT name FROM raw.export_files").fetchall() == [("whole.csv",)]


def test_writers_of_several_machines_take_turns_and_a_killed_one_locks_no_other_process_out(shared: Warehouse) -> None:
    """Two that bring `delivery.batches` up to the ledger at once would both enter the same batch."""
    catalog = psycopg.connect(shared.location.removeprefix("ducklake:postgres:"), autocommit=True)
    with catalog, ExitStack() as processes, ThreadPoolExecutor(1) as beside:
        first = processes.enter_context(another_process(shared, "writing"))
        assert first.greeting == "open"
        first.ask(FILE.replace("?", "'whole.csv'"))
        first.ask("BEGIN")
        first.ask(FILE.replace("?", "'half.csv'"))
        # A limit of the server's own, which is not for turns.
        catalog.execute(f"ALTER DATABASE {catalog.info.dbname} SET lock_timeout = '1ms'")
        opening = beside.submit(lambda: processes.enter_context(another_process(shared, "writing")))
        while not (opening.done() or turns_waited_for(catalog)):
            pass
        assert not opening.done()
        catalog.execute(f"ALTER DATABASE {catalog.info.dbname} RESET lock_timeout")
        with shared.reading() as connection:
            assert one(connection, FILES) == 1, "a reader waits for no lock"
        first.kill()
        second = opening.result()
        assert second.greeting == "open"
        assert second.ask("SELECT string_agg(name) FROM raw.export_files") == "('whole.csv',)"


def test_the_turn_at_a_server_ends_with_the_writing_whatever_happened_in_it(shared: Warehouse) -> None:
    with pytest.raises(ZeroDivisionError), shared.writing():
        _ = 1 / 0
    with shared.writing() as connection:
        connection.execute(FILE, ["a.csv"])
    with another_process(shared, "writing") as another:
        assert another.ask(FILES) == "(1,)"


def turns_waited_for(catalog: psycopg.Connection) -> int:
    waiting = catalog.execute(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON database = pg_database.oid "
        "WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
    ).fetchone()
    return waiting[0] if waiting else 0


def test_a_project_folder_can_be_moved(tmp_path: Path) -> None:
    """The catalog remembers where its Parquet files lay; what the settings say counts."""
    with ducklake_in(tmp_path / "here").writing() as connection:
        connection.execute("INSERT INTO raw.export_files (name) SELECT 'file ' || n FROM range(50_000) AS t(n)")
    assert list((tmp_path / "here/files").rglob("*.parquet")), "rows that lie in the catalog would move anyway"
    (tmp_path / "here").rename(tmp_path / "there")

    moved = ducklake_in(tmp_path / "there")
    with moved.reading() as connection:
        assert one(connection, "SELECT count(DISTINCT name) FROM raw.export_files") == 50_000
    with moved.writing() as connection:
        connection.execute("INSERT INTO raw.export_files (name) SELECT 'more ' || n FROM range(50_000) AS t(n)")
        assert one(connection, FILES) == 100_000
    assert not (tmp_path / "here").exists()


# All or nothing


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_transaction_that_is_broken_off_did_nothing(plain_file: Warehouse, error: type[BaseException]) -> None:
    with plain_file.writing() as connection:
        with pytest.raises(error), transaction(connection):
            connection.execute(FILE, ["a.csv"])
            raise error
        assert one(connection, FILES) == 0
        with transaction(connection):
            connection.execute(FILE, ["b.csv"])
    with plain_file.reading() as connection:
        assert one(connection, FILES) == 1
