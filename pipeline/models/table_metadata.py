"""Metadata of the modelled tables: row counts, columns with types and lineage, and previews."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg
import duckdb

from pipeline.catalog import EVENTS_BY_TABLE, IDENTIFIES
from pipeline.export_dates import ExportDates
from pipeline.models.lineage import LINEAGE
from pipeline.models.run_span import RunSpan
from pipeline.naming import snake_case_sql
from pipeline.orchestration.asset_keys import EVENT_ROWS, EVENT_TABLES, IDENTITIES, STAGED_EVENTS, TRACKS
from pipeline.orchestration.metadata import PARTITION_ROWS, Columns, columns_of, preview, summed
from pipeline.warehouse import Warehouse, quoted
from pipeline.warehouse.declared_properties import Declared


@dataclass
class Counts:
    """Rows of an export date: staged rows, events by table, and identities."""

    staged: int = 0
    events: dict[str, int] = field(default_factory=dict)
    identities: int = 0

    def metadata_of(self, key: dg.AssetKey) -> dict[str, int]:
        """The counts for one table's asset."""
        total = sum(self.events.values())
        match key.path:
            case ["staging", "event_rows"]:
                return {PARTITION_ROWS: self.staged, "rows_out": self.staged}
            case ["staging", "events"]:
                numbers = {"rows_in": self.staged, "rows_out": total, "duplicates": self.staged - total}
                return {PARTITION_ROWS: total, **numbers}
            case [_, "identities" | IDENTIFIES.table]:
                return {PARTITION_ROWS: self.identities}
            case [_, "tracks"]:
                return {PARTITION_ROWS: total}
            case [_, table] if table in EVENTS_BY_TABLE:
                return {PARTITION_ROWS: self.events.get(table, 0)}
            case _:
                return {}


def counts_in(
    connection: duckdb.DuckDBPyConnection, dates: ExportDates, *, identities: bool = False
) -> dict[date, Counts]:
    """Count the rows of each of these export dates; only staging has the date. `identities`: the warehouse has such a
    table.
    """
    counts = {day: Counts() for day in dates}
    queries = [
        "SELECT export_date, '', count(*) FROM staging.event_rows WHERE export_date BETWEEN $1 AND $2 GROUP BY 1"
    ]
    queries.append(
        f"SELECT export_date, {snake_case_sql('event_text')}, count(*) FROM staging.events "
        "WHERE export_date BETWEEN $1 AND $2 GROUP BY 1, 2"
    )
    if identities:
        queries.append(
            f"SELECT export_date, '{IDENTIFIES.table}', count(*) FROM staging.identities "
            "WHERE export_date BETWEEN $1 AND $2 GROUP BY 1"
        )
    for day, table, rows in connection.execute(" UNION ALL ".join(queries), [dates.first, dates.last]).fetchall():
        if not table:
            counts[day].staged = rows
        elif table == IDENTIFIES.table:
            counts[day].identities = rows
        else:
            counts[day].events[table] = rows
    return counts


@dataclass(frozen=True)
class Tables:
    """The modelled tables after a run; `schema` is that of the event tables."""

    schema: str
    counts: Mapping[date, Counts]
    columns: Columns
    previews: Mapping[dg.AssetKey, dg.MetadataValue]

    def metadata_of(self, key: dg.AssetKey, seconds: float) -> dict[str, Any]:
        """Metadata of one table; `seconds` is the time for all of them."""
        metadata: dict[str, Any] = {**summed(self.by_date(key)), "seconds_of_all_models": round(seconds, 1)}
        if seconds:
            metadata["rows_per_second"] = round(sum(counts.staged for counts in self.counts.values()) / seconds)
        schema = "staging" if key.path[-2] == "staging" else self.schema
        if columns := self.columns.get((schema, key.path[-1])):
            metadata["dagster/column_schema"] = dg.TableSchema(columns)
        if key in LINEAGE:
            metadata["dagster/column_lineage"] = LINEAGE[key]
        if key in self.previews:
            metadata["preview"] = self.previews[key]
        return metadata

    def by_date(self, key: dg.AssetKey) -> dict[date, dict[str, int]]:
        """The numbers of each export date, of one table."""
        return {day: counts.metadata_of(key) for day, counts in self.counts.items()}


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
