"""From the event tables into the outbox and the ledger: what a run and a replay have in common."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_pairing import pairing_of, record_ledger_generation
from pipeline.privacy.suppression import is_anybody_new
from pipeline.segment import outbox
from pipeline.segment.delivery import CURRENT_DAYS
from pipeline.segment.outbox import Cut, Limits, cut
from pipeline.segment.rate_limiter import events_at_once
from pipeline.settings import Settings


@dataclass(frozen=True)
class Registered:
    """What the ledger learnt: events withdrawn before they were sent, and after (Segment can't take them back), and
    events that are not sent since their people are suppressed.
    """

    withdrawn_in_time: int
    withdrawn_too_late: int
    suppressed: int = 0


def register(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    dates: ExportDates,
    now: datetime,
    again: Collection[str] = (),
) -> Registered:
    """Enter every batch and every undeliverable event of these dates that the ledger does not know; events that were
    cut `again` are dead no more.

    The outbox is written first and this second, so a process killed in between loses nothing: the next one enters
    what is missing.
    """
    replayed = outbox.in_new_batches(connection, dates, ledger.replays()) | set(again)
    ledger.register(
        outbox.cut_batches(connection, dates),
        outbox.stillborn(connection, dates),
        now,
        replayed,
        pairing_of(connection).generation,
    )
    # Whoever was listed since the last time may have events waiting of any date.
    everywhere = is_anybody_new(connection, "withdrawn_at")
    unwanted = outbox.suppressed(connection, ledger.waiting_ids(EVERY_DATE if everywhere else dates))
    suppressed, _ = ledger.withdraw(unwanted, now) if unwanted else (0, 0)
    gone = outbox.withdrawn(connection, dates)
    if not gone:
        return Registered(0, 0, suppressed)
    return Registered(*ledger.withdraw(gone, now), suppressed)


@dataclass(frozen=True)
class Due:
    """What was put into the outbox, what the ledger learnt, and which of the export dates are withheld."""

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
    """Cut what is due for these export dates, with the events whose replay was asked for, or those alone.

    The warehouse and the ledger are a pair (see `pair_up`).
    """
    withheld = [day for day in ledger.withheld() if day in dates]
    done = cut(
        connection,
        settings.schema_name,
        dates,
        now,
        integrations=settings.integrations,
        withheld=withheld,
        limits=_limits(settings, now.date()),
        again=[replay.id for replay in ledger.replays()],
        nothing_else=replays_only,
    )
    registered = register(connection, ledger, dates, now, done.again)
    record_ledger_generation(connection, ledger)
    return Due(done, registered, withheld)


def _limits(settings: Settings, today: date) -> Limits:
    """How large a batch may be, so that the ceilings hold."""
    return Limits(
        events_at_once(settings.segment_events_per_second),
        events_at_once(settings.backfill_events_per_second or settings.segment_events_per_second),
        today - timedelta(days=CURRENT_DAYS),
    )
