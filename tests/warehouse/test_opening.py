"""The tables are made on first use, and attached so that others can read."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import WarehouseError
from pipeline.warehouse import Warehouse
from pipeline.warehouse.warehouse import _CHECKED
from tests.support.warehouses import ducklake_in, plain_file_in
from tests.warehouse.asking import FILE, FILES, one

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


def test_there_is_nothing_to_read_before_something_was_written(tmp_path: Path) -> None:
    for warehouse in (ducklake_in(tmp_path), plain_file_in(tmp_path)):
        with pytest.raises(WarehouseError) as caught, warehouse.reading():
            pass
        assert str(caught.value) == "There is no warehouse yet; `make run` creates it."
    assert list(tmp_path.iterdir()) == []


def test_times_are_utc_wherever_the_machine_is(ducklake: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    with ducklake.reading() as connection:
        assert one(connection, "SELECT strftime(TIMESTAMPTZ '2026-03-01 00:30:00+01', '%d %H:%M')") == "28 23:30"


# How it is attached


def test_several_machines_attach_a_server_and_a_bucket() -> None:
    shared = Warehouse("ducklake:postgres:dbname=lake", "s3://bucket/prefix/")
    assert shared.catalog_file is None
    assert shared.exists()
    assert shared.extensions == ["ducklake", "postgres_scanner", "httpfs", "aws"]
    assert shared.attach_options() == {
        "data_path": "s3://bucket/prefix/",
        "override_data_path": True,
        "meta_secret": "catalog",
    }
    assert Warehouse("/w.duckdb", "").extensions == []


def test_other_readers_of_the_catalog_are_not_shut_out(ducklake: Warehouse) -> None:
    """WAL stays in the file; in SQLite's default journal one open reader makes every write fail."""
    assert ducklake.catalog_file
    with sqlite3.connect(ducklake.catalog_file) as catalog:
        assert catalog.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_the_folder_of_the_files_is_made_whatever_the_catalog_is_in(shared: Warehouse) -> None:
    assert not Path(shared.files).exists()
    with shared.turn():
        assert Path(shared.files).is_dir()


def test_the_signature_of_an_extension_is_checked_once_a_process(ducklake: Warehouse) -> None:
    _CHECKED.clear()
    unsigned = "SELECT current_setting('allow_unsigned_extensions')"
    with ducklake.reading() as connection:
        assert one(connection, unsigned) is False
    with ducklake.reading() as connection:
        assert one(connection, unsigned) is True
    other = Warehouse("ducklake:postgres:host=127.0.0.1 port=1", ducklake.files)
    with pytest.raises(WarehouseError), other.reading():
        pass
    assert set(other.extensions) - _CHECKED
