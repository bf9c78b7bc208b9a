"""Every number of the report, read from the warehouse in one go."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import duckdb
import pandas as pd

from pipeline.export_dates import ExportDates
from pipeline.report.queries import TITLES, QueryResult, ask, text_of
from pipeline.warehouse import ALIAS, quoted

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Numbers:
    """What the queries gave, by their names; `dates` None: the warehouse has no export date yet."""

    dates: ExportDates | None
    results: Mapping[str, QueryResult]

    def rows(self, name: str) -> list[Row]:
        """A query's rows; none where it could not be asked."""
        return [{str(name): value for name, value in row.items()} for row in self.frame(name).to_dict("records")]

    def frame(self, name: str) -> pd.DataFrame:
        """The same as a frame."""
        return self.results[name].rows if name in self.results else pd.DataFrame()

    def total(self, name: str) -> Row:
        """The row that sums up all export dates; empty where there is none."""
        found = [row for row in self.rows(name) if row["export_date"] is None and row.get("event") is None]
        return found[0] if found else {}


def newest_dates(connection: duckdb.DuckDBPyConnection) -> ExportDates | None:
    """From the first to the last of the newest export dates; None where there are none."""
    [row] = ask(connection, "window", None).rows.to_dict("records")
    return ExportDates(row["first"], row["last"]) if row["dates"] else None


def read_numbers(connection: duckdb.DuckDBPyConnection, schema: str) -> Numbers:
    """Ask everything over the newest export dates. What needs tables that are not made yet is left out."""
    dates = newest_dates(connection)
    results = {"window": ask(connection, "window", None)}
    if dates is None:
        return Numbers(None, results)
    known = _schemas(connection)
    if schema in known:  # as the prompt of `python -m pipeline sql` does
        connection.execute(f"USE {ALIAS}.{quoted(schema)}")
    modelled = {"staging", schema} <= known
    for name in TITLES:
        if name not in results and (modelled or "staging." not in text_of(name)):
            results[name] = ask(connection, name, dates)
    return Numbers(dates, results)


def _schemas(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """Schemas in which there are tables."""
    found = connection.execute("SELECT DISTINCT schema_name FROM duckdb_tables() WHERE database_name = ?", [ALIAS])
    return {name for (name,) in found.fetchall()}


# What is compared; each has a column `reconciles`.
STAGES = ("rows", "events", "due")


@dataclass(frozen=True)
class Line:
    """One export date, or all of them (None), through the stages; a stage is empty where nothing could be asked."""

    export_date: date | None
    rows: Row
    events: Row
    due: Row

    @property
    def holds(self) -> bool:
        """Whether every stage reconciles."""
        return all(stage["reconciles"] for stage in (self.rows, self.events, self.due) if stage)


def lines(numbers: Numbers) -> Sequence[Line]:
    """A line an export date, the newest last, and then the sum."""
    found: dict[str, dict[date | None, Row]] = {}
    for stage in STAGES:
        of_dates = [row for row in numbers.rows(stage) if row.get("event") is None]
        found[stage] = {row["export_date"]: row for row in of_dates}
    days = sorted({day for rows in found.values() for day in rows if day is not None})
    return [Line(day, *(found[stage].get(day, {}) for stage in STAGES)) for day in [*days, None]] if days else []
