"""What Dagster shows of a table: its columns, and some rows without anything personal in them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import dagster as dg
import duckdb

from pipeline.masking import on_one_line
from pipeline.orchestration import markdown
from pipeline.warehouse import ALIAS

PREVIEW_ROWS = 5
_WIDEST = 40
# Who somebody is: of these, the first letter at most is shown.
_PEOPLE = {"user_id", "selligent_user_id", "context_selligent_user_id", "anonymous_id", "email", "context_traits_email"}
# What can hold anything, a name or a number of a phone too.
_ANYTHING = {"extra", "email_subject", "text"}

Columns = Mapping[tuple[str, str], Sequence[dg.TableColumn]]


def columns_of(connection: duckdb.DuckDBPyConnection, schemas: Iterable[str]) -> Columns:
    """By schema and table, the columns with their types and what is said of them. One question for all."""
    found = connection.execute(
        "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns() "
        "WHERE database_name = ? AND schema_name IN (SELECT unnest(?)) ORDER BY schema_name, table_name, column_index",
        [ALIAS, list(schemas)],
    ).fetchall()
    columns: dict[tuple[str, str], list[dg.TableColumn]] = {}
    for schema, table, name, kind, comment in found:
        columns.setdefault((schema, table), []).append(dg.TableColumn(name, kind, comment and comment.strip()))
    return columns


def preview(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object]) -> dg.MetadataValue:
    """Some rows that a query gives, as Markdown. Columns without a value are left out; people are masked."""
    cursor = connection.execute(f"{query} LIMIT {PREVIEW_ROWS}", parameters)
    names = [column[0] for column in cursor.description or []]
    rows = cursor.fetchall()
    kept = [place for place in range(len(names)) if any(row[place] is not None for row in rows)]
    if not rows:
        return dg.MetadataValue.md("No rows.")
    shown = [[_cell(names[place], row[place]) for place in kept] for row in rows]
    return dg.MetadataValue.md(markdown.table([names[place] for place in kept], shown))


def _cell(name: str, value: object) -> str:
    if value is None:
        return ""
    if name in _PEOPLE:
        text = str(value)
        return on_one_line(text, _WIDEST) if "@" in text else f"{text[:1]}***"
    if name in _ANYTHING:
        return "…"
    text = f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime) else str(value)
    return on_one_line(text, _WIDEST)
