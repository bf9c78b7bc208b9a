"""The keys of the assets: `raw/…`, `staging/…`, `segment/…`, `delivery/…` and `warehouse/upkeep`."""

import dagster as dg

from pipeline.catalog import EVENTS


def raw_table(table: str) -> dg.AssetKey:
    """A table of what the export files contain."""
    return dg.AssetKey(["raw", table])


def segment_table(table: str) -> dg.AssetKey:
    """The table of an event, or `tracks`."""
    return dg.AssetKey(["segment", table])


def delivery_of(table: str) -> dg.AssetKey:
    """The delivery of the events of a table."""
    return dg.AssetKey(["delivery", table])


EVENT_ROWS, STAGED_EVENTS = dg.AssetKey(["staging", "event_rows"]), dg.AssetKey(["staging", "events"])
EVENT_TABLES = [segment_table(event.table) for event in EVENTS]
TRACKS = segment_table("tracks")
OUTBOX, CONFIRMATION, REPORT = delivery_of("outbox"), delivery_of("confirmation"), delivery_of("report")
DELIVERIES = [delivery_of(event.table) for event in EVENTS]
UPKEEP = dg.AssetKey(["warehouse", "upkeep"])
