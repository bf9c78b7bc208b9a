"""What a first load leaves that could not even make the warehouse, and files that are of other programs."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import NoWarehouse, WarehouseError
from pipeline.warehouse import Warehouse
from tests.support.warehouses import ducklake_in, plain_file_in
from tests.warehouse.asking import FILE, FILES, one

NOTHING_YET = "There is no warehouse yet; `make run` creates it."


def not_a_byte(file: Path) -> None:
    file.touch()


def a_log_beside_it(file: Path) -> None:
    file.touch()
    file.with_name(f"{file.name}-wal").touch()
    file.with_name(f"{file.name}-shm").write_bytes(bytes(32 * 1024))


def zeros(file: Path) -> None:
    """A file that was made longer, and whose content never came to the disk."""
    file.write_bytes(bytes(4096))


def sqlite_without_tables(file: Path) -> None:
    with sqlite3.connect(file) as catalog:
        assert catalog.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    catalog.close()
    assert file.stat().st_size == 4096


def ducklake_without_tables(file: Path) -> None:
    """DuckLake's own tables were made, and the disk was full at the first of ours."""
    with duckdb.connect() as connection:
        for statement in ducklake_in(file.parent).attach_statements(read_only=False):
            connection.execute(statement)


def duckdb_without_tables(file: Path) -> None:
    duckdb.connect(str(file)).close()


def half_of_duckdbs_headers(file: Path) -> None:
    duckdb.connect(str(file)).close()
    file.write_bytes(file.read_bytes()[:5000])


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        *((ducklake_in, left) for left in (not_a_byte, a_log_beside_it, zeros)),
        *((ducklake_in, left) for left in (sqlite_without_tables, ducklake_without_tables)),
        *((plain_file_in, left) for left in (not_a_byte, zeros, duckdb_without_tables, half_of_duckdbs_headers)),
    ],
)
def test_what_nothing_was_committed_to_is_no_warehouse_yet_and_the_next_writer_makes_it(
    tmp_path: Path, kind: Callable[[Path], Warehouse], left: Callable[[Path], None]
) -> None:
    warehouse = kind(tmp_path)
    assert warehouse.catalog_file
    left(warehouse.catalog_file)
    assert not warehouse.exists()
    with pytest.raises(NoWarehouse) as caught, warehouse.reading():
        pass
    assert str(caught.value) == NOTHING_YET
    with warehouse.reading_if_any() as nothing:
        assert nothing is None

    with warehouse.writing() as connection:
        connection.execute(FILE, ["a.csv"])
    assert warehouse.exists()
    with warehouse.reading() as connection:
        assert one(connection, FILES) == 1


@pytest.mark.parametrize("journal_mode", ["wal", "delete"])
@pytest.mark.parametrize("how", ["reading", "writing"])
def test_a_sqlite_database_of_another_program_is_refused_by_name_and_stays_as_it_is(
    tmp_path: Path, how: str, journal_mode: str
) -> None:
    """ATTACH would add DuckLake's tables to it."""
    warehouse = ducklake_in(tmp_path)
    assert warehouse.catalog_file
    with sqlite3.connect(warehouse.catalog_file) as notes:
        notes.execute(f"PRAGMA journal_mode = {journal_mode}")
        for table in ("moods", "notes\x1b[2J", "people", "places"):
            notes.execute(f'CREATE TABLE "{table}" (words TEXT)')
    notes.close()
    before = warehouse.catalog_file.read_bytes()
    with pytest.raises(WarehouseError) as caught, getattr(warehouse, how)():
        pass
    assert str(caught.value) == (
        f"WAREHOUSE: {warehouse.catalog_file} is the SQLite database of another program, with moods, notes\\x1b[2J, "
        "people, and 1 more in it, and is left as it is; name another file"
    )
    assert warehouse.catalog_file.read_bytes() == before


@pytest.mark.parametrize("how", ["reading", "writing"])
@pytest.mark.parametrize("content", [b"12345", b"SQLite format 3\0", b"notes of mine\n" * 10])
@pytest.mark.parametrize("kind", [ducklake_in, plain_file_in])
def test_a_small_file_with_something_else_in_it_is_left_as_it_is(
    tmp_path: Path, kind: Callable[[Path], Warehouse], content: bytes, how: str
) -> None:
    warehouse = kind(tmp_path)
    assert warehouse.catalog_file
    warehouse.catalog_file.write_bytes(content)
    with pytest.raises(WarehouseError, match="can't be opened as a warehouse"), getattr(warehouse, how)():
        pass
    assert warehouse.catalog_file.read_bytes() == content


@pytest.mark.parametrize("how", ["reading", "writing"])
def test_a_sqlite_database_where_a_duckdb_file_should_be_is_left_as_it_is(tmp_path: Path, how: str) -> None:
    """By itself, ATTACH takes it, and can't make a schema in it."""
    warehouse = plain_file_in(tmp_path)
    assert warehouse.catalog_file
    with sqlite3.connect(warehouse.catalog_file) as notes:
        notes.execute("CREATE TABLE notes (words TEXT)")
    notes.close()
    before = warehouse.catalog_file.read_bytes()
    with pytest.raises(WarehouseError, match="can't be opened as a warehouse"), getattr(warehouse, how)():
        pass
    assert warehouse.catalog_file.read_bytes() == before
