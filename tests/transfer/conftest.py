"""The settings of stores of each kind."""

from pathlib import Path

import pytest

from pipeline.settings import Settings
from tests.fakes.postgres import Postgres
from tests.transfer.stores import settings_in


@pytest.fixture(params=["DuckLake in SQLite", "DuckDB file", "PostgreSQL"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings for each kind of store."""
    if request.param == "PostgreSQL":
        postgres: Postgres = request.getfixturevalue("postgres")
        catalog, ledger = (postgres.create(f"{name}-{tmp_path.name}".replace("_", "-")) for name in ("c", "l"))
        return settings_in(tmp_path, f"ducklake:postgres:{postgres.dsn(catalog)}", postgres.url(ledger))
    return settings_in(tmp_path, *(["{}/warehouse.duckdb"] if request.param == "DuckDB file" else []))


@pytest.fixture
def ducklake(tmp_path: Path) -> Settings:
    return settings_in(tmp_path)
