"""The outbox and the deliveries, one asset per event name."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg

from pipeline.catalog import Event
from pipeline.errors import SettingsError
from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.finding import counted
from pipeline.ledger import CUT, MODELLED, Ledger
from pipeline.ledger.warehouse_copy import mirror, mirror_into
from pipeline.ledger.warehouse_pairing import check_pair, pair_up
from pipeline.orchestration import markdown
from pipeline.orchestration.asset_keys import CALL_TABLES, CALLS, OUTBOX, REPORT, delivery_of
from pipeline.orchestration.instance import is_of_command_line
from pipeline.orchestration.long_steps import Progress, every_minute
from pipeline.orchestration.partitions import EXPORT_DATES, ONE_RUN, SEGMENT_DELIVERY, WAREHOUSE_WRITERS, dates_of
from pipeline.orchestration.resources import WarehouseResource
from pipeline.orchestration.run_locks import release_lock
from pipeline.orchestration.shutdown import signals_set
from pipeline.privacy.addresses import check_addresses, rewrite_addresses
from pipeline.privacy.suppression import listings, mark, refresh
from pipeline.segment.bodies import BodyReader
from pipeline.segment.checks import (
    NO_NEW_IDS,
    NOTHING_IN_DOUBT,
    NOTHING_WITHDRAWN,
    STAGED_IS_MODELLED,
    staged_is_modelled,
    withdrawn_too_late,
)
from pipeline.segment.circuit_breaker import COOLDOWN_SECONDS
from pipeline.segment.delivery import DeliveryResult, Transport, deliver
from pipeline.segment.dry_run import delete_requests, write_requests
from pipeline.segment.enqueue import cut_due, register
from pipeline.segment.messages import MessageSource
from pipeline.segment.new_ids import held_with_new_ids
from pipeline.segment.outbox import dates_of_moved_events
from pipeline.segment.replay import revive, samples
from pipeline.segment.resources import SegmentResource
from pipeline.segment.restored import held_in_doubt
from pipeline.settings import DRY_RUN_DIR
from pipeline.warehouse import Warehouse
from pipeline.warehouse.immutable_settings import check_origin

_PROGRESS_SECONDS = 5
# Once a delivery took longer, its copy of the ledger doesn't wait for the report.
_COPY_SECONDS = 30
# By then the circuit breaker lets requests through again.
_RETRIES = dg.RetryPolicy(max_retries=3, delay=COOLDOWN_SECONDS, backoff=dg.Backoff.EXPONENTIAL)
_SHOWN_DEAD = 5


@dg.asset(
    key=OUTBOX,
    deps=CALL_TABLES,
    check_specs=[STAGED_IS_MODELLED.spec, NOTHING_WITHDRAWN.spec, NO_NEW_IDS.spec, NOTHING_IN_DOUBT.spec],
    group_name="delivery",
    kinds={"duckdb", "segment"},
    partitions_def=EXPORT_DATES,
    backfill_policy=ONE_RUN,
    pool=WAREHOUSE_WRITERS,
)
def outbox(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, segment: SegmentResource
) -> dg.MaterializeResult:
    """Events that are due for the first time, cut into batches within Segment's limits.

    A batch never changes, so an event that is sent twice has the same id both times.
    """
    dates, started = dates_of(context), time.monotonic()
    now, ledger = datetime.now(UTC), warehouse.ledger()
    modelled, lake = ledger.reached(MODELLED, dates), warehouse.open()
    with every_minute(context) as progress, lake.writing() as connection:
        progress.watch(connection)
        check_origin(connection, segment.settings())
        pair_up(connection, ledger)
        refresh(connection, segment.settings().selligent_suppressed, now)
        rewritten = rewrite_addresses(connection, segment.settings(), DRY_RUN_DIR)
        balance = staged_is_modelled(connection, segment.settings().schema_name, dates)
        revive(connection, ledger, dates)
        due = cut_due(connection, ledger, segment.settings(), dates, now)
        # Events that moved to another export date are cut by that date's run.
        ledger.set_back(dates_of_moved_events(connection, dates) - set(ledger.withheld()))
        if new_listings := listings(connection, "withdrawn_at"):
            mirror_into(connection, ledger, EVERY_DATE)
            mark(connection, "withdrawn_at", new_listings)
        segment.note_registered(dates, lake.snapshot(connection))
    ledger.reach(CUT, modelled)
    lock_seconds = release_lock(context)
    if due.cut.dead:
        context.log.warning(
            f"{counted(due.cut.dead, 'event')} dead, which Segment would drop; delivery.events has the reasons"
        )
    events, seconds = due.cut.events, time.monotonic() - started
    return dg.MaterializeResult(
        metadata={
            "events": sum(events.values()),
            "batches": due.cut.batches,
            "dead": due.cut.dead,
            "held": due.cut.held + due.cut.replacing_events,
            "suppressed": due.registered.suppressed,
            "replayed": len(due.cut.replayed_ids),
            "withheld_dates": len(due.withheld),
            "addresses_rewritten": rewritten,
            "withdrawn_in_time": due.registered.withdrawn_in_time,
            "withdrawn_after_delivery": due.registered.withdrawn_too_late,
            "rows_in": balance.numbers["staged"],
            "duplicates": balance.numbers["duplicates"],
            "seconds": round(seconds, 1),
            "events_per_second": round(sum(events.values()) / seconds),
            **{f"events/{table}": number for table, number in events.items()},
            **lock_seconds,
        },
        check_results=[
            STAGED_IS_MODELLED.result(balance),
            NOTHING_WITHDRAWN.result(withdrawn_too_late(due.registered.withdrawn_too_late)),
            NO_NEW_IDS.result(held_with_new_ids(ledger.replacing(dates))),
            NOTHING_IN_DOUBT.result(held_in_doubt(ledger.in_doubt(dates))),
        ],
    )


def _delivery_asset(event: Event) -> dg.AssetsDefinition:
    @dg.asset(
        key=delivery_of(event.table),
        deps=[OUTBOX],
        group_name="delivery",
        description=f"{event.description} Sends every waiting event of these dates to Segment as “{event.name}”. "
        "Without a write key, the requests are written below data/dry_run instead.",
        kinds={"segment"},
        partitions_def=EXPORT_DATES,
        backfill_policy=ONE_RUN,
        pool=SEGMENT_DELIVERY,
        retry_policy=_RETRIES,
    )
    def delivery(
        context: dg.AssetExecutionContext, warehouse: WarehouseResource, segment: SegmentResource
    ) -> dg.MaterializeResult:
        return _deliver(context, warehouse, segment, event)

    return delivery


def _deliver(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, segment: SegmentResource, event: Event
) -> dg.MaterializeResult:
    dates, lake, ledger = dates_of(context), warehouse.open(), warehouse.ledger()
    started = time.monotonic()
    # The list may have changed since the outbox was cut, and a delivery can run alone.
    if (listed := segment.settings().selligent_suppressed) is not None:
        with lake.writing() as connection:
            refresh(connection, listed, datetime.now(UTC))
    before = ledger.standing_of(event.table, dates)
    with (
        every_minute(context) as progress,
        lake.reading() as connection,
        segment.client(lambda reason: context.log.warning(f"{reason.rstrip('.')}; trying again")) as client,
    ):
        try:
            check_origin(connection, segment.settings())
            check_pair(connection, ledger)
            check_addresses(connection, segment.settings())
        except SettingsError as error:
            raise dg.Failure(str(error), allow_retries=False) from error  # waiting does not fix it
        snapshot = lake.snapshot(connection)
        if not segment.has_registered(dates, snapshot):
            register(connection, ledger, dates, datetime.now(UTC))
            segment.note_registered(dates, snapshot)
        source = MessageSource.of(segment.settings(), connection)
        reader = BodyReader(connection, source)
        if client is None:
            written = write_requests(reader, ledger, DRY_RUN_DIR, event.table, dates)
            context.log.info(f"dry run: {counted(written, 'request')} written below {DRY_RUN_DIR}")
            return dg.MaterializeResult(
                metadata={
                    "dry_run": True,
                    "requests_written": written,
                    "waiting": before.waiting,
                    "dead": before.dead,
                    "held": before.held,
                    "seconds": round(time.monotonic() - started, 1),
                }
            )
        with signals_set(segment.stop):
            transport = Transport(
                client.send,
                segment.settings().segment_connections,
                history=segment.history(client, datetime.now(UTC).date()),
                has_delivered=lambda: client.has_delivered,
                stop=segment.stop,
            )
            segment.copy_later(dates)  # also where the delivery ends with an error
            sent = deliver(reader, ledger, event.table, dates, transport, _every_few_seconds(context, event, progress))
    delete_requests(DRY_RUN_DIR, event.table, dates)  # from before there was a key
    after = ledger.standing_of(event.table, dates)
    lock_seconds = release_lock(context)
    is_slow = time.monotonic() - started > _COPY_SECONDS
    if sent.stopped_by is not None or after.dead or is_slow or not _report_follows(context):
        mirror(lake, ledger, dates)
        segment.is_copied()
    seconds = time.monotonic() - started
    metadata: dict[str, int | float | dg.MetadataValue] = {
        "delivered": after.delivered - before.delivered,
        "delivered_in_all": after.delivered,
        "waiting": after.waiting,
        "dead": after.dead,
        "held": after.held,
        "batches": sent.batches,
        "attempts": sent.attempts,
        "seconds": round(seconds, 1),
        "events_per_second": round((after.delivered - before.delivered) / seconds),
        **lock_seconds,
    }
    if after.dead:
        metadata["dead_events"] = _dead_as_markdown(lake, source, ledger, event, dates)
    if sent.dead:
        context.log.warning(_dead_summary(sent, event))
    if sent.stopped_by is not None:
        # A run of the command line ends, and the next one continues; a run of the daemon retries automatically.
        retries = not sent.refused and not is_of_command_line(context.run)
        remedy = "fix that and run again" if sent.refused else "run again to send them"
        raise dg.Failure(
            f"{sent.stopped_by.rstrip('.')}. {counted(after.waiting, 'event')} still waiting; "
            f"{'delivery is retried' if retries else remedy}.",
            metadata=metadata,
            allow_retries=retries,
        )
    return dg.MaterializeResult(metadata=metadata)


def _report_follows(context: dg.AssetExecutionContext) -> bool:
    """Whether the report is a step of this run. It copies the ledger into the warehouse."""
    return REPORT.to_python_identifier() in context.get_step_execution_context().execution_plan.step_keys_to_execute


def _dead_summary(sent: DeliveryResult, event: Event) -> str:
    # Of several reasons only the first: the run's summary and `delivery.dead_events` contain all of them.
    if sent.dead == 1:
        return f"Segment rejected 1 {event.name} event; it is now dead. Reason: {sent.dead_because}"
    return f"Segment rejected {sent.dead:,} {event.name} events; they are now dead. First reason: {sent.dead_because}"


def _dead_as_markdown(
    warehouse: Warehouse, source: MessageSource, ledger: Ledger, event: Event, dates: ExportDates
) -> dg.MetadataValue:
    with warehouse.reading() as connection:
        rows = samples(connection, source, ledger.dead_ids(event.table, dates), _SHOWN_DEAD)
    dead = [(key, reason, message) for key, _, message, reason in rows]
    return dg.MetadataValue.md(markdown.table(["id", "reason", "message"], dead))


def _every_few_seconds(
    context: dg.AssetExecutionContext, event: Event, progress: Progress
) -> Callable[[int, int], None]:
    last = time.monotonic()

    def note(done: int, of: int) -> None:
        nonlocal last
        progress.note(done / of if of else 0.0, done, "events", f"{done:,} of {of:,} {event.name} events")
        if time.monotonic() - last >= _PROGRESS_SECONDS:
            last = time.monotonic()
            context.log.info(f"{progress}")

    return note


deliveries = [_delivery_asset(event) for event in CALLS]
