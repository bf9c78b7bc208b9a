"""A DuckLake's catalog in PostgreSQL, copied table by table in the text format of the server's COPY, and back.

The tables are those of DuckLake and its inlined rows. Their definitions are taken from the server, so that every type
comes back as it was.
"""

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.errors import WarehouseError
from pipeline.transfer.parquet_files import LIST, files_query
from pipeline.warehouse import quoted
from pipeline.warehouse.postgres import driver
from pipeline.warehouse.postgres_locks import NO_SERVER

# Where DuckLake keeps its tables.
_SCHEMA = "public"
_DEFINITIONS = "catalog.json"
_TABLES = """
    SELECT
        relname,
        (
            SELECT json_agg(
                format('%%I %%s', attname, format_type(atttypid, atttypmod))
                    || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END
                ORDER BY attnum
            )
            FROM pg_attribute WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
        ),
        (
            SELECT coalesce(json_agg(pg_get_constraintdef(oid) ORDER BY conname), '[]')
            FROM pg_constraint WHERE conrelid = pg_class.oid AND contype IN ('p', 'u')
        )
    FROM pg_class
    WHERE relnamespace = %s::regnamespace AND relkind = 'r' AND relname LIKE 'ducklake\\_%%'
    ORDER BY relname
"""


def copy_catalog(dsn: str, folder: Path) -> int:
    """Copy the catalog as it is at one moment, and the list of its Parquet files. Returns its newest snapshot.

    Raises:
        SettingsError: the driver is not installed.
        WarehouseError: the server can't be read.
    """
    psycopg = driver("WAREHOUSE")
    try:
        with closing(psycopg.connect(dsn)) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            tables = connection.execute(_TABLES, [_SCHEMA]).fetchall()
            (folder / _DEFINITIONS).write_text(json.dumps(tables), "utf-8")
            for name, _, _ in tables:
                _write(connection, f"COPY {_path(name)} TO STDOUT", _file(folder, name))
            _write(connection, f"COPY ({files_query(_SCHEMA)}) TO STDOUT (FORMAT csv, HEADER)", folder / LIST)
            return int(connection.execute(f"SELECT max(snapshot_id) FROM {_path('ducklake_snapshot')}").fetchone()[0])
    except psycopg.Error as error:  # its message may repeat the connection string
        raise WarehouseError(NO_SERVER if isinstance(error, psycopg.OperationalError) else _unreadable(error)) from None


def restore_catalog(dsn: str, folder: Path, aside: str) -> bool:
    """Create the tables of a copied catalog, all in one transaction. Returns whether there was a catalog; its tables
    move to the schema `aside`.

    Raises:
        SettingsError: the driver is not installed.
        WarehouseError: the server can't be written.
    """
    psycopg = driver("WAREHOUSE")
    definitions = json.loads((folder / _DEFINITIONS).read_text("utf-8"))
    try:
        with psycopg.connect(dsn) as connection:
            had = move_aside(connection, [name for name, _, _ in connection.execute(_TABLES, [_SCHEMA])], aside)
            for name, columns, constraints in definitions:
                connection.execute(f"CREATE TABLE {_path(name)} ({', '.join([*columns, *constraints])})")
                with (
                    _file(folder, name).open("rb") as file,
                    connection.cursor().copy(f"COPY {_path(name)} FROM STDIN") as copy,
                ):
                    while block := file.read(1 << 20):
                        copy.write(block)
            return had
    except psycopg.Error as error:
        raise WarehouseError(NO_SERVER if isinstance(error, psycopg.OperationalError) else _unreadable(error)) from None


def move_aside(connection: Any, names: Sequence[str], aside: str) -> bool:
    """Move tables to another schema, within the caller's transaction. Returns whether there are any."""
    if names:
        connection.execute(f"CREATE SCHEMA {quoted(aside)}")
    for name in names:
        connection.execute(f"ALTER TABLE {_path(name)} SET SCHEMA {quoted(aside)}")
    return bool(names)


def _write(connection: Any, statement: str, path: Path) -> None:
    with path.open("wb") as file, connection.cursor().copy(statement) as copy:
        for block in copy:
            file.write(block)


def _file(folder: Path, table: str) -> Path:
    return folder / f"{table}.copy"


def _path(table: str) -> str:
    return f"{_SCHEMA}.{quoted(table)}"


def _unreadable(error: Exception) -> str:
    return f"WAREHOUSE: the PostgreSQL catalog can't be copied ({type(error).__name__}); check the rights of its user."
