"""A run keeps a DuckLake attached; each user of it still has a connection of its own."""

import duckdb
import pytest

from pipeline.warehouse import Warehouse
from pipeline.warehouse.attached import keep_attached
from pipeline.warehouse.attached import shared as configuration_of
from tests.fakes.postgres import end_connections
from tests.warehouse.asking import FILE, FILES, one
from tests.warehouse.test_readers_and_writer import AnotherProcess

ORDER = "SELECT current_setting('default_order')"


def test_each_user_of_a_kept_database_has_temporary_tables_of_its_own(ducklake: Warehouse) -> None:
    with keep_attached():
        with ducklake.reading() as connection:
            connection.execute("CREATE TEMP TABLE mine AS SELECT 1")
            with ducklake.reading() as other, pytest.raises(duckdb.CatalogException):
                other.execute("FROM temp.mine")
        with ducklake.reading() as connection, pytest.raises(duckdb.CatalogException):
            connection.execute("FROM temp.mine")


def test_a_transaction_that_a_user_leaves_open_is_rolled_back(ducklake: Warehouse) -> None:
    with keep_attached():
        with ducklake.writing() as connection:
            connection.execute("BEGIN")
            connection.execute(FILE, ["a.csv"])
        with ducklake.writing() as connection:
            assert one(connection, FILES) == 0


def test_a_reader_of_a_kept_database_sees_what_others_commit_and_changes_nothing(ducklake: Warehouse) -> None:
    with keep_attached():
        with ducklake.reading() as connection:
            assert one(connection, FILES) == 0
        with ducklake.writing() as connection:
            connection.execute(FILE, ["a.csv"])
        other = AnotherProcess(ducklake, "writing")
        assert other.greeting == "open"
        other.ask("INSERT INTO raw.export_files (name) VALUES ('b.csv')")
        other.ask("CREATE TABLE raw.later AS SELECT 1 AS number")
        with ducklake.reading() as connection:
            assert (one(connection, FILES), one(connection, "SELECT number FROM raw.later")) == (2, 1)
            with pytest.raises(duckdb.InvalidInputException, match="read-only"):
                connection.execute(FILE, ["c.csv"])
        other.kill()


def test_a_kept_database_blocks_no_writer_of_another_process(ducklake: Warehouse) -> None:
    with keep_attached():
        for opened in (ducklake.writing, ducklake.reading):
            with opened():
                pass
        other = AnotherProcess(ducklake, "writing")
        assert other.greeting == "open"
        assert other.ask("INSERT INTO raw.export_files (name) VALUES ('b.csv')") == "(1,)"
        other.kill()


def test_a_duckdb_file_is_not_kept_because_that_would_lock_it(plain_file: Warehouse) -> None:
    with keep_attached():
        with plain_file.writing():
            pass
        other = AnotherProcess(plain_file, "writing")
        assert other.greeting == "open"
        other.kill()


def test_a_writer_at_a_server_is_not_kept_because_a_restart_would_leave_it_behind(shared: Warehouse) -> None:
    with keep_attached():
        with shared.writing() as connection:
            connection.execute("SET GLOBAL default_order = 'DESC'")
        assert configuration_of(shared.memory) is None
        with shared.writing() as connection:
            assert one(connection, ORDER) == "ASCENDING"


def test_a_reader_at_a_server_is_kept_as_long_as_it_can_be_used(shared: Warehouse) -> None:
    with keep_attached():
        with shared.writing():
            pass
        with shared.reading() as connection:
            connection.execute("SET GLOBAL default_order = 'DESC'")
        with shared.writing() as connection:
            connection.execute(FILE, ["a.csv"])
        end_connections(shared.dsn)
        with shared.reading() as connection:
            assert (one(connection, ORDER), one(connection, FILES)) == ("DESC", 1)
            # A restart in the middle of a query can leave a database behind that fails for ever; so does this one.
            connection.execute("USE memory; DETACH lake")
        with shared.reading() as connection:
            assert (one(connection, ORDER), one(connection, FILES)) == ("ASCENDING", 1)


def test_a_reader_at_a_server_is_not_kept_for_longer_than_its_credentials_may_last(
    shared: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("pipeline.warehouse.attached.time.monotonic", lambda: now[0])
    with keep_attached():
        with shared.writing():
            pass
        with shared.reading() as connection:
            connection.execute("SET GLOBAL default_order = 'DESC'")
            now[0] = 601.0
            with shared.reading() as other:
                assert one(other, ORDER) == "ASCENDING"
            assert one(connection, FILES) == 0  # who uses it goes on


def test_databases_are_kept_until_the_outermost_block_ends(ducklake: Warehouse) -> None:
    with keep_attached():
        with keep_attached(), ducklake.reading() as connection:
            connection.execute("SET GLOBAL default_order = 'DESC'")
        with ducklake.reading() as connection:
            assert one(connection, ORDER) == "DESC"
    with ducklake.reading() as connection:
        assert one(connection, ORDER) == "ASCENDING"


def test_the_database_of_the_writers_can_be_opened_by_its_name_while_it_is_kept(ducklake: Warehouse) -> None:
    with keep_attached():
        with ducklake.reading():
            assert configuration_of(ducklake.memory) is None
        with ducklake.writing() as connection:
            connection.execute(FILE, ["a.csv"])
        configuration = configuration_of(ducklake.memory)
        assert configuration is not None
        with duckdb.connect(ducklake.memory, config=dict(configuration)) as other:
            assert one(other, "SELECT count(*) FROM lake.raw.export_files") == 1
    assert configuration_of(ducklake.memory) is None
    with duckdb.connect(ducklake.memory) as other, pytest.raises(duckdb.BinderException, match="lake"):
        other.execute("FROM lake.raw.export_files")
