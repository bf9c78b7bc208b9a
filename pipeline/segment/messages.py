"""Messages for Segment, as SQL over the event tables, so that tables and messages never contradict each other.

The shape follows Segment docs, "Spec: Track" and "HTTP API: Batch". DuckDB builds the JSON, so no event becomes a
Python object.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import duckdb

from pipeline.catalog import IDENTIFIES, Event
from pipeline.settings import Settings
from pipeline.warehouse import literal, quoted
from pipeline.warehouse.declared_properties import Declared, DeclaredProperty, declared_properties

# Segment docs, "HTTP API: Max request size": 32 KB an event; 1,000 or 1,024 is not specified, so the smaller.
MAX_EVENT_BYTES = 32_000
# Likewise 500 KB and 2,500 events a batch; the client libraries stop at 475,000 bytes, and so does this one.
MAX_BATCH_BYTES = 475_000
MAX_BATCH_EVENTS = 2_500

# A text in JSON never contains a raw line break, so a body can be split again without parsing it.
SEPARATOR = ",\n"
ENVELOPE_BYTES = 100

# SQL for each member's value, by its key.
Members: TypeAlias = Mapping[str, "str | Members"]
_SENDER: Members = {
    "integration": {"name": "context_integration_name", "version": "context_integration_version"},
    "library": {"name": "context_library_name", "version": "context_library_version"},
}


@dataclass(frozen=True)
class MessageSource:
    """Where messages come from: the schema of the event tables, and the destinations that each message names.

    `integrations` are the destinations that Segment may forward it to (Segment docs, "Spec: Common fields").
    `declared` are the properties of layouts.
    """

    schema: str
    integrations: Mapping[str, bool] | None = None
    declared: Declared = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings, connection: duckdb.DuckDBPyConnection) -> "MessageSource":
        """The source that the settings describe, with the properties that the warehouse has."""
        return cls(settings.schema_name, settings.integrations, declared_properties(connection))

    def table(self, event: Event) -> str:
        """SQL for the table of an event."""
        return f"{quoted(self.schema)}.{quoted(event.table)}"

    def message(self, event: Event) -> str:
        """SQL for one message, as JSON text without nulls, over the columns of the event's table."""
        return _object(self.members(event))

    def message_bytes(self, event: Event) -> str:
        """SQL for the size of that message, computed from its values in a tenth of the time that building it takes."""
        return _size(self.members(event))

    def members(self, event: Event) -> Members:
        """SQL for the value of each member of a message, over the columns of the event's table."""
        members = self._identify() if event is IDENTIFIES else self._track(event)
        if not self.integrations:
            return members
        chosen = json.dumps(self.integrations, ensure_ascii=False, separators=(",", ":"))
        return {**members, "integrations": f"CAST({literal(chosen)} AS JSON)"}

    def _track(self, event: Event) -> Members:
        return {
            "type": "'track'",
            "messageId": "id",
            "userId": "nullif(user_id, '')",
            "anonymousId": "nullif(anonymous_id, '')",
            "event": "event_text",
            "timestamp": _as_text("timestamp"),
            "properties": {**{name: name for name in event.properties}, **self._declared(event)},
            "context": {
                **_SENDER,
                "traits": {"email": "context_traits_email"},
                "selligent": {
                    "list_id": "context_selligent_list_id",
                    "user_id": "context_selligent_user_id",
                    "send_id": "context_selligent_send_id",
                    "is_bot": "context_selligent_is_bot",
                },
                "ip": "context_ip",
                "userAgent": "context_user_agent",
            },
        }

    def _identify(self) -> Members:
        """Segment docs, "Spec: Identify"."""
        return {
            "type": "'identify'",
            "messageId": "id",
            "userId": "user_id",
            "timestamp": _as_text("timestamp"),
            "traits": {"email": "email", **self._declared(IDENTIFIES)},
            "context": {
                **_SENDER,
                "selligent": {"list_id": "context_selligent_list_id", "user_id": "context_selligent_user_id"},
            },
        }

    def _declared(self, event: Event) -> Members:
        return {one.name: _value(one) for one in self.declared.get(event.name, ())}


def _value(one: DeclaredProperty) -> str:
    """SQL for the value of a property, of its type in JSON."""
    return _as_text(quoted(one.column)) if one.type == "timestamp" else quoted(one.column)


def _as_text(moment: str) -> str:
    """SQL for an instant as a text in ISO 8601."""
    return f"strftime({moment}, '%Y-%m-%dT%H:%M:%S.%fZ')"


def dead_because(message_bytes: str) -> str:
    """SQL for why Segment would drop a message silently, in Segment's own codes; NULL where it would not."""
    unidentified = literal(
        "no_user_anon_id: neither a user id nor an email address is known; a contacts lookup can add one"
    )
    large = literal("message_too_large: ")
    limit = literal(f" bytes of JSON; the limit is {MAX_EVENT_BYTES}")
    return (
        f"CASE WHEN coalesce(user_id, '') = '' AND coalesce(anonymous_id, '') = '' THEN {unidentified} "
        f"WHEN {message_bytes} > {MAX_EVENT_BYTES} THEN {large} || {message_bytes} || {limit} END"
    )


def _object(members: Members, key: str = "") -> str:
    """SQL for an object in JSON, after its own key; members without a value are absent.

    A concatenation takes half of the time of a struct that is turned into JSON and freed of its nulls.
    """
    listed = (
        f"{_key(name)} || CAST(to_json({value}) AS VARCHAR)" if isinstance(value, str) else _object(value, name)
        for name, value in members.items()
    )
    return f"concat({_key(key)} || '{{', concat_ws(',', {', '.join(listed)}), '}}')"


def _key(name: str) -> str:
    return literal(_json_key(name) if name else "")


def _json_key(name: str) -> str:
    return f"{json.dumps(name, ensure_ascii=False)}:"


def _size(members: Members) -> str:
    """SQL for the bytes of an object in JSON, from which members without a value are absent."""
    sizes, present = [], []
    for key, value in members.items():
        around = len(f"{_json_key(key)},".encode())
        if isinstance(value, str):
            sizes.append(f"coalesce(strlen(to_json({value})) + {around}, 0)")
            present.append(f"{value} IS NOT NULL")
        else:
            sizes.append(f"{around} + {_size(value)}")
            present.append("true")
    # No comma follows the last member.
    return f"({len('{}')} + {' + '.join(sizes)} - CAST({' OR '.join(present)} AS INTEGER))"
