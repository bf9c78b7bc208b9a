"""Whose Parquet files lie in a place: each DuckLake says so there.

Two may be given one place by mistake, and to either of them the other's files look like orphans that nobody needs.
"""

import duckdb

from pipeline.warehouse.sql import CATALOG, literal, one_value

# What the name of a file ends in that says whose the files beside it are.
_ENDING = ".warehouse"


def claim(connection: duckdb.DuckDBPyConnection, files: str) -> int:
    """Say that this DuckLake keeps its files there; how many do.

    Raises:
        duckdb.IOException: the place can't be read or written.
    """
    query = f"SELECT schema_uuid FROM {CATALOG}.ducklake_schema WHERE schema_name = 'raw' AND end_snapshot IS NULL"
    ours = f"{files}{one_value(connection, query)}{_ENDING}"  # there is one, since the tables exist
    known = claims(connection, files)
    if ours not in known:
        connection.execute(f"COPY (SELECT 'A DuckLake keeps its files here.') TO {literal(ours)} (FORMAT csv)")
    return len(known | {ours})


def claims(connection: duckdb.DuckDBPyConnection, files: str) -> set[str]:
    """The files that say so.

    Raises:
        duckdb.IOException: the place can't be read.
    """
    listed = connection.execute(f"SELECT file FROM glob({literal(f'{files}*{_ENDING}')})").fetchall()
    return {str(file) for (file,) in listed}
