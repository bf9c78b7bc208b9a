"""The few words that statements are put together from."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

ALIAS = "lake"
# Under this name DuckDB attaches the database that a DuckLake's catalog is in.
CATALOG = f"__ducklake_metadata_{ALIAS}"


def quoted(identifier: str) -> str:
    """An SQL identifier, safe whatever characters it has."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    """An SQL text literal, safe whatever characters it has; None is NULL."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All of the block's statements, or none."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
