"""The manifest of a backup: what it contains, and what it has to be restored to. It has no address and no secret."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from pipeline.errors import WarehouseError
from pipeline.finding import some
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse

# Increased when an earlier version of the program could not restore a backup.
FORMAT = 1
MANIFEST = "manifest.json"
_DUCKDB_FILE, _SQLITE, _POSTGRES = "a DuckDB file", "a DuckLake in SQLite", "a DuckLake in PostgreSQL"


@dataclass(frozen=True)
class Manifest:
    """A backup of a warehouse and a ledger.

    `warehouse` and `ledger` are kinds of stores, `pair` the id that both had, with their generations. `origin` are the
    settings that the warehouse was made with, `rows` numbers by table. `parquet_files` have `parquet_bytes` in all, and
    are in the backup if it `has_files`. `sha256` has every file of the backup but these, by its name.
    """

    format: int
    created_at: datetime
    duckdb: str
    warehouse: str
    ledger: str
    pair: str | None
    warehouse_generation: int
    ledger_generation: int
    origin: Mapping[str, str]
    rows: Mapping[str, int]
    batches: int
    parquet_files: int
    parquet_bytes: int
    has_files: bool
    sha256: Mapping[str, str]

    def write(self, folder: Path) -> None:
        """Write it into the folder of its backup."""
        text = json.dumps(asdict(self), default=datetime.isoformat, indent=2)
        (folder / MANIFEST).write_text(f"{text}\n", "utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """The manifest of a backup. Raises WarehouseError: it is damaged, or of a newer version."""
        path = folder / MANIFEST
        try:
            values = json.loads(path.read_text("utf-8"))
            number = int(values["format"])
            if number > FORMAT:
                raise WarehouseError(
                    f"{path}: a newer version of this program made this backup (format {number}; this version knows "
                    f"format {FORMAT}); update the program"
                )
            return cls(**{**values, "created_at": datetime.fromisoformat(values["created_at"])})
        except (OSError, ValueError, TypeError, KeyError):
            raise WarehouseError(f"{path}: can't be read as the manifest of a backup; use another backup") from None

    def check_hashes(self, folder: Path) -> None:
        """Raise WarehouseError: a file of the backup is missing or has other bytes than it was written with."""
        damaged = [name for name, digest in self.sha256.items() if _hash_if_any(folder / name) != digest]
        if damaged:
            raise WarehouseError(
                f"{folder}: {some(damaged)} can't be read, or {'has' if len(damaged) == 1 else 'have'} changed since "
                "the backup. Nothing was restored; use another backup"
            )


def kind_of_warehouse(warehouse: Warehouse) -> str:
    """The kind of a warehouse, for a manifest and for people."""
    if not warehouse.is_ducklake:
        return _DUCKDB_FILE
    return _POSTGRES if warehouse.catalog_file is None else _SQLITE


def kind_of_ledger(settings: Settings) -> str:
    """The kind of the ledger's database."""
    return "PostgreSQL" if sa.make_url(settings.ledger).get_backend_name() == "postgresql" else "SQLite"


def hashes_of(folder: Path) -> Mapping[str, str]:
    """The SHA-256 of each file in a folder, by its name."""
    return {path.name: _hash_of(path) for path in sorted(folder.iterdir()) if path.is_file()}


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_if_any(path: Path) -> str | None:
    try:
        return _hash_of(path)
    except OSError:
        return None
