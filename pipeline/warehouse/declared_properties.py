"""The properties that layouts declare or have declared, from `raw.properties`: columns of the event tables for ever."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import duckdb

# Types of properties, with those of their columns.
SQL_TYPES: Mapping[str, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMPTZ",
}


@dataclass(frozen=True)
class DeclaredProperty:
    """A property of an event: its `name` in messages, and its `column` in the event's table."""

    event: str
    name: str
    column: str
    type: str

    @property
    def sql_type(self) -> str:
        """The type of its column."""
        return SQL_TYPES[self.type]

    @property
    def pointer(self) -> str:
        """The JSON pointer of its value in `properties` of `raw.events`."""
        return "/" + self.name.replace("~", "~0").replace("/", "~1")


Declared = Mapping[str, Sequence[DeclaredProperty]]


def by_event(properties: Iterable[DeclaredProperty]) -> Declared:
    """The properties by the names of their events, in the order of their columns' names."""
    found: dict[str, list[DeclaredProperty]] = defaultdict(list)
    for one in sorted(properties, key=lambda one: one.column):
        found[one.event].append(one)
    return dict(found)


def declared_properties(connection: duckdb.DuckDBPyConnection) -> Declared:
    """All of them, by event."""
    rows = connection.execute("SELECT event, name, column_name, type FROM raw.properties").fetchall()
    return by_event(DeclaredProperty(*row) for row in rows)


def as_environment(declared: Declared) -> dict[str, str]:
    """The environment variable that the dbt macro `declared_properties` reads."""
    described = {
        event: [
            {
                "name": one.name,
                "column": one.column,
                "type": one.type,
                "sql_type": one.sql_type,
                "pointer": one.pointer,
            }
            for one in properties
        ]
        for event, properties in declared.items()
    }
    return {"DBT_DECLARED_PROPERTIES": json.dumps(described)}
