"""The models of events, built by dbt in this process from rows that a test puts into `raw`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from pipeline.export_dates import ExportDates
from pipeline.models.dbt import DBT_DIR, environment, variables
from pipeline.models.dbt_runner import in_environment
from pipeline.models.run_span import run_span
from pipeline.settings import load_settings
from pipeline.warehouse import Warehouse

_FOLDERS = ("--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--log-level", "none", "--no-write-json")


@dataclass(frozen=True)
class ModelledWarehouse:
    """A warehouse whose tables of events are built after each change of `raw`."""

    warehouse: Warehouse
    target: Path

    def load_events(self, day: date, rows: Sequence[Mapping[str, Any]]) -> None:
        """Replace what the export of a day contains. A row has columns of `raw.events`, and at least `occurred_at`."""
        times = [row["occurred_at"] for row in rows]
        with self.warehouse.writing() as connection:
            connection.execute(
                "UPDATE raw.export_files SET status = 'replaced' WHERE export_date = ? AND kind = 'events'", [day]
            )
            connection.execute(
                "INSERT INTO raw.export_files (export_date, name, kind, status, first_event_at, last_event_at) "
                "VALUES (?, 'log.csv', 'events', 'loaded', ?, ?)",
                [day, min(times, default=None), max(times, default=None)],
            )
            connection.execute("DELETE FROM raw.events WHERE export_date = ?", [day])
            for number, row in enumerate(rows, start=1):
                where = {"export_date": day, "file": "log.csv", "export": "log.csv", "row_number": number}
                when = {"exported_at": f"{day} 06:00:00+00", "loaded_at": f"{day} 07:00:00+00"}
                self._insert(connection, "raw.events", {**where, **when, "event": "Email Opened", **row})

    def load_lookup(self, day: date, kind: str, rows: Sequence[Mapping[str, str | None]]) -> None:
        """Replace what the lookup of a day contains. A row has columns of `raw.lookups`."""
        with self.warehouse.writing() as connection:
            connection.execute(
                "UPDATE raw.export_files SET status = 'replaced' WHERE export_date = ? AND kind = ?", [day, kind]
            )
            connection.execute(
                "INSERT INTO raw.export_files (export_date, name, kind, status) VALUES (?, ?, ?, 'loaded')",
                [day, f"{kind}.csv", kind],
            )
            connection.execute("DELETE FROM raw.lookups WHERE export_date = ? AND kind = ?", [day, kind])
            for number, row in enumerate(rows, start=1):
                where = {"export_date": day, "kind": kind, "row_number": number}
                self._insert(connection, "raw.lookups", where | dict(row))

    def build(self, day: date) -> None:
        """Model an export date, as a run does."""
        dates = ExportDates(day, day)
        with self.warehouse.writing() as connection:
            window = run_span(connection, dates).as_environment()
        self._dbt("run", window)

    def rebuild(self) -> None:
        """Model all dates again."""
        self._dbt("run", {}, "--full-refresh")

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.warehouse.reading() as connection:
            return connection.execute(sql).fetchall()

    def _insert(self, connection: Any, table: str, row: Mapping[str, Any]) -> None:
        values = {name: str(value) if isinstance(value, datetime) else value for name, value in row.items()}
        connection.execute(
            f"INSERT INTO {table} ({', '.join(values)}) VALUES ({', '.join('?' * len(values))})", [*values.values()]
        )

    def _dbt(self, command: str, values: Mapping[str, str], *options: str) -> None:
        arguments = [command, "--select", "stg_event_rows stg_events", *options, *_variables()]
        folders = [*_FOLDERS, "--target-path", str(self.target)]
        with in_environment({**environment(self.warehouse), "DBT_LOG_PATH": str(self.target), **values}):
            result = dbtRunner(_manifest(self.target)).invoke([*arguments, *folders])
        DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]  # releases a plain file
        if not result.success:
            raise AssertionError([each.message for each in getattr(result.result, "results", ())] or result.exception)


def _variables() -> list[str]:
    return ["--vars", json.dumps(variables(load_settings()))]


@cache
def _manifest(target: Path) -> Any:
    """The parsed project; `target` is where dbt keeps its files."""
    result = dbtRunner().invoke(["parse", *_variables(), *_FOLDERS, "--target-path", str(target)])
    assert result.success, result.exception
    return result.result
