"""A tracking plan for Segment's Protocols: JSON Schema of every message as it is configured.

The rules have the form of Segment's Public API ("Replace Rules in Tracking Plan"): a rule per event, whose `jsonSchema`
describes the whole message. No property is required, since a message lacks the properties that have no value.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.catalog import EVENTS, Event
from pipeline.segment.messages import Members, MessageSource

# JSON types of members that are not texts, by their names in the message.
_JSON_TYPES = {"integer": "integer", "number": "number", "boolean": "boolean"}
_DRAFT = "http://json-schema.org/draft-07/schema#"


def tracking_plan(source: MessageSource) -> Mapping[str, Any]:
    """The rules of all events, as the body of a request to the Public API."""
    return {"rules": [_rule(event, source) for event in EVENTS]}


def _rule(event: Event, source: MessageSource) -> Mapping[str, Any]:
    members = source.members(event)
    properties = _schema(members["properties"])
    for one in source.declared.get(event.name, ()):
        properties["properties"][one.name] = _of_type(one.type)
    context = _schema(members["context"])
    context["properties"]["selligent"]["properties"]["is_bot"] = _of_type("boolean")
    return {
        "key": event.name,
        "type": "TRACK",
        "version": 1,
        "jsonSchema": {
            "$schema": _DRAFT,
            "type": "object",
            "description": event.description,
            "labels": {},
            "properties": {"context": context, "traits": {}, "properties": properties},
        },
    }


def _schema(members: "str | Members") -> dict[str, Any]:
    if isinstance(members, str):
        return _of_type("text")
    return {"type": "object", "properties": {name: _schema(value) for name, value in members.items()}}


def _of_type(kind: str) -> dict[str, Any]:
    """The schema of a value, by the type of its property; Segment docs: a date-time is a string with this format."""
    if kind == "timestamp":
        return {"type": "string", "format": "date-time"}
    return {"type": _JSON_TYPES.get(kind, "string")}
