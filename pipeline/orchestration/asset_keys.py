"""The keys of the assets: `raw/…`, `staging/…`, `segment/…`, `delivery/…` and `warehouse/upkeep`.

Those of a brand begin with its name, since all brands can be in one UI: `acme/raw/events`.
"""

import dagster as dg

from pipeline.catalog import EVENTS, IDENTIFIES
from pipeline.settings import BRAND, load_settings


def _key(*path: str) -> dg.AssetKey:
    return dg.AssetKey([BRAND, *path] if BRAND else path)


def raw_table(table: str) -> dg.AssetKey:
    """A table of what the export files contain."""
    return _key("raw", table)


def staging_table(table: str) -> dg.AssetKey:
    """A table of typed rows or events."""
    return _key("staging", table)


def segment_table(table: str) -> dg.AssetKey:
    """The table of an event, or `tracks`."""
    return _key("segment", table)


def delivery_of(table: str) -> dg.AssetKey:
    """The delivery of the events of a table."""
    return _key("delivery", table)


EVENT_ROWS, STAGED_EVENTS = staging_table("event_rows"), staging_table("events")
EVENT_TABLES = [segment_table(event.table) for event in EVENTS]
TRACKS = segment_table("tracks")
IDENTITIES, IDENTIFIES_TABLE = staging_table("identities"), segment_table(IDENTIFIES.table)
OUTBOX, CONFIRMATION, REPORT = delivery_of("outbox"), delivery_of("confirmation"), delivery_of("report")
# What is delivered, and the tables of it. Without SEGMENT_IDENTIFY, no identify call is made.
CALLS = (*EVENTS, *([IDENTIFIES] if load_settings().segment_identify else []))
CALL_TABLES = [segment_table(call.table) for call in CALLS]
DELIVERIES = [delivery_of(call.table) for call in CALLS]
UPKEEP = _key("warehouse", "upkeep")
