"""Metadata of the modelled tables: row counts, columns with types and lineage, and previews."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb

from pipeline.catalog import EVENTS_BY_TABLE, IDENTIFIES
from pipeline.export_dates import ExportDates
from pipeline.models.lineage import LINEAGE
from pipeline.models.run_span import RunSpan
from pipeline.naming import snake_case_sql
from pipeline.orchestration.asset_keys import EVENT_ROWS, EVENT_TABLES, IDENTITIES, STAGED_EVENTS, TRACKS
from pipeline.orchestration.metadata import Columns, columns_of, preview
from pipeline.warehouse import Warehouse, one_value, quoted
from pipeline.warehouse.declared_properties import Declared


@dataclass(frozen=True)
class Counts:
    """Rows of some export dates: staged rows, duplicates among them, and events by table."""

    staged: int
    duplicates: int
    events: Mapping[str, int]
    identities: int = 0

    def metadata_of(self, key: dg.AssetKey) -> dict[str, int]:
        """The counts for one table's asset."""
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
            case [_, "identities" | IDENTIFIES.table]:
                return {"dagster/partition_row_count": self.identities}
            case [_, "tracks"]:
                return {"dagster/partition_row_count": sum(self.events.values())}
            case [_, table] if table in EVENTS_BY_TABLE:
                return {"dagster/partition_row_count": self.events.get(table, 0)}
            case _:
                return {}


def counts_in(connection: duckdb.DuckDBPyConnection, dates: ExportDates, *, identities: bool = False) -> Counts:
    """Count rows of these export dates; only staging has the date. `identities`: the warehouse has such a table."""
    between = [dates.first, dates.last]
    rows = one_value(connection, "SELECT count(*) FROM staging.event_rows WHERE export_date BETWEEN ? AND ?", between)
    events = connection.execute(
        f"SELECT {snake_case_sql('event_text')}, count(*) FROM staging.events "
        "WHERE export_date BETWEEN ? AND ? GROUP BY ALL",
        between,
    ).fetchall()
    by_table = dict(events)
    query = "SELECT count(*) FROM staging.identities WHERE export_date BETWEEN ? AND ?"
    identified = int(one_value(connection, query, between)) if identities else 0
    return Counts(rows, rows - sum(by_table.values()), by_table, identified)


@dataclass(frozen=True)
class Tables:
    """The modelled tables after a run; `schema` is that of the event tables."""

    schema: str
    counts: Counts
    columns: Columns
    previews: Mapping[dg.AssetKey, dg.MetadataValue]

    def metadata_of(self, key: dg.AssetKey, seconds: float) -> dict[str, Any]:
        """Metadata of one table; `seconds` is the time for all of them."""
        metadata: dict[str, Any] = {**self.counts.metadata_of(key), "seconds_of_all_models": round(seconds, 1)}
        if seconds:
            metadata["rows_per_second"] = round(self.counts.staged / seconds)
        schema = "staging" if key.path[-2] == "staging" else self.schema
        if columns := self.columns.get((schema, key.path[-1])):
            metadata["dagster/column_schema"] = dg.TableSchema(columns)
        if key in LINEAGE:
            metadata["dagster/column_lineage"] = LINEAGE[key]
        if key in self.previews:
            metadata["preview"] = self.previews[key]
        return metadata


def tables_of(warehouse: Warehouse, schema: str, dates: ExportDates, span: RunSpan, declared: Declared) -> Tables:
    """Read everything over one connection; column comments are dbt's descriptions."""
    with warehouse.reading() as connection:
        columns = columns_of(connection, ("staging", schema))
        previews = _previews(connection, schema, columns, dates, span, declared)
        counts = counts_in(connection, dates, identities=("staging", "identities") in columns)
        return Tables(schema, counts, columns, previews)


def _previews(
    connection: duckdb.DuckDBPyConnection,
    schema: str,
    known: Columns,
    dates: ExportDates,
    span: RunSpan,
    declared: Declared,
) -> dict[dg.AssetKey, dg.MetadataValue]:
    previews = {
        key: preview(
            connection,
            f"SELECT * FROM staging.{key.path[-1]} WHERE export_date BETWEEN ? AND ?",
            [dates.first, dates.last],
        )
        for key in (EVENT_ROWS, STAGED_EVENTS, IDENTITIES)
        if ("staging", key.path[-1]) in known
    }
    hidden = {one.column for properties in declared.values() for one in properties}
    for key in (*EVENT_TABLES, TRACKS):
        table = key.path[-1]
        if (schema, table) not in known:  # a run of one asset, before the others exist
            continue
        # Event tables have no export date; the time span of these dates lets DuckLake skip most files.
        query = f"SELECT * FROM {quoted(schema)}.{quoted(table)} WHERE timestamp BETWEEN ? AND ?"
        previews[key] = preview(connection, query, [span.earliest, span.latest], hidden)
    return previews
