"""The report as an asset; its end marks the dates as reported."""

from datetime import UTC, datetime

import dagster as dg

from pipeline.ledger import CUT, REPORTED
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.orchestration.asset_keys import DELIVERIES, REPORT
from pipeline.orchestration.executor import AFTER_FAILURES
from pipeline.orchestration.long_steps import every_minute
from pipeline.orchestration.partitions import EXPORT_DATES, ONE_RUN, WAREHOUSE_WRITERS, dates_of
from pipeline.orchestration.resources import WarehouseResource
from pipeline.orchestration.run_locks import release_lock
from pipeline.report.location import publish
from pipeline.report.page import make_report
from pipeline.report.summary import NUMBERS, as_markdown, summary, totals
from pipeline.segment.checks import DUE_IS_SETTLED, NOTHING_DEAD, dead_events, due_is_settled
from pipeline.segment.resources import SegmentResource


@dg.asset(
    key=REPORT,
    # It also reads raw and tracks; arrows from there would only hide the path of the events.
    deps=DELIVERIES,
    check_specs=[DUE_IS_SETTLED.spec, NOTHING_DEAD.spec],
    group_name="delivery",
    kinds={"duckdb"},
    partitions_def=EXPORT_DATES,
    backfill_policy=ONE_RUN,
    pool=WAREHOUSE_WRITERS,
    op_tags=AFTER_FAILURES,
)
def report(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, segment: SegmentResource
) -> dg.MaterializeResult:
    """Files → rows → events → delivered, by date and event: every number reconciles. The page, which is written to
    REPORT, shows the newest export dates in charts, with the SQL of each number.
    """
    dates, ledger = dates_of(context), warehouse.ledger()
    # One connection for everything: to attach a DuckLake takes a tenth of a second.
    with every_minute(context) as progress, warehouse.open().writing() as connection:
        progress.watch(connection)
        balance = due_is_settled(connection, ledger, dates)
        table = summary(connection, ledger, dates)
        made = make_report(connection, ledger, segment.settings(), datetime.now(UTC))
        if made.dates is None or not (dates.first in made.dates and dates.last in made.dates):
            mirror_into(connection, ledger, dates)
    segment.is_copied()
    location = publish(made.page, segment.settings())  # after the connection is closed: a server may be slow
    added_up, nameless = totals(table), ledger.delivered_without_name(dates)
    ledger.reach(REPORTED, ledger.reached(CUT, dates))
    lock_seconds = release_lock(context)
    return dg.MaterializeResult(
        metadata={
            "reconciliation": dg.MetadataValue.md(as_markdown(table)),
            "delivered_of_due": dg.MetadataValue.md(made.bars),
            "page": dg.MetadataValue.path(location),
            **{f"picture/{chart.name}": dg.MetadataValue.md(chart.markdown) for chart in made.charts},
            **{number: added_up[number] for number in NUMBERS},
            **{f"delivered_without/{name}": number for name, number in nameless.items()},
            **lock_seconds,
        },
        check_results=[DUE_IS_SETTLED.result(balance), NOTHING_DEAD.result(dead_events(ledger, dates))],
    )
