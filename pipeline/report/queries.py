"""The SQL that the report's numbers come from: what is executed is what the page shows, letter for letter."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import duckdb
import pandas as pd

from pipeline.export_dates import ExportDates

QUERIES_DIR = Path(__file__).parent / "queries"
# In the order of the page: what each query tells.
TITLES = {
    "window": "Export dates of this report",
    "funnel": "What became of the emails",
    "rows": "Files and their rows",
    "events": "Rows and their events",
    "due": "Events and their delivery",
    "handover": "Events that are not due, or gone since",
    "undelivered": "What is waiting or dead, and why",
    "withheld": "Withheld export dates",
    "refused": "Files refused or not known",
    "rejected": "Rejected rows by reason",
    "lateness": "How late events came",
    "delays": "Delays: median and 95th percentile",
    "throughput": "Deliveries and their pace",
}


@dataclass(frozen=True)
class QueryResult:
    """A query with its export dates filled in, and what it gave."""

    name: str
    title: str
    sql: str
    rows: pd.DataFrame


@cache
def text_of(name: str) -> str:
    """The query's file; `$first` and `$last` stand for the ends of the range of export dates."""
    return (QUERIES_DIR / f"{name}.sql").read_text("utf-8").strip()


def bound(name: str, dates: ExportDates | None) -> str:
    """The query as it is executed and shown. Values stand in it, so that it can be pasted into a prompt; they are
    dates and nothing else.
    """
    text = text_of(name)
    if dates is None:
        return text
    return text.replace("$first", f"DATE '{dates.first}'").replace("$last", f"DATE '{dates.last}'")


def ask(connection: duckdb.DuckDBPyConnection, name: str, dates: ExportDates | None) -> QueryResult:
    """Execute one query; rows as Python values, None for NULL."""
    sql = bound(name, dates)
    cursor = connection.execute(sql)
    columns = [column[0] for column in cursor.description or []]
    return QueryResult(name, TITLES[name], sql, pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object))
