"""How many rows of some export dates stand in each modelled table."""

from collections.abc import Mapping
from dataclasses import dataclass

import dagster as dg
import duckdb

from pipeline.dates import ExportDates
from pipeline.naming import snake_case_sql


@dataclass(frozen=True)
class Counts:
    """Rows of some export dates: staged, of those known already from another row, and events by table."""

    staged: int
    duplicates: int
    events: Mapping[str, int]

    def metadata_of(self, key: dg.AssetKey) -> dict[str, int]:
        """What is worth showing at one table's asset."""
        match key.path:
            case ["staging", "event_rows"]:
                return {"dagster/partition_row_count": self.staged, "rows_out": self.staged}
            case ["staging", "events"]:
                total = sum(self.events.values())
                return {
                    "dagster/partition_row_count": total,
                    "rows_in": self.staged,
                    "rows_out": total,
                    "duplicates": self.duplicates,
                }
            case [_, "tracks"]:
                return {"dagster/partition_row_count": sum(self.events.values())}
            case [_, table]:
                return {"dagster/partition_row_count": self.events.get(table, 0)}
            case _:
                return {}


def counts_in(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Counts:
    """Count by export date, which staging alone knows."""
    between = [dates.first, dates.last]
    staged = connection.execute(
        "SELECT count(*) FROM staging.event_rows WHERE export_date BETWEEN ? AND ?", between
    ).fetchone()
    events = connection.execute(
        f"SELECT {snake_case_sql('event_text')}, count(*) FROM staging.events "
        "WHERE export_date BETWEEN ? AND ? GROUP BY ALL",
        between,
    ).fetchall()
    rows = staged[0] if staged else 0
    by_table = dict(events)
    return Counts(rows, rows - sum(by_table.values()), by_table)
