import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from pipeline.warehouse import Warehouse
from pipeline.warehouse.file_sync import provide_sync
from tests.exports.arrivals import WatchedLocation
from tests.support.export_folder import Desk, Reader
from tests.support.warehouses import ducklake_in, plain_file_in


@pytest.fixture(scope="session")
def lake_without_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DuckLake to be copied, which is quicker than to make one."""
    folder = tmp_path_factory.mktemp("lake-without-rows")
    with ducklake_in(folder).writing():
        pass
    return folder


@pytest.fixture(scope="session")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """One for all, since to load DuckDB's extensions takes longer than most tests."""
    with duckdb.connect() as connection:
        provide_sync(connection, "")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET threads = 1")  # a few rows are read as quickly by one, with half the work
        yield connection


@pytest.fixture
def desk(connection: duckdb.DuckDBPyConnection, lake_without_rows: Path, tmp_path: Path) -> Iterator[Desk]:
    """A folder for exports and a DuckLake of the test's own, both empty."""
    shutil.copytree(lake_without_rows, tmp_path / "lake")
    (tmp_path / "exports").mkdir()
    for statement in ducklake_in(tmp_path / "lake").attach_statements(read_only=False):
        connection.execute(statement)
    yield Desk(connection, tmp_path / "exports")
    connection.execute("USE memory")
    connection.execute("DETACH lake")


@pytest.fixture(scope="session")
def plain_file_without_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same as a plain DuckDB file."""
    folder = tmp_path_factory.mktemp("plain-without-rows")
    with plain_file_in(folder).writing():
        pass
    return folder


@pytest.fixture
def plain_desk(connection: duckdb.DuckDBPyConnection, plain_file_without_rows: Path, tmp_path: Path) -> Iterator[Desk]:
    """A desk with a plain DuckDB file, for what doesn't depend on the storage: a load takes a third of the time."""
    shutil.copytree(plain_file_without_rows, tmp_path / "plain")
    (tmp_path / "exports").mkdir()
    for statement in plain_file_in(tmp_path / "plain").attach_statements(read_only=False):
        connection.execute(statement)
    yield Desk(connection, tmp_path / "exports")
    connection.execute("USE memory")
    connection.execute("DETACH lake")


@pytest.fixture(scope="session")
def read(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """Loads one file and returns the result. A plain DuckDB file, since a commit takes a third of the time
    there; that a DuckLake holds the same has a test of its own, and so have random files.
    """
    folder = tmp_path_factory.mktemp("reading")
    with Warehouse(f"{folder}/warehouse.duckdb", "").writing() as connection:
        yield Reader(connection, folder)


@pytest.fixture(scope="session")
def read_into_lake(tmp_path_factory: pytest.TempPathFactory, lake_without_rows: Path) -> Iterator[Reader]:
    """The same with a DuckLake."""
    folder = tmp_path_factory.mktemp("reading-into-lake")
    shutil.copytree(lake_without_rows, folder / "lake")
    with ducklake_in(folder / "lake").writing() as connection:
        connection.execute("SET threads = 1")
        yield Reader(connection, folder)


@pytest.fixture
def clicks(tmp_path: Path) -> Path:
    """Where a layout may be written."""
    return tmp_path / "clicks.yml"


@pytest.fixture
def watched(desk: Desk) -> WatchedLocation:
    """The location of the desk, from now on a watched one."""
    desk.location = WatchedLocation(desk.folder)
    return desk.location
