"""Which DuckLakes keep their Parquet files in a folder: each leaves a marker file there.

Two DuckLakes may be given the same folder by mistake. Each would then treat the other's files as orphans.
"""

import duckdb

from pipeline.warehouse.sql import CATALOG, literal, one_column, one_value

# Ending of the marker files.
_ENDING = ".warehouse"


def claim(connection: duckdb.DuckDBPyConnection, files: str) -> int:
    """Leave this DuckLake's marker; the number of markers. Raises duckdb.IOException: no access to the folder."""
    query = f"SELECT schema_uuid FROM {CATALOG}.ducklake_schema WHERE schema_name = 'raw' AND end_snapshot IS NULL"
    ours = f"{files}{one_value(connection, query)}{_ENDING}"  # there is one, since the tables exist
    known = claims(connection, files)
    if ours not in known:
        connection.execute(f"COPY (SELECT 'A DuckLake keeps its files here.') TO {literal(ours)} (FORMAT csv)")
    return len(known | {ours})


def claims(connection: duckdb.DuckDBPyConnection, files: str) -> set[str]:
    """The marker files in a folder. Raises duckdb.IOException: it can't be read."""
    return set(one_column(connection, f"SELECT file FROM glob({literal(f'{files}*{_ENDING}')})"))
