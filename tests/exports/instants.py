"""What becomes of date-times when DuckDB reads and places them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import duckdb
from hypothesis import settings
from hypothesis import strategies as st

from pipeline.exports.datetimes import instants, parsed
from tests.support.export_folder import layout

THOROUGHLY = settings(deadline=None, max_examples=20)


def moments_between(first_year: int, last_year: int) -> st.SearchStrategy[datetime]:
    """Date-times without a zone, up to the beginning of the last year."""
    return st.datetimes(datetime.fromisoformat(f"{first_year}-01-01"), datetime.fromisoformat(f"{last_year}-01-01"))


# What a date-time became: the instant, and what was special about it.
Placed = tuple[datetime | None, str | None]


def placed_all(
    connection: duckdb.DuckDBPyConnection, texts: Sequence[str], near: date = date(2024, 6, 10), **changes: Any
) -> list[Placed]:
    rule = layout(**changes)
    times = parsed(rule, "text")
    placed = instants(rule, "naive", "absolute", near)
    return connection.execute(
        f"""
        WITH texts AS (SELECT unnest($1) AS text, generate_subscripts($1, 1) AS number),
        times AS (SELECT number, {times.naive} AS naive, {times.absolute} AS absolute FROM texts)
        SELECT {placed.occurred_at}, {placed.note} FROM times ORDER BY number
        """,
        [list(texts)],
    ).fetchall()


def instant(connection: duckdb.DuckDBPyConnection, text: str, **changes: Any) -> datetime | None:
    [(found, _)] = placed_all(connection, [text], **changes)
    return found
