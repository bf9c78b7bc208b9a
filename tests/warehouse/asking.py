"""What is asked of a warehouse."""

from typing import Any

import duckdb

FILE = "INSERT INTO raw.export_files (name) VALUES (?)"
FILES = "SELECT count(*) FROM raw.export_files"


def one(connection: duckdb.DuckDBPyConnection, sql: str) -> Any:
    """The one value of the answer; None where there is no row."""
    (value,) = connection.execute(sql).fetchone() or (None,)
    return value
