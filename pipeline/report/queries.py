"""The SQL of the report's numbers. The page shows each query exactly as it was executed."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd

from pipeline.export_dates import ExportDates

QUERIES_DIR = Path(__file__).parent / "queries"
# Titles, in the order of the page.
TITLES = {
    "window": "Export dates of this report",
    "funnel": "What became of the emails",
    "rows": "Files and their rows",
    "events": "Rows and their events",
    "due": "Events and their delivery",
    "handover": "Events that are not due, or no longer in a table",
    "undelivered": "Waiting, dead and held events by reason",
    "withheld": "Withheld export dates",
    "refused": "Files refused or not matched",
    "rejected": "Rejected rows by reason",
    "lateness": "Delay of events",
    "delays": "Delays: median and 95th percentile",
    "throughput": "Deliveries and their throughput",
}


@dataclass(frozen=True)
class QueryResult:
    """A query with its export dates filled in, and its result."""

    name: str
    title: str
    sql: str
    rows: pd.DataFrame


@cache
def text_of(name: str) -> str:
    """The text of the query's file; `$first` and `$last` stand for the first and last export date."""
    return (QUERIES_DIR / f"{name}.sql").read_text("utf-8").strip()


def bound(name: str, dates: ExportDates | None) -> str:
    """The query as it is executed and shown, with the dates as literals, so that it can be pasted into a prompt."""
    text = text_of(name)
    if dates is None:
        return text
    return text.replace("$first", f"DATE '{dates.first}'").replace("$last", f"DATE '{dates.last}'")


def ask(connection: duckdb.DuckDBPyConnection, name: str, dates: ExportDates | None) -> QueryResult:
    """Execute one query; its rows have Python values, None for NULL."""
    sql = bound(name, dates)
    cursor = connection.execute(sql)
    columns = [column[0] for column in cursor.description or []]
    return QueryResult(name, TITLES[name], sql, pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object))
