"""Properties of a layout: columns of the export that become properties of the event and columns of its table."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from pipeline.catalog import EVENTS, LOOKUPS, SHARED_COLUMNS
from pipeline.naming import snake_case

PropertyType = Literal["text", "integer", "number", "boolean", "timestamp"]
# Segment docs, "Warehouse schemas": names that its warehouses use themselves, whatever the event.
_SEGMENT_COLUMNS = frozenset(
    {
        *SHARED_COLUMNS,
        "channel",
        "context",
        "integrations",
        "loaded_at",
        "message_id",
        "project_id",
        "properties",
        "segment_dedupe_id",
        "traits",
        "uuid",
        "version",
        "write_key",
    }
)
_SEGMENT_PREFIX = "context_"
# The properties of the six events, and what identifies a person: they are columns or parts of the context already.
_MAPPED = frozenset(
    {name for event in EVENTS for name in event.properties}
    | {name for lookup in LOOKUPS.values() for name in (*lookup.key, *lookup.values)}
    | {"link_url", "ip", "user_agent", "send_id", "is_bot", "event_id"}
)
_LONGEST_NAME = 63  # of a column in PostgreSQL and Redshift, which cut a longer one


def _named(value: object) -> object:
    """A property that is only a name is a text."""
    if isinstance(value, str):
        return {"name": value}
    if not isinstance(value, dict):
        raise PydanticCustomError(
            "wrong", "is neither a name nor a mapping, such as {name: bounce_code, type: integer}"
        )
    return value


class Property(BaseModel):
    """A property: its `name` in the message, and its `type`. Its column is the snake case of the name."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: str = Field(min_length=1)
    type: PropertyType = "text"

    @property
    def column(self) -> str:
        """The column of the event's table, as Segment's warehouses name it."""
        return snake_case(self.name)


LayoutProperty = Annotated[Property, BeforeValidator(_named)]


def fault_of(name: str) -> str | None:
    """What is wrong with the name of a property, and what would be right."""
    column = snake_case(name)
    if not re.match("[a-z]", column):
        return f"{name!r} makes no name of a column; begin it with a letter, such as 'bounce_code'"
    if len(column) > _LONGEST_NAME:
        return f"{name!r} has more than {_LONGEST_NAME} characters; shorten it"
    if column in _MAPPED:
        return f"{name!r} is what a meaning is for; map the column to {column!r} under columns:"
    if column in _SEGMENT_COLUMNS:
        return f"{name!r} is a column of Segment's own; choose another name, such as 'export_{column}'"
    if column.startswith(_SEGMENT_PREFIX):
        return f"{name!r} begins with {_SEGMENT_PREFIX!r}, as columns of Segment's own do; choose another name"
    return None


def conflicts(properties: Mapping[str, Property], others: Mapping[str, tuple[str, Property]]) -> Iterator[str]:
    """Why properties (by column of the export) can't stand beside those of other layouts.

    `others` has the layout and the property by the column of the table: a column has one name and one type in all
    event tables, so that a query over several of them reads the same.
    """
    for source, one in properties.items():
        if one.column not in others:
            continue
        owner, other = others[one.column]
        if other.name != one.name:
            yield (
                f"{source!r}: {one.name!r} is the column {one.column!r}, which {other.name!r} of {owner} is, too; give "
                "both the same name, or rename one of them"
            )
        elif other.type != one.type:
            yield f"{source!r}: {one.name!r} is {one.type}, and {other.type} in {owner}; give both the same type"
