"""Whether a local file is a warehouse, none yet, or the file of another program.

If a load can't create the warehouse, since the disk is full, it leaves a file in which nothing was committed. This is
not a warehouse yet, and the next writer creates it. A file with other content is never written to.
"""

from pathlib import Path

import duckdb

from pipeline.errors import NoWarehouse, WarehouseError
from pipeline.finding import some
from pipeline.masking import file_name
from pipeline.warehouse.sql import literal, one_column, quoted

_NAME = "catalog_before_it_is_attached"
_DUCKLAKE_TABLE = "ducklake_metadata"
# DuckDB, "Storage Versions and Format": three headers of 4,096 bytes come before any data. The first contains the magic
# bytes after a checksum of 8 bytes.
_DUCKDB_HEADERS = 3 * 4096
_MAGIC_AT, _MAGIC = 8, b"DUCK"


def is_empty(file: Path) -> bool:
    """Whether the file does not exist or has no bytes."""
    try:
        return file.stat().st_size == 0
    except FileNotFoundError:
        return True


def is_incomplete(file: Path) -> bool:
    """Whether a file ends before anything can have been committed to it: only zeros, or DuckDB's headers.

    Only a file that small is opened, and none that small is in use: SQLite's locks are lost when another part of the
    process closes its file.
    """
    if not file.is_file() or file.stat().st_size >= _DUCKDB_HEADERS:
        return False
    content = file.read_bytes()
    return not any(content) or content[_MAGIC_AT:].startswith(_MAGIC)


def remove_incomplete(file: Path, *, is_ducklake: bool) -> None:
    """Remove an incomplete file; SQLite makes a database of an empty one by itself."""
    if is_incomplete(file) and not (is_ducklake and is_empty(file)):
        file.unlink()


def check_catalog(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Check that a SQLite file contains a DuckLake: ATTACH would add its tables to any database.

    Raises NoWarehouse without tables, WarehouseError with other ones, and duckdb.Error where it can't be read.
    """
    # With DuckLake's own SQLite library: two SQLite libraries in one process would drop each other's file locks.
    connection.execute(f"ATTACH {literal(str(file))} AS {quoted(_NAME)} (TYPE sqlite, READ_ONLY)")
    query = f"SELECT table_name FROM duckdb_tables() WHERE database_name = {literal(_NAME)} ORDER BY table_name"
    tables = one_column(connection, query)
    connection.execute(f"DETACH {quoted(_NAME)}")
    if not tables:
        raise NoWarehouse
    if _DUCKLAKE_TABLE not in tables:
        raise WarehouseError(
            f"WAREHOUSE: {file} is the SQLite database of another program, with "
            f"{some([file_name(name) for name in tables])} in it, and is left as it is; name another file"
        )
