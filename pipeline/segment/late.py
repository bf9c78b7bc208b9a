"""Whether delivery keeps its target, as an asset check: when a run has done what it could."""

from datetime import UTC, datetime

import dagster as dg

from pipeline.checking import Check
from pipeline.partitions import WAREHOUSE_WRITERS
from pipeline.resources import SegmentResource, WarehouseResource
from pipeline.segment.lateness import late_events

CHECK = Check(
    "nothing_waits_for_long",
    dg.AssetKey(["delivery", "report"]),
    "Every event is delivered, or dead with a reason, a day after it was loaded; withheld dates wait on purpose.",
)


@dg.multi_asset_check(
    name="delivery__report__checks",
    specs=[CHECK.spec],
    pool=WAREHOUSE_WRITERS,  # a plain DuckDB file has no reader beside a writer
)
def lateness_check(warehouse: WarehouseResource, segment: SegmentResource) -> dg.AssetCheckResult:
    """Events of whatever date that wait for Segment for more than a day."""
    with warehouse.open().reading() as connection:
        found = late_events(connection, segment.ledger(), datetime.now(UTC), delivers=segment.settings().delivers)
    return CHECK.result(found)
