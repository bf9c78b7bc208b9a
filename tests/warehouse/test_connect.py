"""`pipeline.connect()`, as scripts and notebooks use it."""

import warnings
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

import pipeline
from pipeline.errors import EarlierWarehouse, NoWarehouse
from pipeline.warehouse import Warehouse
from tests.support.warehouses import ducklake_in

SCHEMA = "selligent_marketing_cloud"


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """The warehouse of the settings; not created yet."""
    found = ducklake_in(tmp_path)
    monkeypatch.setenv("WAREHOUSE", found.location)
    monkeypatch.setenv("WAREHOUSE_FILES", found.files)
    return found


def test_it_stays_open_reads_every_schema_and_sees_later_commits(warehouse: Warehouse) -> None:
    with warehouse.writing() as writer:
        writer.execute(f"CREATE SCHEMA {SCHEMA}")
        writer.execute(f"CREATE TABLE {SCHEMA}.email_opened AS SELECT 1 AS id")
    with pipeline.connect() as connection:
        assert connection.sql("SELECT * FROM email_opened").df().to_dict("list") == {"id": [1]}
        assert connection.sql("SELECT count(*) FROM raw.export_files").fetchall() == [(0,)]
        with warehouse.writing() as writer:
            writer.execute(f"INSERT INTO {SCHEMA}.email_opened VALUES (2)")
        assert connection.sql("SELECT count(*) FROM email_opened").fetchall() == [(2,)]
        assert connection.sql("SELECT current_setting('TimeZone')").fetchall() == [("UTC",)]


def test_results_become_frames_and_tables(warehouse: Warehouse) -> None:
    """With the extra `notebooks`; a timestamp stays a moment in UTC."""
    with warehouse.writing() as writer:
        writer.execute(f"CREATE SCHEMA {SCHEMA}")
        writer.execute(
            f"CREATE TABLE {SCHEMA}.email_opened AS SELECT 'a' AS id, TIMESTAMPTZ '2024-06-11 07:15:10+00' AS timestamp"
        )
    moment = datetime(2024, 6, 11, 7, 15, 10, tzinfo=UTC)
    with pipeline.connect() as connection:
        opens = connection.sql("SELECT * FROM email_opened")
        with warnings.catch_warnings(action="error"):  # pandas 3.1 warns of how DuckDB uses it, in each notebook
            frame = opens.df()
        assert frame["id"].tolist() == ["a"]
        assert frame["timestamp"].dt.tz_convert("UTC").tolist() == [moment]
        assert opens.pl().rows() == [("a", moment)]
        assert opens.to_arrow_table().to_pydict() == {"id": ["a"], "timestamp": [moment]}
        assert opens.arrow().read_all().to_pydict() == {"id": ["a"], "timestamp": [moment]}


def test_it_changes_nothing(warehouse: Warehouse) -> None:
    with warehouse.writing():
        pass
    with pipeline.connect() as connection, pytest.raises(duckdb.InvalidInputException, match="read-only"):
        connection.execute("DELETE FROM raw.export_files")


def test_without_a_warehouse_it_names_the_command_that_creates_one(warehouse: Warehouse) -> None:
    assert not warehouse.exists()
    with pytest.raises(NoWarehouse, match="`make run` creates it"):
        pipeline.connect()


def test_a_warehouse_of_an_earlier_version_is_not_read(warehouse: Warehouse) -> None:
    with warehouse.writing() as writer:
        writer.execute("UPDATE raw.origin SET value = '1' WHERE name = 'schema_version'")
    with pytest.raises(EarlierWarehouse):
        pipeline.connect()
