"""What is on the disk at the moment in which a catalog begins to refer to it."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.upkeep.maintenance import tidy
from pipeline.warehouse import Warehouse, transaction
from tests.support.warehouses import ducklake_in, plain_file_in

IN_A_MONTH = datetime.now(UTC) + timedelta(days=31)
MANY = "FROM range(5000) AS t(n)"


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Everything that is put on the disk from now on, in its order."""
    paths: list[str] = []
    sync = os.fsync

    def noted(descriptor: int) -> None:
        paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return paths


def parquet_in(lake: Warehouse) -> set[str]:
    return {str(path) for path in Path(lake.files).rglob("*.parquet")}


def test_files_and_their_folders_are_synced_before_the_commit(tmp_path: Path, synced: list[str]) -> None:
    lake = ducklake_in(tmp_path)
    with lake.writing() as connection:
        connection.execute("CREATE TABLE raw.numbers (n BIGINT)")
        synced.clear()
        with transaction(connection):
            connection.execute(f"INSERT INTO raw.numbers SELECT n {MANY}")
            assert parquet_in(lake) and not synced
            at_commit = connection.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchone()
        assert parquet_in(lake) <= set(synced)
        assert {str(Path(path).parent) for path in parquet_in(lake)} <= set(synced)
        assert str(Path(lake.files)) in synced and str(tmp_path) in synced
        assert synced.index(next(iter(parquet_in(lake)))) < synced.index(str(Path(lake.files)))
        assert at_commit != connection.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchone()


def test_each_file_is_synced_once_and_deletions_are_files_too(tmp_path: Path, synced: list[str]) -> None:
    lake = ducklake_in(tmp_path)
    with lake.writing() as connection:
        with transaction(connection):
            connection.execute(f"CREATE TABLE raw.numbers AS SELECT n {MANY}")
        before = parquet_in(lake)
        synced.clear()
        with transaction(connection):
            connection.execute("DELETE FROM raw.numbers WHERE n % 3 = 0")
        assert {path for path in synced if path.endswith(".parquet")} == parquet_in(lake) - before != set()


def test_what_another_process_wrote_before_is_not_synced_again(tmp_path: Path, synced: list[str]) -> None:
    lake = ducklake_in(tmp_path)
    with lake.writing() as connection, transaction(connection):
        connection.execute(f"CREATE TABLE raw.numbers AS SELECT n {MANY}")
    synced.clear()
    with lake.writing() as connection, transaction(connection):
        connection.execute("SELECT 1")
    assert [path for path in synced if path.endswith(".parquet")] == []


def test_files_that_upkeep_merges_are_synced_before_the_old_ones_go(tmp_path: Path, synced: list[str]) -> None:
    lake = ducklake_in(tmp_path)
    with lake.writing() as connection:
        connection.execute("CREATE TABLE raw.numbers (n BIGINT)")
        for _ in range(3):
            with transaction(connection):
                connection.execute(f"INSERT INTO raw.numbers SELECT n {MANY}")
    before = parquet_in(lake)
    synced.clear()
    assert tidy(lake, keep_days=30, now=IN_A_MONTH).merged == 3
    assert parquet_in(lake) - before != set()
    assert parquet_in(lake) - before <= set(synced)


def test_a_duckdb_file_syncs_itself(tmp_path: Path, synced: list[str]) -> None:
    with plain_file_in(tmp_path).writing() as connection, transaction(connection):
        connection.execute(f"CREATE TABLE raw.numbers AS SELECT n {MANY}")
    assert synced == []
