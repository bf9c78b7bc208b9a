"""From the event tables into the outbox and the ledger: what a run and a replay have in common."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import duckdb

from pipeline.dates import ExportDates
from pipeline.segment.delivery import CURRENT_DAYS
from pipeline.segment.ledger import Ledger
from pipeline.segment.outbox import Cut, Limits, cut
from pipeline.segment.pacing import events_at_once
from pipeline.segment.pairing import see
from pipeline.segment.registering import Registered, register
from pipeline.settings import Settings


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
    see(connection, ledger)
    return Due(done, registered, withheld)


def _limits(settings: Settings, today: date) -> Limits:
    """How large a batch may be, so that the ceilings hold."""
    return Limits(
        events_at_once(settings.segment_events_per_second),
        events_at_once(settings.backfill_events_per_second or settings.segment_events_per_second),
        today - timedelta(days=CURRENT_DAYS),
    )
