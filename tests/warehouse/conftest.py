import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from pipeline.warehouse import Warehouse
from tests.fakes.postgres import Postgres
from tests.support.warehouses import ducklake_in, plain_file_in


@pytest.fixture(scope="session")
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


@pytest.fixture
def shared(postgres: Postgres, tmp_path: Path) -> Warehouse:
    """A DuckLake with its catalog on a server, for several machines."""
    return Warehouse(f"ducklake:postgres:{postgres.dsn(postgres.create(f'lake_{uuid4().hex}'))}", f"{tmp_path}/files/")
