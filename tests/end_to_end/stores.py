"""Where the projects of the tests have their tables and their ledger: in files, or on servers.

`END_TO_END_STORE` chooses for all tests: `sqlite` (the default), `duckdb`, or `servers`, which are PostgreSQL and S3.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from tests.fakes.postgres import Postgres
from tests.fakes.s3 import S3

STORES = ("sqlite", "duckdb", "servers")
CHOSEN = os.environ.get("END_TO_END_STORE", "sqlite")
if CHOSEN not in STORES:
    raise pytest.UsageError(f"END_TO_END_STORE is {CHOSEN!r}, not one of {', '.join(STORES)}")


class Store(Protocol):
    """Gives each project tables and a ledger of its own."""

    def settings(self, folder: Path) -> Mapping[str, str]:
        """Where the project in this folder has its tables and its ledger."""

    def copy(self, folder: Path) -> None:
        """Give the project in this folder, a copy of another one's, what it shares with the other one."""


@dataclass(frozen=True)
class Files:
    """Files in the project's folder, which the name of the warehouse contains as `{folder}`."""

    warehouse: str

    def settings(self, folder: Path) -> Mapping[str, str]:
        """Names of files, whether they exist or not."""
        return {
            "WAREHOUSE": self.warehouse.format(folder=folder),
            "WAREHOUSE_FILES": f"{folder}/warehouse/",
            "LEDGER": f"sqlite:///{folder}/ledger.sqlite",
        }

    def copy(self, folder: Path) -> None:
        """Do nothing: copies of a folder have no file in common."""


@dataclass(frozen=True)
class Servers:
    """Two databases and a bucket; a file in the project's folder has their names."""

    postgres: Postgres
    s3: S3

    def settings(self, folder: Path) -> Mapping[str, str]:
        """Names of databases and of a bucket, which are created if the project has none yet."""
        if not _names(folder).exists():
            self._create(folder, {"lake": None, "ledger": None})
        names = json.loads(_names(folder).read_text("utf-8"))
        return {
            "WAREHOUSE": f"ducklake:postgres:{self.postgres.dsn(names['lake'])}",
            "WAREHOUSE_FILES": f"s3://{names['bucket']}/",
            "LEDGER": self.postgres.url(names["ledger"]),
        }

    def copy(self, folder: Path) -> None:
        """Copy the databases, and the objects in the bucket."""
        if not _names(folder).exists():
            return
        before = json.loads(_names(folder).read_text("utf-8"))
        bucket = self._create(folder, {database: before[database] for database in ("lake", "ledger")})
        for key in self.s3.keys(before["bucket"]):
            self.s3.client.copy({"Bucket": before["bucket"], "Key": key}, bucket, key)

    def _create(self, folder: Path, templates: Mapping[str, str | None]) -> str:
        """The new bucket of a project that gets it, and databases that are copies of others, or empty."""
        name = uuid4().hex
        created = {
            database: self.postgres.create(f"{database}-{name}", template) for database, template in templates.items()
        }
        bucket = self.s3.bucket("project")
        folder.mkdir(parents=True, exist_ok=True)
        _names(folder).write_text(json.dumps({**created, "bucket": bucket}), "utf-8")
        return bucket


def _names(folder: Path) -> Path:
    return folder / "store.json"


IN_SQLITE, IN_DUCKDB = Files("ducklake:sqlite:{folder}/warehouse.sqlite"), Files("{folder}/warehouse.duckdb")
_default: Store = IN_DUCKDB if CHOSEN == "duckdb" else IN_SQLITE


def default_store() -> Store:
    """The store of projects that don't have another one."""
    return _default


def use(servers: Servers) -> None:
    """Make servers the store of projects that don't have another one."""
    global _default
    _default = servers
