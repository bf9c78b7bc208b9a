"""Metadata of tables: rows by export date, columns, and a preview without personal data."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import dagster as dg
import duckdb
from dagster._core.execution.context.metadata_logging import AssetMetadataHandle, OutputMetadataAccumulator

from pipeline.masking import on_one_line
from pipeline.orchestration import markdown
from pipeline.warehouse import ALIAS

# Dagster's name of the number of rows that an asset has of one partition.
PARTITION_ROWS = "dagster/partition_row_count"
PREVIEW_ROWS = 5
_WIDEST = 40
# Columns that identify people: at most the first letter is shown.
_PEOPLE = {
    *("user_id", "selligent_user_id", "context_selligent_user_id", "anonymous_id", "email", "context_traits_email"),
    *("ip", "context_ip"),
}
# Columns with arbitrary content, which may be personal.
_FREE_TEXT = {"extra", "properties", "traits", "email_subject", "link_url", "text"}

Columns = Mapping[tuple[str, str], Sequence[dg.TableColumn]]


def summed(numbers: Mapping[date, Mapping[str, int]]) -> dict[str, int]:
    """The numbers of all dates."""
    total = Counter[str]()
    for of_date in numbers.values():
        total.update(of_date)
    return dict(total)


def add_by_date(context: dg.AssetExecutionContext, key: dg.AssetKey, numbers: Mapping[date, Mapping[str, int]]) -> None:
    """Give the materialization of each date its own numbers, in place of those of the whole run."""
    step = context.get_step_execution_context()
    # As `add_asset_metadata` does for one date; but that copies all there is and lists all dates of the run each time.
    accumulated: dict[Any, Mapping[str, Any]] = dict(step._metadata_accumulator.per_output_metadata)
    for day, own in numbers.items():
        accumulated[AssetMetadataHandle(asset_key=key, partition_key=f"{day}")] = own
    step._metadata_accumulator = OutputMetadataAccumulator(per_output_metadata=accumulated)


def columns_of(connection: duckdb.DuckDBPyConnection, schemas: Iterable[str]) -> Columns:
    """Columns with types and comments by schema and table, in one query."""
    found = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name IN (SELECT unnest(?)) ORDER BY schema_name, table_name, column_index",
        [ALIAS, list(schemas)],
    ).fetchall()
    columns: dict[tuple[str, str], list[dg.TableColumn]] = {}
    for schema, table, name, kind, comment in found:
        columns.setdefault((schema, table), []).append(dg.TableColumn(name, kind, comment and comment.strip()))
    return columns


def preview(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object], hidden: Collection[str] = ()
) -> dg.MetadataValue:
    """The first rows of a query as Markdown. Columns without a value are omitted; people are masked, and `hidden`
    columns can contain anything.
    """
    cursor = connection.execute(f"{query} LIMIT {PREVIEW_ROWS}", parameters)
    names = [column[0] for column in cursor.description or []]
    rows = cursor.fetchall()
    kept = [index for index in range(len(names)) if any(row[index] is not None for row in rows)]
    if not rows:
        return dg.MetadataValue.md("No rows.")
    free_text = _FREE_TEXT.union(hidden)
    shown = [[_masked(names[index], row[index], free_text) for index in kept] for row in rows]
    return dg.MetadataValue.md(markdown.table([names[index] for index in kept], shown))


def _masked(name: str, value: object, free_text: Collection[str]) -> str:
    if value is None:
        return ""
    if name in _PEOPLE:
        text = str(value)
        return on_one_line(text, _WIDEST) if "@" in text else f"{text[:1]}***"
    if name in free_text:
        return "…"
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
    return on_one_line(text, _WIDEST)
