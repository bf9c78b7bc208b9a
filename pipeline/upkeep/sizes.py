"""Size of the warehouse: files and bytes of each table, snapshots, and the catalog."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.warehouse import ALIAS, CATALOG, Warehouse, one_value

Connection = duckdb.DuckDBPyConnection

# Files of the current snapshot; older ones stay beside them until their snapshots expire.
_TABLES = f"""
    SELECT
        schemas.schema_name || '.' || tables.table_name,
        tables.file_count + tables.delete_file_count,
        tables.file_size_bytes + tables.delete_file_size_bytes
    FROM ducklake_table_info('{ALIAS}') AS tables
    JOIN {CATALOG}.ducklake_schema AS schemas USING (schema_id)
    WHERE schemas.end_snapshot IS NULL
    ORDER BY 1
"""


@dataclass(frozen=True)
class Size:
    """Files and their bytes."""

    files: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Sizes:
    """Sizes at one moment; a plain file has no files of tables and no snapshots."""

    tables: Mapping[str, Size]
    snapshots: int
    catalog_bytes: int

    @property
    def all(self) -> Size:
        """All tables together."""
        return Size(sum(size.files for size in self.tables.values()), sum(size.bytes for size in self.tables.values()))


def sizes(connection: Connection, warehouse: Warehouse) -> Sizes:
    """The current sizes of a warehouse."""
    catalog_bytes = _bytes_of(warehouse.catalog_file)
    if not warehouse.is_ducklake:
        return Sizes({}, 0, catalog_bytes)
    snapshots = one_value(connection, f"SELECT count(*) FROM {CATALOG}.ducklake_snapshot")
    tables = {name: Size(files, taken) for name, files, taken in connection.execute(_TABLES).fetchall()}
    return Sizes(tables, snapshots, catalog_bytes)


def _bytes_of(path: Path | None) -> int:
    """Bytes of a database's file and its write-ahead log; 0 for a server."""
    if path is None:
        return 0
    logs = (path.with_name(f"{path.name}{ending}") for ending in ("", "-wal", ".wal"))
    return sum(file.stat().st_size for file in logs if file.exists())
