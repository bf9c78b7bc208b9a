"""Where the tables are kept: readers and a writer at once, and one sentence when it can't be opened."""

import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from filelock import FileLock, Timeout
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors import WarehouseError
from pipeline.warehouse import Warehouse, literal, quoted, transaction

PROJECT = Path(__file__).parents[1]
PASSWORD = "hunter2-and-more"
FILE = "INSERT INTO raw.export_files (name) VALUES (?)"
FILES = "SELECT count(*) FROM raw.export_files"


def ducklake_in(folder: Path) -> Warehouse:
    return Warehouse(f"ducklake:sqlite:{folder}/warehouse.sqlite", f"{folder}/files/")


def plain_file_in(folder: Path) -> Warehouse:
    return Warehouse(f"{folder}/warehouse.duckdb", f"{folder}/files/")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of each kind, to be copied, which is quicker than to make one."""
    folder = tmp_path_factory.mktemp("empty")
    for warehouse in (ducklake_in(folder), plain_file_in(folder)):
        with warehouse.writing():
            pass
    return folder


@pytest.fixture
def ducklake(empty: Path, tmp_path: Path) -> Warehouse:
    return ducklake_in(shutil.copytree(empty, tmp_path / "warehouse"))


@pytest.fixture
def plain_file(empty: Path, tmp_path: Path) -> Warehouse:
    return plain_file_in(shutil.copytree(empty, tmp_path / "warehouse"))


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    (value,) = connection.execute(sql).fetchone() or (None,)
    return value


ANOTHER_PROCESS = """
import sys
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
    """A second process with the warehouse open."""

    def __init__(self, warehouse: Warehouse, how: str) -> None:
        command = [sys.executable, "-c", ANOTHER_PROCESS, warehouse.place, warehouse.files, how]
        self.process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self.greeting = self._read()

    def _read(self) -> str:
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def ask(self, sql: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(sql + "\n")
        return self._read()

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


# Made on first use


@pytest.mark.parametrize("kind", [ducklake_in, plain_file_in])
def test_the_first_writer_makes_every_table_and_its_folder(tmp_path: Path, kind: Any) -> None:
    """In a folder with a name that SQL would stumble over."""
    warehouse = kind(tmp_path / "l'été d'Ana; --")
    assert not warehouse.exists()
    with warehouse.writing() as connection:
        connection.execute(FILE, ["a.csv"])
    assert warehouse.exists()
    with warehouse.reading() as connection:
        tables = connection.execute(
            "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = 'lake' "
            "UNION ALL SELECT schema_name || '.' || view_name FROM duckdb_views() WHERE database_name = 'lake' "
            "AND NOT internal"
        ).fetchall()
        assert {name for (name,) in tables} >= {
            "raw.export_files",
            "raw.events",
            "raw.rejected_rows",
            "raw.lookups",
            "delivery.outbox",
            "delivery.batches",
            "delivery.dead_events",
            "delivery.events",
        }
        assert connection.execute("SELECT name FROM raw.export_files").fetchall() == [("a.csv",)]


def test_the_next_writer_leaves_the_tables_as_they_are(ducklake: Warehouse) -> None:
    with ducklake.writing() as connection:
        connection.execute(FILE, ["a.csv"])
        snapshots = one(connection, "SELECT count(*) FROM ducklake_snapshots('lake')")
    with ducklake.writing() as connection:
        assert one(connection, FILES) == 1
        assert one(connection, "SELECT count(*) FROM ducklake_snapshots('lake')") == snapshots


def test_a_writer_that_was_killed_before_it_made_the_tables_is_made_up_for(tmp_path: Path) -> None:
    warehouse = ducklake_in(tmp_path)
    with duckdb.connect() as connection:
        for statement in warehouse.attach_statements(read_only=False):
            connection.execute(statement)
    assert warehouse.exists()
    with warehouse.writing() as connection:
        assert one(connection, FILES) == 0


def test_there_is_nothing_to_read_before_something_was_written(tmp_path: Path) -> None:
    for warehouse in (ducklake_in(tmp_path), plain_file_in(tmp_path)):
        with pytest.raises(WarehouseError) as caught, warehouse.reading():
            pass
        assert str(caught.value) == "There is no warehouse yet; `make run` makes it."
    assert list(tmp_path.iterdir()) == []


def test_times_are_utc_wherever_the_machine_is(ducklake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with ducklake.reading() as connection:
        assert one(connection, "SELECT strftime(TIMESTAMPTZ '2026-03-01 00:30:00+01', '%d %H:%M')") == "28 23:30"


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
        assert one(connection, FILES) == 0, "a reader waits for nobody's turn"


def test_a_killed_writer_locks_nobody_out_and_leaves_nothing_half_done(ducklake: Warehouse) -> None:
    with another_process(ducklake, "writing") as writer:
        writer.ask(FILE.replace("?", "'whole.csv'"))
        writer.ask("BEGIN")
        writer.ask(FILE.replace("?", "'half.csv'"))
        writer.kill()
    with ducklake.writing() as connection:
        assert connection.execute("SELECT name FROM raw.export_files").fetchall() == [("whole.csv",)]


def test_a_plain_file_is_for_one_process_at_a_time_and_says_so(plain_file: Warehouse) -> None:
    with another_process(plain_file) as reader:
        assert reader.ask(FILES) == "(0,)"
        with plain_file.reading() as connection:
            assert one(connection, FILES) == 0
        with pytest.raises(WarehouseError) as caught, plain_file.writing():
            pass
    assert str(caught.value) == (
        f"WAREHOUSE: {plain_file.catalog_file} is locked by another process; "
        "wait for it, or use a DuckLake, which can be shared."
    )
    with plain_file.writing() as connection:
        connection.execute(FILE, ["a.csv"])
        with another_process(plain_file) as reader:
            assert "is locked by another process" in reader.greeting


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


# What a person is told


def told(warehouse: Warehouse, how: str = "writing") -> str:
    with pytest.raises(WarehouseError) as caught, getattr(warehouse, how)():
        pass
    sentence = str(caught.value)
    assert len(sentence.splitlines()) == 1
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    return sentence


@pytest.mark.parametrize("how", ["reading", "writing"])
@pytest.mark.parametrize(
    "place",
    [
        f"ducklake:postgres:host=127.0.0.1 port=1 dbname=lake user=someone password={PASSWORD}",
        f"ducklake:postgres:postgresql://someone:{PASSWORD}@127.0.0.1:1/lake",
        f"ducklake:postgres:nonsense {PASSWORD}",
    ],
)
def test_a_server_that_cannot_be_reached_is_told_without_the_password(tmp_path: Path, place: str, how: str) -> None:
    expected = "WAREHOUSE: the PostgreSQL catalog can't be opened; check its host, database, user and password."
    assert told(Warehouse(place, f"{tmp_path}/"), how) == expected


@pytest.mark.parametrize("how", ["reading", "writing"])
@pytest.mark.parametrize("kind", [ducklake_in, plain_file_in])
def test_a_file_of_another_kind_is_told(tmp_path: Path, kind: Any, how: str) -> None:
    """In a folder whose name holds words that the drivers' messages hold."""
    warehouse = kind(tmp_path / "clockwork version 2")
    warehouse.catalog_file.parent.mkdir()
    warehouse.catalog_file.write_text("neither a database nor a catalog " * 1_000)
    sentence = told(warehouse, how)
    assert sentence.startswith(f"WAREHOUSE: {warehouse.catalog_file} can't be opened as a warehouse")


def test_a_ducklake_of_another_version_is_told(ducklake: Warehouse) -> None:
    assert ducklake.catalog_file
    with sqlite3.connect(ducklake.catalog_file) as catalog:
        assert catalog.execute("UPDATE ducklake_metadata SET value = '99.0' WHERE key = 'version'").rowcount == 1
    assert told(ducklake) == (
        f"WAREHOUSE: {ducklake.catalog_file} was written by another version of DuckDB or DuckLake; use that version."
    )


def checksum_of(header: bytes) -> int:
    """As DuckDB's files have it at the start of each block."""
    sum_of_words = 5381
    for (word,) in struct.iter_unpack("<Q", header):
        sum_of_words ^= (word * 0xBF58476D1CE4E5B9) & (2**64 - 1)
    return sum_of_words


def test_a_plain_file_of_another_version_is_told(plain_file: Warehouse) -> None:
    assert plain_file.catalog_file
    content = bytearray(plain_file.catalog_file.read_bytes())
    assert content[:8] == checksum_of(content[8:4096]).to_bytes(8, "little")
    content[12:20] = (9_999).to_bytes(8, "little")
    content[:8] = checksum_of(content[8:4096]).to_bytes(8, "little")
    plain_file.catalog_file.write_bytes(content)
    assert told(plain_file) == (
        f"WAREHOUSE: {plain_file.catalog_file} was written by another version of DuckDB or DuckLake; use that version."
    )


def test_a_damaged_plain_file_is_not_told_as_a_locked_one(plain_file: Warehouse) -> None:
    """The driver says in which *block* the damage is; nobody should wait for that to end."""
    assert plain_file.catalog_file
    with plain_file.catalog_file.open("r+b") as file:
        file.seek(100)
        file.write(b"damage")
    sentence = told(plain_file)
    assert sentence.startswith(f"WAREHOUSE: {plain_file.catalog_file} can't be opened as a warehouse")
    assert "locked" not in sentence


@pytest.mark.parametrize("kind", [ducklake_in, plain_file_in])
def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path, kind: Any) -> None:
    (tmp_path / "data").write_text("a file")
    assert told(kind(tmp_path / "data")).startswith("WAREHOUSE")


def test_a_place_for_files_that_cannot_be_made_is_told(ducklake: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "files").write_text("a file")
    assert told(Warehouse(ducklake.place, f"{tmp_path}/files/")).startswith("WAREHOUSE")


def test_a_server_that_has_no_ducklake_yet_is_told_from_one_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What DuckDB says is the same of every catalog; here SQLite stands in for PostgreSQL."""
    silent = Warehouse("ducklake:postgres:host=127.0.0.1 port=1 dbname=lake", f"{tmp_path}/files/")
    assert silent.exists()
    assert "can't be opened" in told(silent)
    sqlite3.connect(tmp_path / "lake.sqlite").close()
    fresh = ducklake_in(tmp_path)
    statements = [
        "LOAD ducklake; LOAD sqlite_scanner",
        f"ATTACH 'ducklake:sqlite:{tmp_path}/lake.sqlite' AS lake (DATA_PATH '{tmp_path}/files/', READ_ONLY)",
    ]
    monkeypatch.setattr(Warehouse, "attach_statements", lambda self, read_only: statements)
    assert not Warehouse("ducklake:postgres:dbname=lake", fresh.files).exists()
    assert told(Warehouse("ducklake:postgres:dbname=lake", fresh.files)).startswith("There is no warehouse yet")


def test_the_folder_of_the_files_is_made_whatever_the_catalog_is_in(tmp_path: Path) -> None:
    with Warehouse("ducklake:postgres:dbname=lake", f"{tmp_path}/lake/files/").turn():
        assert (tmp_path / "lake" / "files").is_dir()


# How it is attached


def test_several_machines_attach_a_server_and_a_bucket() -> None:
    shared = Warehouse("ducklake:postgres:dbname=lake", "s3://bucket/prefix")
    assert shared.catalog_file is None
    assert shared.exists()
    assert shared.extensions == ["ducklake", "postgres_scanner", "httpfs"]
    assert shared.attach_options == {"data_path": "s3://bucket/prefix", "override_data_path": True}
    assert Warehouse("/w.duckdb", "").extensions == []


def test_other_readers_of_the_catalog_are_not_shut_out(ducklake: Warehouse) -> None:
    """WAL stays in the file; in SQLite's default journal one open reader makes every write fail."""
    assert ducklake.catalog_file
    with sqlite3.connect(ducklake.catalog_file) as catalog:
        assert catalog.execute("PRAGMA journal_mode").fetchone() == ("wal",)


# Text in SQL

HOSTILE_NAMES = [
    "?!",
    "%#@",
    "秒速５センチメートル",
    "Université Français",
    "Странное Имя",
    "Test Name; DROP DATABASE public; SELECT 1 from DUAL;",
    "1test_name",
    "camelCase",
    "select",
    "current_time",
    "__ROOT__",
    'a"b""c',
    "it's",
    "new\nline\ttab\\backslash",
    "-- comment /* and */",
    "$1 ? :name {brace}",
    "lorem_ipsum_dolor_sit_amet_consectetur_adipiscing_elit_sed_do_eiusmod_tempor_incididunt_ut_labore_et_dolore",
]
DUCKDB = duckdb.connect()
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")


def test_any_name_can_be_a_column_of_a_table() -> None:
    with duckdb.connect() as connection:
        listed = ", ".join(f"{number} AS {quoted(name)}" for number, name in enumerate(HOSTILE_NAMES))
        connection.execute(f"CREATE TABLE {quoted('a; table')} AS SELECT {listed}")
        found = connection.execute(f"FROM {quoted('a; table')}")
        assert [column[0] for column in found.description or []] == HOSTILE_NAMES


@settings(deadline=None)
@given(st.text(characters, min_size=1))
@example('"')
@example('";--')
def test_a_quoted_name_is_that_name(name: str) -> None:
    with DUCKDB.cursor() as connection:
        found = connection.execute(f"SELECT 7 AS {quoted(name)}")
        assert [column[0] for column in found.description or []] == [name]
        assert connection.execute(f"SELECT t.{quoted(name)} FROM (SELECT 7 AS {quoted(name)}) AS t").fetchall() == [
            (7,)
        ]


@settings(deadline=None)
@given(st.none() | st.text(characters))
@example("'; DROP TABLE raw.events; --")
@example("\\'")
@example("")
def test_a_literal_is_that_text(text: str | None) -> None:
    with DUCKDB.cursor() as connection:
        assert connection.execute(f"SELECT {literal(text)}").fetchall() == [(text,)]
