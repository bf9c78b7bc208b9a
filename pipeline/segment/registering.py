"""The outbox and the ledger brought together: what was cut is entered; what was withdrawn or is suppressed is dead."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.dates import EVERY_DATE, ExportDates
from pipeline.segment import outbox
from pipeline.segment.ledger import Ledger
from pipeline.segment.pairing import pairing_of
from pipeline.suppression import is_anybody_new


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
