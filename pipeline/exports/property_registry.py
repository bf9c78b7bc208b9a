"""The registry of properties, `raw.properties`: what a layout declares gets its column, which outlives the layout."""

from collections.abc import Sequence

import duckdb

from pipeline.catalog import CALLS_BY_NAME
from pipeline.errors import LayoutError
from pipeline.exports.layout_files import BrokenLayout, faults_of
from pipeline.exports.layout_properties import Property
from pipeline.exports.layouts import Layout
from pipeline.warehouse import has_table, quoted, transaction
from pipeline.warehouse.declared_properties import DeclaredProperty, declared_properties


def declared_by(layouts: Sequence[Layout]) -> set[DeclaredProperty]:
    """The properties that layouts declare: each belongs to every event that the rows of its layout can be."""
    return {
        DeclaredProperty(event, one.name, one.column, one.type)
        for layout in layouts
        for event in layout.calls
        for one in layout.declared.values()
    }


def check_properties(connection: duckdb.DuckDBPyConnection, layouts: Sequence[Layout]) -> None:
    """Raise LayoutError for a property that has another name or type than its column has had since it was made."""
    if broken := contradicting(connection, layouts):
        raise LayoutError(faults_of(broken))


def contradicting(connection: duckdb.DuckDBPyConnection, layouts: Sequence[Layout]) -> list[BrokenLayout]:
    """The layouts with a property that has another name or type than its column has had since it was made."""
    if not any(layout.declared for layout in layouts):
        return []
    known = {one.column: one for properties in declared_properties(connection).values() for one in properties}
    broken = []
    for layout in layouts:
        faults = [
            f"layout {layout.name}: {'traits' if layout.traits else 'properties'}: {source!r}: {fault}"
            for source, one in layout.declared.items()
            if one.column in known and (fault := _fault(one, known[one.column])) is not None
        ]
        if faults:
            broken.append(BrokenLayout(layout.name, "; ".join(faults), layout.pattern))
    return broken


def _fault(one: Property, known: DeclaredProperty) -> str | None:
    if one.name != known.name:
        return (
            f"{one.name!r} is the column {one.column!r}, which the event tables have for {known.name!r}; write "
            f"{known.name!r}, or choose a name with another snake case"
        )
    if one.type != known.type:
        return (
            f"{one.name!r} is {one.type}, and the event tables have it as {known.type}; a column keeps its type, so "
            f"write {{name: {one.name}, type: {known.type}}}, or choose another name"
        )
    return None


def register_properties(connection: duckdb.DuckDBPyConnection, layouts: Sequence[Layout], schema: str) -> None:
    """Register new properties, and give the event tables of the schema their columns, in one transaction.

    dbt creates tables that do not exist yet with the columns of the registry.

    Raises:
        LayoutError: as `check_properties`.
    """
    declared = declared_by(layouts)
    if not declared:
        return
    check_properties(connection, layouts)
    known = {one for properties in declared_properties(connection).values() for one in properties}
    new = sorted(declared - known, key=lambda one: (one.event, one.column))
    if not new:
        return
    with transaction(connection):
        for one in new:
            connection.execute(
                "INSERT INTO raw.properties VALUES (?, ?, ?, ?)", [one.event, one.name, one.column, one.type]
            )
            table = CALLS_BY_NAME[one.event].table
            if has_table(connection, schema, table):
                connection.execute(
                    f"ALTER TABLE {quoted(schema)}.{quoted(table)} "
                    f"ADD COLUMN IF NOT EXISTS {quoted(one.column)} {one.sql_type}"
                )
