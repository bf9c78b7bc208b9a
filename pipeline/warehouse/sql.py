"""The parts that statements are composed of, and short answers of queries.

Queries of every command have literals: for a statement with parameters, DuckDB imports pandas, which takes longer than
a command with nothing to do.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import duckdb

ALIAS = "lake"
# The last statement of each transaction calls it; every writer's connection has it (`pipeline/warehouse/file_sync.py`).
SYNC_FUNCTION = "sync_files"
# The name under which DuckDB attaches the database of a DuckLake's catalog.
CATALOG = f"__ducklake_metadata_{ALIAS}"


def quoted(identifier: str) -> str:
    """An SQL identifier, safe whatever characters it has."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    """An SQL text literal, safe whatever characters it has; a NUL would end a statement. None is NULL."""
    if text is None:
        return "NULL"
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in text.split("\0")]
    return pieces[0] if len(pieces) == 1 else f"({' || chr(0) || '.join(pieces)})"


def one_row(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> tuple[Any, ...]:
    """The first row of a query that always has one, as an aggregate does."""
    row = connection.execute(query, list(parameters)).fetchone()
    assert row is not None, query
    return row


def one_value(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> Any:
    """The first value of that row."""
    return one_row(connection, query, parameters)[0]


def one_column(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> list[Any]:
    """The values of a query with one column."""
    return [value for (value,) in connection.execute(query, list(parameters)).fetchall()]


def has_rows(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object] = ()) -> bool:
    """Whether a query has any row; no further one is fetched."""
    return connection.execute(query, list(parameters)).fetchone() is not None


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Run the block's statements as a whole or not at all; files are synced before the catalog refers to them."""
    connection.execute("BEGIN")
    try:
        yield
        connection.execute(f"SELECT {SYNC_FUNCTION}()")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
