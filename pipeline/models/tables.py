"""What Dagster shows of each modelled table: rows, columns with their types and their origin, and some rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg
import duckdb

from pipeline.catalog import EVENTS
from pipeline.dates import ExportDates
from pipeline.models.counts import Counts, counts_in
from pipeline.models.lineage import LINEAGE
from pipeline.models.span import RunSpan
from pipeline.showing import Columns, columns_of, preview
from pipeline.warehouse import Warehouse, quoted

_STAGED = ("event_rows", "events")


@dataclass(frozen=True)
class Tables:
    """The modelled tables as they are after a run; `schema` is that of the event tables."""

    schema: str
    counts: Counts
    columns: Columns
    previews: Mapping[dg.AssetKey, dg.MetadataValue]

    def metadata_of(self, key: dg.AssetKey, seconds: float) -> dict[str, Any]:
        """What is shown of one table; `seconds` were spent on all of them."""
        metadata: dict[str, Any] = {**self.counts.metadata_of(key), "seconds_of_all_models": round(seconds, 1)}
        if seconds:
            metadata["rows_per_second"] = round(self.counts.staged / seconds)
        schema = "staging" if key.path[0] == "staging" else self.schema
        if columns := self.columns.get((schema, key.path[-1])):
            metadata["dagster/column_schema"] = dg.TableSchema(columns)
        if key in LINEAGE:
            metadata["dagster/column_lineage"] = LINEAGE[key]
        if key in self.previews:
            metadata["preview"] = self.previews[key]
        return metadata


def tables_of(warehouse: Warehouse, schema: str, dates: ExportDates, span: RunSpan) -> Tables:
    """Over one connection; the comments in the database are the descriptions of dbt."""
    with warehouse.reading() as connection:
        columns = columns_of(connection, ("staging", schema))
        previews = _previews(connection, schema, columns, dates, span)
        return Tables(schema, counts_in(connection, dates), columns, previews)


def _previews(
    connection: duckdb.DuckDBPyConnection, schema: str, known: Columns, dates: ExportDates, span: RunSpan
) -> dict[dg.AssetKey, dg.MetadataValue]:
    previews = {
        dg.AssetKey(["staging", table]): preview(
            connection, f"SELECT * FROM staging.{table} WHERE export_date BETWEEN ? AND ?", [dates.first, dates.last]
        )
        for table in _STAGED
        if ("staging", table) in known
    }
    for table in (*(event.table for event in EVENTS), "tracks"):
        if (schema, table) not in known:  # one table was asked for, before the others were ever made
            continue
        # Event tables do not know export dates; the span of time of these lets most files be left out.
        query = f"SELECT * FROM {quoted(schema)}.{quoted(table)} WHERE timestamp BETWEEN ? AND ?"
        previews[dg.AssetKey(["segment", table])] = preview(connection, query, [span.earliest, span.latest])
    return previews
