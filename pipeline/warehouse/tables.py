"""The tables that no model makes: `raw`, `delivery`, and what each of their columns says of itself."""

from pathlib import Path

import duckdb

from pipeline.warehouse.sql import ALIAS, transaction

Connection = duckdb.DuckDBPyConnection

_PACKAGE = Path(__file__).parent.parent
RAW_TABLES = _PACKAGE / "exports" / "raw_tables.sql"
_DELIVERY_TABLES = _PACKAGE / "segment" / "delivery_tables.sql"
_COMMENTS = Path(__file__).parent / "comments.sql"

# What tables of a former version lack.
_LATER_COLUMNS = (
    "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS suppressed BIGINT DEFAULT 0",
    "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS records BIGINT",
    "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS suspect_rows BIGINT",
    "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS suspect_line BIGINT",
    "ALTER TABLE raw.export_files ADD COLUMN IF NOT EXISTS load_number BIGINT",
    "ALTER TABLE raw.lookups ADD COLUMN IF NOT EXISTS load_number BIGINT",
    "ALTER TABLE raw.suppressed ADD COLUMN IF NOT EXISTS listing VARCHAR",
    "ALTER TABLE delivery.batches ADD COLUMN IF NOT EXISTS first_attempt_at TIMESTAMPTZ",
    "ALTER TABLE delivery.dead_events ADD COLUMN IF NOT EXISTS batch_id VARCHAR",
)
# Messages are read some batches at a time, and a row group is what is unpacked for it.
_OUTBOX_ROW_GROUPS = (
    f"CALL ducklake_set_option('{ALIAS}', 'parquet_row_group_size', '20480', "
    "schema => 'delivery', table_name => 'outbox')"
)
# One table of each script that came last: where they are there, all are.
_LAST_TABLES = {"suppressed", "withheld_dates"}
_LAST_COLUMN = ("raw", "suppressed", "listing")


def make_tables(connection: Connection, *, is_ducklake: bool) -> bool:
    """Make what is not there yet; whether anything was."""
    found = connection.execute(
        "SELECT table_name, comment IS NOT NULL FROM duckdb_tables() "
        "WHERE database_name = ? AND schema_name IN ('raw', 'delivery')",
        [ALIAS],
    ).fetchall()
    known = dict(found)
    complete = set(known) >= _LAST_TABLES and _has_column(connection, *_LAST_COLUMN)
    if complete and all(known.values()):
        return False
    with transaction(connection):
        if not complete:
            _run_scripts(connection, set(known), is_ducklake)
        # A semicolon may be in a comment, but at the end of a line it ends a statement.
        for statement in _COMMENTS.read_text("utf-8").split(";\n"):
            if statement.strip():
                connection.execute(statement)
    if is_ducklake and not complete:  # which a DuckLake takes of a table that it has only
        connection.execute(_OUTBOX_ROW_GROUPS)
    return True


def has_table(connection: Connection, schema: str, table: str) -> bool:
    """Whether the warehouse has a table; those of the models are made by their first run."""
    found = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE database_name = ? AND schema_name = ? AND table_name = ?",
        [ALIAS, schema, table],
    )
    return found.fetchone() is not None


def _has_column(connection: Connection, schema: str, table: str, column: str) -> bool:
    found = connection.execute(
        "SELECT 1 FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name = ? AND table_name = ? AND column_name = ?",
        [ALIAS, schema, table, column],
    )
    return found.fetchone() is not None


def _run_scripts(connection: Connection, known: set[str], is_ducklake: bool) -> None:
    for statement in (RAW_TABLES.read_text("utf-8") + _DELIVERY_TABLES.read_text("utf-8")).split(";"):
        # Only a DuckLake lays its files out by partition, and one that has its tables has done so.
        if statement.strip() and ((is_ducklake and not known) or "SET PARTITIONED BY" not in statement):
            connection.execute(statement)
    if known:
        for addition in _LATER_COLUMNS:
            connection.execute(addition)
