"""Messages for Segment, as SQL over the event tables, so that tables and messages never contradict each other.

The shape follows Segment docs, "Spec: Track" and "HTTP API: Batch". DuckDB builds the JSON, so no event becomes a
Python object.
"""

import json
from collections.abc import Mapping

from pipeline.catalog import Event
from pipeline.warehouse import literal

# Segment docs, "HTTP API: Max request size": 32 KB an event; 1,000 or 1,024 is not specified, so the smaller.
MAX_EVENT_BYTES = 32_000
# Likewise 500 KB and 2,500 events a batch; the client libraries stop at 475,000 bytes, and so does this one.
MAX_BATCH_BYTES = 475_000
MAX_BATCH_EVENTS = 2_500

# A text in JSON never contains a raw line break, so a body can be split again without parsing it.
SEPARATOR = ",\n"
ENVELOPE_BYTES = 100


def message(event: Event, integrations: Mapping[str, bool] | None = None) -> str:
    """SQL for one message, as JSON text without nulls, over the columns of the event's table.

    `integrations` are the destinations that Segment may forward it to (Segment docs, "Spec: Common fields").
    """
    properties = ", ".join(f"{name}: {name}" for name in event.properties)
    chosen = f", integrations: CAST({literal(json.dumps(integrations))} AS JSON)" if integrations else ""
    return f"""
        CAST(json_merge_patch('{{}}', to_json({{
            type: 'track',
            messageId: id,
            userId: nullif(user_id, ''),
            anonymousId: nullif(anonymous_id, ''),
            event: event_text,
            timestamp: strftime(timestamp, '%Y-%m-%dT%H:%M:%S.%fZ'),
            properties: {{{properties}}},
            context: {{
                integration: {{name: context_integration_name, version: context_integration_version}},
                library: {{name: context_library_name, version: context_library_version}},
                traits: {{email: context_traits_email}},
                selligent: {{
                    list_id: context_selligent_list_id,
                    user_id: context_selligent_user_id,
                    send_id: context_selligent_send_id,
                    is_bot: context_selligent_is_bot
                }}
            }}{chosen}
        }})) AS VARCHAR)
    """


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
