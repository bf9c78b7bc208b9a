"""Column lineage of the modelled tables, for Dagster's graph of columns.

Listed here, since deriving it from the SQL takes seconds at each start; a test derives it and compares.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from pipeline.catalog import EVENTS_BY_TABLE, LOOKUPS, SHARED_COLUMNS
from pipeline.orchestration.asset_keys import EVENT_ROWS, EVENT_TABLES, STAGED_EVENTS, TRACKS, raw_table

# Columns of staging/event_rows, and the columns of raw/events that each is computed from.
_IDENTITY = ("user_id", "list_id", "selligent_user_id", "email")
_OF_RAW: Mapping[str, Sequence[str]] = {
    "id": (
        *("event", "event_id", "occurred_at", "export", "export_date", "file", "row_number"),
        *(*_IDENTITY, "email_id", "campaign_id", "link_id", "send_id"),
    ),
    "event_text": ("event",),
    "timestamp": ("occurred_at",),
    **{
        name: (name,)
        for name in (
            *("export_date", "file", "row_number", "exported_at", "loaded_at", *_IDENTITY, "send_id", "is_bot"),
            *("email_id", "email_subject", "campaign_id", "campaign_name", "link_id", "link_name", "link_url"),
            *("list_name", "ip", "user_agent", "properties"),
        )
    },
}
# Columns of staging/events: those of its rows, `received_at`, and values that lookups fill in.
_NOT_STAGED = ("file", "row_number", "loaded_at")
_FILLED_IN = {value for lookup in LOOKUPS.values() for value in lookup.values}
# Columns of the event tables that have another name in staging, or are computed from several.
_RENAMED: Mapping[str, Sequence[str]] = {
    "sent_at": ("exported_at",),
    "original_timestamp": ("timestamp",),
    "anonymous_id": ("user_id", "email"),
    "event": ("event_text",),
    "context_traits_email": ("email",),
    "context_selligent_list_id": ("list_id",),
    "context_selligent_user_id": ("selligent_user_id",),
    "context_selligent_send_id": ("send_id",),
    "context_selligent_is_bot": ("is_bot",),
    "context_ip": ("ip",),
    "context_user_agent": ("user_agent",),
    "uuid_ts": ("written_at",),
}
_CONSTANT = ("context_integration_", "context_library_")


def lineage_of(key: dg.AssetKey) -> dg.TableColumnLineage | None:
    """The columns that each column of a modelled table is computed from; None for any other table."""
    if key == EVENT_ROWS:
        return _lineage({name: _deps(raw_table("events"), columns) for name, columns in _OF_RAW.items()})
    if key == STAGED_EVENTS:
        columns = {name: _deps(EVENT_ROWS, (name,)) for name in _OF_RAW if name not in _NOT_STAGED}
        columns["received_at"] = _deps(EVENT_ROWS, ("loaded_at",))
        for name in _FILLED_IN:
            columns[name] = [*columns[name], *_deps(raw_table("lookups"), (name,))]
        return _lineage(columns)
    if key.path[-2] != "segment":
        return None
    event = EVENTS_BY_TABLE.get(key.path[-1])
    names = (*SHARED_COLUMNS, *(event.properties if event else ()))
    return _lineage(
        {name: _deps(STAGED_EVENTS, _RENAMED.get(name, (name,))) for name in names if not name.startswith(_CONSTANT)}
    )


def _deps(key: dg.AssetKey, columns: Sequence[str]) -> list[dg.TableColumnDep]:
    return [dg.TableColumnDep(key, column) for column in columns]


def _lineage(columns: Mapping[str, Sequence[dg.TableColumnDep]]) -> dg.TableColumnLineage:
    return dg.TableColumnLineage(columns)


LINEAGE = {
    key: lineage
    for key in (EVENT_ROWS, STAGED_EVENTS, *EVENT_TABLES, TRACKS)
    if (lineage := lineage_of(key)) is not None
}
