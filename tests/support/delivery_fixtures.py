import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.ledger import Ledger
from pipeline.segment import cut_rules
from pipeline.warehouse import Warehouse
from tests.support.batches import A_BATCH
from tests.support.modelled_tables import Lake
from tests.support.sending import KEY, FakeTime, RecordingServer, Sender
from tests.support.warehouses import ducklake_in, plain_file_in

PROXIES = ("http_proxy", "https_proxy", "all_proxy")


@pytest.fixture(autouse=True)
def no_proxy_between_here_and_here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@contextmanager
def opened(warehouse: Warehouse) -> Iterator[Lake]:
    with warehouse.writing() as connection:
        # A few rows are read as quickly by one thread, at half the processor time.
        connection.execute("SET threads = 1")
        yield Lake(connection)


@pytest.fixture(scope="session")
def without_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DuckLake and a plain DuckDB file with every table and no row; to copy them is quicker than to make them."""
    folder = tmp_path_factory.mktemp("without-rows")
    for warehouse in (ducklake_in(folder), plain_file_in(folder)):
        with opened(warehouse) as lake:
            lake.make_tables()
    return folder


@pytest.fixture
def warehouse(without_rows: Path, tmp_path: Path) -> Warehouse:
    """A DuckLake of the test's own that is not open."""
    shutil.copytree(without_rows, tmp_path / "lake")
    return ducklake_in(tmp_path / "lake")


@pytest.fixture
def lake(warehouse: Warehouse) -> Iterator[Lake]:
    with opened(warehouse) as lake:
        yield lake


@pytest.fixture
def plain_warehouse(without_rows: Path, tmp_path: Path) -> Warehouse:
    """The same tables in a plain DuckDB file."""
    shutil.copytree(without_rows, tmp_path / "plain")
    return plain_file_in(tmp_path / "plain")


@pytest.fixture
def plain(plain_warehouse: Warehouse) -> Iterator[Lake]:
    with opened(plain_warehouse) as lake:
        yield lake


@pytest.fixture(scope="module")
def plain_of_many_days(without_rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """One for all examples of a property, each of which has an export date of its own."""
    folder = tmp_path_factory.mktemp("many-days") / "plain"
    shutil.copytree(without_rows, folder)
    with opened(plain_file_in(folder)) as lake:
        yield lake


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")


@pytest.fixture
def time() -> FakeTime:
    return FakeTime()


@pytest.fixture
def server(time: FakeTime) -> Iterator[RecordingServer]:
    with RecordingServer(KEY, strict_auth=True, clock=time.now) as server:
        yield server


@pytest.fixture
def sender(plain: Lake, ledger: Ledger, server: RecordingServer, time: FakeTime) -> Sender:
    return Sender(plain, ledger, server, time)


@pytest.fixture
def lake_sender(lake: Lake, ledger: Ledger, server: RecordingServer, time: FakeTime) -> Sender:
    return Sender(lake, ledger, server, time)


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches of small messages."""
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", A_BATCH)
