"""The properties of a row as SQL: their texts in the file, read as the types that the layout declares."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from pipeline.export_dates import ExportDates
from pipeline.exports.datetimes import STORABLE, instants, parsed
from pipeline.exports.formats.rows import FileRows
from pipeline.exports.layout_properties import Property
from pipeline.exports.layouts import Layout, key_of
from pipeline.finding import Finding, counted, plural, some
from pipeline.masking import file_name
from pipeline.warehouse import literal
from pipeline.warehouse.trimming import is_something_sql, trimmed_sql, visible_sql

# JSON has one kind of number, and its readers take it for a double: beyond this, an integer would come out as another.
_LARGEST_INTEGER = 2**53 - 1
_INTEGER = r"[+-]?\d+(\.0*)?"
_NUMBER = r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?"


@dataclass(frozen=True)
class PropertyValues:
    """SQL for the properties of a row, in steps that follow each other; each is empty where a layout has none.

    `texts` are columns of the file's row; `moments` and `instants` are computed from them. `properties` is a JSON
    object by the properties' names, and `unreadable` a list of the names whose text their type can't read.
    """

    texts: Sequence[str]
    moments: Sequence[str]
    instants: Sequence[str]
    properties: str = "CAST(NULL AS JSON)"
    unreadable: str = "CAST(NULL AS VARCHAR[])"


def property_values(rows: FileRows, layout: Layout, export_date: date) -> PropertyValues:
    """The properties of a file's rows; one whose column the file doesn't have is NULL in each of them."""
    if not layout.declared:
        return PropertyValues((), (), ())
    by_key = {key_of(name): expression for name, expression in rows.columns.items()}
    texts, moments, times, pairs, unreadable = [], [], [], [], []
    for number, (source, one) in enumerate(layout.declared.items()):
        text = f"property_{number}"
        found = rows.columns.get(source, by_key.get(key_of(source), "CAST(NULL AS VARCHAR)"))
        texts.append(f"{found} AS {text}")
        if one.type == "timestamp":
            read = parsed(layout, trimmed_sql(text))
            moments += [f"{read.naive} AS {text}_naive", f"{read.absolute} AS {text}_absolute"]
            near = export_date - timedelta(days=1)
            placed = instants(layout, f"{text}_naive", f"{text}_absolute", near=near)
            times.append(f"{placed.occurred_at} AS {text}_at")
        value = _value(one, text)
        pairs.append(f"{literal(one.name)}, {value}")
        if one.type != "text":
            unreadable.append(f"CASE WHEN {is_something_sql(text)} AND {value} IS NULL THEN {literal(one.name)} END")
    listed = f"list_filter([{', '.join(unreadable)}], lambda name: name IS NOT NULL)"
    return PropertyValues(
        texts,
        moments,
        times,
        f"json_object({', '.join(pairs)})",
        f"CASE WHEN len({listed}) > 0 THEN {listed} END" if unreadable else PropertyValues.unreadable,
    )


def _value(one: Property, text: str) -> str:
    """SQL for the value of a property, of the type that it has in JSON; NULL where its type can't read the text."""
    trimmed = trimmed_sql(text)
    match one.type:
        case "text":
            return visible_sql(text)
        case "integer":
            number = f"TRY_CAST(split_part({trimmed}, '.', 1) AS BIGINT)"
            return (
                f"CASE WHEN regexp_full_match({trimmed}, {literal(_INTEGER)}) "
                f"AND {number} BETWEEN -{_LARGEST_INTEGER} AND {_LARGEST_INTEGER} THEN {number} END"
            )
        case "number":
            number = f"TRY_CAST({trimmed} AS DOUBLE)"
            return (
                f"CASE WHEN regexp_full_match({trimmed}, {literal(_NUMBER)}) AND isfinite({number}) THEN {number} END"
            )
        case "boolean":
            return (
                f"CASE WHEN lower({trimmed}) IN ('1', 'true', 'yes') THEN true "
                f"WHEN lower({trimmed}) IN ('0', 'false', 'no') THEN false END"
            )
        case "timestamp":
            moment = f"{text}_at"
            return (
                f"CASE WHEN {moment} BETWEEN {STORABLE} "
                f"THEN strftime(timezone('UTC', {moment}), '%Y-%m-%dT%H:%M:%S.%fZ') END"
            )


def missing_sources(rows: FileRows, layout: Layout) -> list[str]:
    """The columns that the properties of a layout name and the file doesn't have."""
    names = {key_of(name) for name in rows.columns}
    return [source for source in layout.declared if source not in rows.columns and key_of(source) not in names]


_UNREADABLE = """
    SELECT file, layout, property, count(*) AS rows
    FROM (
        SELECT export_date, file, layout, unnest(unreadable_properties) AS property
        FROM raw.events
        WHERE export_date BETWEEN $1 AND $2 AND unreadable_properties IS NOT NULL
            AND event IS NOT NULL AND rejected_because IS NULL
        UNION ALL
        SELECT export_date, file, layout, unnest(unreadable_traits)
        FROM raw.lookups
        WHERE export_date BETWEEN $1 AND $2 AND unreadable_traits IS NOT NULL
    )
    GROUP BY ALL
    ORDER BY rows DESC, file, property
"""


def unreadable_properties(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Values of properties and traits that their type can't read: the rows are kept, and the properties are null."""
    found = connection.execute(_UNREADABLE, [dates.first, dates.last]).fetchall()
    values = sum(row[-1] for row in found)
    numbers = {"values": values, "files": len({row[0] for row in found})}
    if not found:
        return Finding(True, "Every property is of its type.", numbers)
    listed = some(
        [
            f"{name!r} in {counted(rows, 'row')} of {file_name(file)} (layout {layout})"
            for file, layout, name, rows in found
        ],
        "; ",
    )
    return Finding(
        False,
        f"{counted(values, 'value')} of properties can't be read as {plural(values, 'its type', 'their types')}: "
        f"{listed}. The properties are null there; the texts of events are in extra of raw.events. A column "
        "keeps its type; to keep these values, give the property another name and another type, such as text. The next "
        "run then reads the files again.",
        numbers,
    )
