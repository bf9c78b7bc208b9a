"""The confirmation as an asset, and its tables."""

from collections.abc import Mapping
from datetime import UTC, datetime

import dagster as dg

from pipeline.finding import Finding
from pipeline.orchestration import markdown
from pipeline.orchestration.asset_checks import Check
from pipeline.orchestration.asset_keys import CONFIRMATION, DELIVERIES
from pipeline.orchestration.executor import AFTER_FAILURES
from pipeline.orchestration.partitions import EXPORT_DATES, ONE_RUN, dates_of
from pipeline.orchestration.resources import WarehouseResource
from pipeline.segment.confirmation.comparison import OFF, Confirmation, confirm
from pipeline.segment.confirmation.resources import PublicApiResource

CHECK = Check(
    "segment_kept_what_was_delivered",
    CONFIRMATION,
    "Segment received every event that is delivered according to the ledger, and discarded none.",
)


@dg.asset(
    key=CONFIRMATION,
    deps=DELIVERIES,
    op_tags=AFTER_FAILURES,
    check_specs=[CHECK.spec],
    group_name="delivery",
    kinds={"segment"},
    partitions_def=EXPORT_DATES,
    backfill_policy=ONE_RUN,
)
def confirmation(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, public_api: PublicApiResource
) -> dg.MaterializeResult:
    """What Segment received and discarded, compared with the ledger; off without SEGMENT_PUBLIC_API_TOKEN."""
    with public_api.client() as api:
        found = OFF if api is None else confirm(warehouse.ledger(), api.count, dates_of(context), datetime.now(UTC))
    return dg.MaterializeResult(
        metadata=_metadata(found), check_results=[CHECK.result(Finding(found.holds, found.sentence))]
    )


def _metadata(found: Confirmation) -> Mapping[str, dg.MetadataValue | str | int]:
    metadata: dict[str, dg.MetadataValue | str | int] = {"confirmation": found.state, "result": found.sentence}
    if found.not_yet:
        metadata["not_yet"] = found.not_yet
    if found.since is None or found.until is None:
        return metadata
    return metadata | {
        "since": dg.MetadataValue.timestamp(found.since),
        "until": dg.MetadataValue.timestamp(found.until),
        "by_event": dg.MetadataValue.md(by_event(found)),
        "by_time": dg.MetadataValue.md(by_time(found)),
        **{
            number: sum(getattr(tally, number) for tally in found.tallies)
            for number in ("delivered", "received", "missing", "more")
        },
        "discarded": sum(sum(tally.discarded.values()) for tally in found.tallies),
    }


def by_event(found: Confirmation) -> str:
    """One row per event name, with Segment's reasons, as Markdown."""
    return markdown.table(
        ["event", "delivered", "received by Segment", "failed on ingest", "filtered at source", "missing", "more"],
        (
            (
                *(tally.event, tally.delivered, tally.received),
                *(_reasons(tally.failed), _reasons(tally.filtered), tally.missing, tally.more),
            )
            for tally in found.tallies
        ),
    )


def by_time(found: Confirmation) -> str:
    """One row per event name and hour or day, as Markdown."""
    return markdown.table(
        ["from (UTC)", "event", "delivered", "received by Segment", "discarded"],
        (
            (f"{moment.start:%Y-%m-%d %H:%M}", moment.event, moment.delivered, moment.received, moment.discarded)
            for moment in found.moments
        ),
    )


def _reasons(events: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} {reason}" for reason, number in sorted(events.items())) or "0"
