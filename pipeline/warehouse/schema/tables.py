"""The tables that no dbt model creates, `raw` and `delivery`, with comments on every column."""

from pathlib import Path

import duckdb

from pipeline.warehouse.schema.migrations import NEWEST, PARTITIONING, migrate, note_version, version_of
from pipeline.warehouse.sql import ALIAS, has_rows, literal, transaction

Connection = duckdb.DuckDBPyConnection

_SCHEMA = Path(__file__).parent
RAW_TABLES = _SCHEMA / "raw.sql"
_DELIVERY_TABLES = _SCHEMA / "delivery.sql"
_VIEWS = _SCHEMA / "views.sql"
COMMENTS = _SCHEMA / "comments.sql"


def make_tables(connection: Connection, *, is_ducklake: bool) -> bool:
    """Create or migrate tables; whether any was. Raises SettingsError: a newer program wrote the warehouse."""
    version = version_of(connection)
    if version == NEWEST:
        return False
    with transaction(connection):
        for script in (RAW_TABLES, _DELIVERY_TABLES):
            _run_script(connection, script, is_partitioned=is_ducklake and version is None)
        if version is not None:
            migrate(connection, version, is_ducklake=is_ducklake)
        _run_script(connection, _VIEWS, is_partitioned=False)  # their columns may be of the migrations
        # A comment may contain a semicolon; at the end of a line it ends a statement.
        for statement in COMMENTS.read_text("utf-8").split(";\n"):
            if statement.strip():
                connection.execute(statement)
        note_version(connection)
    return True


def has_table(connection: Connection, schema: str, table: str) -> bool:
    """Whether the warehouse has a table; the first run creates those of the models."""
    return has_rows(
        connection,
        f"SELECT 1 FROM duckdb_tables() WHERE database_name = {literal(ALIAS)} AND schema_name = {literal(schema)} "
        f"AND table_name = {literal(table)}",
    )


def _run_script(connection: Connection, script: Path, *, is_partitioned: bool) -> None:
    for statement in script.read_text("utf-8").split(";"):
        # Only a DuckLake has partitions, and sets them when it creates its tables.
        if statement.strip() and (is_partitioned or PARTITIONING not in statement):
            connection.execute(statement)
