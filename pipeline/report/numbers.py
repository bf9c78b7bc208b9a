"""The numbers of the report, and whether the stages reconcile."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pandas as pd

from pipeline.export_dates import ExportDates
from pipeline.report.queries import TITLES, QueryResult, ask, text_of
from pipeline.warehouse import ALIAS, one_column, quoted

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Numbers:
    """Results of the queries by name; `dates` is None while the warehouse has no export date."""

    dates: ExportDates | None
    results: Mapping[str, QueryResult]

    def rows(self, name: str) -> list[Row]:
        """A query's rows; none where its tables do not exist yet."""
        return [{str(name): value for name, value in row.items()} for row in self.frame(name).to_dict("records")]

    def frame(self, name: str) -> pd.DataFrame:
        """The same as a data frame."""
        return self.results[name].rows if name in self.results else pd.DataFrame()

    def total(self, name: str) -> Row:
        """The row with the sum of all export dates; empty where there is none."""
        found = [row for row in self.rows(name) if row["export_date"] is None and row.get("event") is None]
        return found[0] if found else {}


def newest_dates(connection: duckdb.DuckDBPyConnection) -> ExportDates | None:
    """The range of the newest export dates; None where there are none."""
    [row] = ask(connection, "window", None).rows.to_dict("records")
    return ExportDates(row["first"], row["last"]) if row["dates"] else None


def read_numbers(connection: duckdb.DuckDBPyConnection, schema: str) -> Numbers:
    """Run all queries over the newest export dates, but for those whose tables do not exist yet."""
    dates = newest_dates(connection)
    results = {"window": ask(connection, "window", None)}
    if dates is None:
        return Numbers(None, results)
    query = "SELECT DISTINCT schema_name FROM duckdb_tables() WHERE database_name = ?"
    known = set(one_column(connection, query, [ALIAS]))
    if schema in known:  # as the prompt of `python -m pipeline sql` does
        connection.execute(f"USE {ALIAS}.{quoted(schema)}")
    modelled = {"staging", schema} <= known
    for name in TITLES:
        if name not in results and (modelled or "staging." not in text_of(name)):
            results[name] = ask(connection, name, dates)
    return Numbers(dates, results)


# The queries with a column `reconciles`.
STAGES = ("rows", "events", "due")


@dataclass(frozen=True)
class Line:
    """One export date, or all of them (None), through the stages; a stage without a result is empty."""

    export_date: date | None
    rows: Row
    events: Row
    due: Row

    @property
    def holds(self) -> bool:
        """Whether every stage reconciles."""
        return all(stage["reconciles"] for stage in (self.rows, self.events, self.due) if stage)


def lines(numbers: Numbers) -> Sequence[Line]:
    """One line per export date, the newest last, and then the sum."""
    found: dict[str, dict[date | None, Row]] = {}
    for stage in STAGES:
        of_dates = [row for row in numbers.rows(stage) if row.get("event") is None]
        found[stage] = {row["export_date"]: row for row in of_dates}
    days = sorted({day for rows in found.values() for day in rows if day is not None})
    return [Line(day, *(found[stage].get(day, {}) for stage in STAGES)) for day in [*days, None]] if days else []
