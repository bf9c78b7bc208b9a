"""The copy of the ledger in the warehouse, so that `delivery.events` can be queried in SQL."""

from typing import TYPE_CHECKING

import duckdb

from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_pairing import record_ledger_generation
from pipeline.warehouse import Warehouse, has_rows, transaction

if TYPE_CHECKING:
    import pandas as pd


def mirror(warehouse: Warehouse, ledger: Ledger, dates: ExportDates) -> None:
    """Update the copy for these export dates; rows that are equal already are not written again."""
    with warehouse.writing() as connection:
        mirror_into(connection, ledger, dates)


def mirror_into(connection: duckdb.DuckDBPyConnection, ledger: Ledger, dates: ExportDates) -> None:
    """Do the same over a connection."""
    frames = ledger.frames(dates)
    with transaction(connection):
        record_ledger_generation(connection, ledger)
        for table, frame in frames.items():
            _sync(connection, table, frame, dates)


def _sync(connection: duckdb.DuckDBPyConnection, table: str, frame: "pd.DataFrame", dates: ExportDates) -> None:
    columns: list[str] = list(frame.columns)
    key, listed = columns[0], ", ".join(columns)
    typed = ", ".join(
        f"CAST({column} AS TIMESTAMPTZ) AS {column}" if column.endswith("_at") else column for column in columns
    )
    connection.register("ledger_rows", frame)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE mirrored AS SELECT {listed} FROM {table} WHERE false;"
        f"INSERT INTO mirrored SELECT {typed} FROM ledger_rows"
    )
    connection.unregister("ledger_rows")
    of_dates = f"export_date BETWEEN DATE '{dates.first}' AND DATE '{dates.last}'"
    # A query of a DuckLake table takes longer the more files all its tables have, so query it once.
    connection.execute(f"CREATE OR REPLACE TEMP TABLE copied AS SELECT {listed} FROM {table} WHERE {of_dates}")
    gone, new = "FROM copied EXCEPT FROM mirrored", "FROM mirrored EXCEPT FROM copied"
    if _is_any(connection, gone):
        connection.execute(f"DELETE FROM {table} WHERE {of_dates} AND {key} IN (SELECT {key} FROM ({gone}))")
    if _is_any(connection, new):
        connection.execute(f"INSERT INTO {table} ({listed}) {new}")


def _is_any(connection: duckdb.DuckDBPyConnection, query: str) -> bool:
    return has_rows(connection, f"SELECT 1 FROM ({query}) LIMIT 1")
