import shutil
from pathlib import Path

import pytest

from pipeline.warehouse import Warehouse
from tests.lakes import ducklake_in, plain_file_in


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
