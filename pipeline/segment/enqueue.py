"""Enqueue events: from the event tables into the outbox and the ledger, for runs and for replays."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import duckdb

from pipeline.catalog import IDENTIFIES
from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_pairing import pairing_of, record_ledger_generation
from pipeline.privacy.suppression import any_newly_suppressed
from pipeline.segment import outbox, unwanted
from pipeline.segment.cut_rules import Cut, CutRules, Limits
from pipeline.segment.delivery import CURRENT_DAYS
from pipeline.segment.new_ids import Guard, guard
from pipeline.segment.outbox import cut
from pipeline.segment.rate_limiter import events_at_once
from pipeline.segment.restored import because_of_restore, cut_before_restore
from pipeline.segment.staged import has_identities
from pipeline.settings import Settings


@dataclass(frozen=True)
class Registered:
    """Changes in the ledger: events withdrawn before they were sent, and after (which can't be undone), and events that
    are not sent because their people are suppressed.
    """

    withdrawn_in_time: int
    withdrawn_too_late: int
    suppressed: int = 0


def register(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    dates: ExportDates,
    now: datetime,
    replayed_ids: Collection[str] = (),
    withdrawn: tuple[int, int] | None = None,
) -> Registered:
    """Register every batch and every undeliverable event of these dates that is not in the ledger; events in
    `replayed_ids` are no longer dead. `withdrawn` are the numbers of withdrawn events, if they are registered already.

    The outbox is written first and the ledger second, so a process killed in between loses nothing: the next one
    registers what is missing.
    """
    replayed = outbox.in_new_batches(connection, dates, ledger.replays()) | set(replayed_ids)
    ledger.register(
        outbox.cut_batches(connection, dates),
        outbox.undeliverable(connection, dates),
        now,
        replayed,
        pairing_of(connection).generation,
    )
    ledger.settle_restored()
    # People who were listed since the last time may have waiting or held events of any date.
    everywhere = any_newly_suppressed(connection, "withdrawn_at")
    listed = unwanted.suppressed(connection, ledger.undelivered_ids(EVERY_DATE if everywhere else dates))
    suppressed, _ = ledger.withdraw(listed, now) if listed else (0, 0)
    gone = unwanted.withdrawn(connection, dates) if withdrawn is None else []
    if has_identities(connection):
        gone += unwanted.superseded(connection, ledger.waiting_ids(EVERY_DATE))
    numbers = [withdrawn or (0, 0), ledger.withdraw(gone, now) if gone else (0, 0)]
    in_time, too_late = (sum(each) for each in zip(*numbers, strict=True))
    return Registered(in_time, too_late, suppressed)


@dataclass(frozen=True)
class Due:
    """The new batches, the changes in the ledger, and which of the export dates are withheld."""

    cut: Cut
    registered: Registered
    withheld: list[date]


def cut_due(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    settings: Settings,
    dates: ExportDates,
    now: datetime,
    *,
    replays_only: bool = False,
) -> Due:
    """Cut and register what is due for these export dates, with the requested replays, or the replays only.

    The warehouse and the ledger have to be a pair (see `pair_up`).
    """
    withheld = [day for day in ledger.withheld() if day in dates]
    # Before the cut, whose events are in the tables.
    gone = unwanted.withdrawn(connection, dates)
    withdrawn = ledger.withdraw(gone, now) if gone else (0, 0)
    guarded = guard(connection, ledger, gone, dates) if withdrawn[1] else None
    rules = CutRules(
        settings.integrations,
        withheld,
        _limits(settings, now.date()),
        hold_bots=settings.segment_bots == "hold",
        identify=settings.segment_identify,
    )
    before_restore = Cut({}, 0, 0)
    since_restore: Mapping[date, str] = {}
    if not replays_only:
        before_restore = cut_before_restore(connection, ledger, settings.schema_name, dates, now, rules)
        since_restore = because_of_restore(ledger, dates)
    rules = _holding(rules, guarded, since_restore)
    done = cut(
        connection,
        settings.schema_name,
        dates,
        now,
        replace(
            rules,
            replayed_ids=[replay.id for replay in ledger.replays()],
            replays_only=replays_only,
        ),
    ).after(before_restore)
    if settings.segment_identify:
        ledger.release_held(IDENTIFIES.table, EVERY_DATE)
    else:  # it was switched off; no asset sends what is waiting
        ledger.hold(IDENTIFIES.table)
    registered = register(connection, ledger, dates, now, done.replayed_ids, withdrawn)
    if guarded:
        ledger.accept_withdrawals(guarded.to_accept(done))
        registered = replace(
            registered, withdrawn_too_late=unwanted.withdrawn_after_delivery(connection, ledger, dates)
        )
    record_ledger_generation(connection, ledger)
    return Due(done, registered, withheld)


def _holding(rules: CutRules, guarded: Guard | None, since_restore: Mapping[date, str]) -> CutRules:
    """The rules with the reasons to hold new events; those of a restore hold any number of events."""
    if guarded is None and not since_restore:
        return rules
    hold_from = {**(guarded.hold_from if guarded else {}), **dict.fromkeys(since_restore, 1)}
    return replace(rules, hold_from=hold_from, held_because={**since_restore, **(guarded.because if guarded else {})})


def _limits(settings: Settings, today: date) -> Limits:
    """The size of batches that keeps to the rate limits."""
    return Limits(
        events_at_once(settings.segment_events_per_second),
        events_at_once(settings.backfill_events_per_second or settings.segment_events_per_second),
        today - timedelta(days=CURRENT_DAYS),
    )
