"""A server that restarts gives its locks to others: who had them before writes nothing more."""

from pathlib import Path
from uuid import uuid4

import duckdb
import pytest

from pipeline.errors import WarehouseError
from pipeline.warehouse import Warehouse, one_value, transaction
from pipeline.warehouse.postgres_locks import LOST, ServerLocks, check_locks
from tests.fakes.postgres import Postgres, end_connections


@pytest.fixture
def dsn(postgres: Postgres) -> str:
    return postgres.dsn(postgres.create(f"lost_{uuid4().hex}"))


def test_a_transaction_whose_lock_was_lost_is_not_committed(dsn: str, tmp_path: Path) -> None:
    warehouse = Warehouse(f"ducklake:postgres:{dsn}", f"{tmp_path}/files/")
    with warehouse.writing() as connection:
        with transaction(connection):
            connection.execute("CREATE TABLE raw.numbers AS SELECT 1 AS n")
        end_connections(dsn, with_locks=True)
        with pytest.raises(duckdb.Error, match="another process may have the lock"), transaction(connection):
            connection.execute("INSERT INTO raw.numbers VALUES (2)")
    with warehouse.writing() as connection:
        assert one_value(connection, "SELECT list(n) FROM raw.numbers") == [1]
        with transaction(connection):
            connection.execute("INSERT INTO raw.numbers VALUES (3)")


def test_a_transaction_that_was_checked_ends_with_a_restart_before_its_commit(dsn: str, tmp_path: Path) -> None:
    warehouse = Warehouse(f"ducklake:postgres:{dsn}", f"{tmp_path}/files/")
    with warehouse.writing() as connection:
        connection.execute("CREATE TABLE raw.numbers AS SELECT 1 AS n")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO raw.numbers VALUES (2)")
        connection.execute("SELECT sync_files()")
        end_connections(dsn)
        with pytest.raises(duckdb.Error):
            connection.execute("COMMIT")
    with warehouse.reading() as connection:
        assert one_value(connection, "SELECT list(n) FROM raw.numbers") == [1]


def test_a_lock_is_checked_as_long_as_it_is_held(dsn: str) -> None:
    held = ServerLocks(dsn, "LEDGER").take("steps", "test")
    assert held is not None
    check_locks()
    end_connections(dsn, with_locks=True)
    with pytest.raises(WarehouseError) as raised:
        check_locks()
    assert str(raised.value) == LOST
    held.release()
    check_locks()


def test_a_shared_lock_is_free_for_those_who_share_it(dsn: str) -> None:
    locks = ServerLocks(dsn, "LEDGER")
    first, second = (locks.take("all", "test", shared=True) for _ in range(2))
    assert first is not None
    assert second is not None
    assert locks.take("all", "test") is None
    first.release()
    second.release()
    alone = locks.take("all", "test")
    assert alone is not None
    assert locks.take("all", "test", shared=True) is None
    alone.release()
