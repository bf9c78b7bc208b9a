"""The outbox and the ledger brought together: whatever was cut is entered, whatever was withdrawn is dead."""

from dataclasses import dataclass
from datetime import datetime

import duckdb

from pipeline.dates import ExportDates
from pipeline.segment import outbox
from pipeline.segment.ledger import Ledger


@dataclass(frozen=True)
class Registered:
    """What the ledger learnt: events withdrawn before they were sent, and after (Segment can't take them back)."""

    withdrawn_in_time: int
    withdrawn_too_late: int


def register(connection: duckdb.DuckDBPyConnection, ledger: Ledger, dates: ExportDates, now: datetime) -> Registered:
    """Enter every batch and every undeliverable event of these dates that the ledger does not know.

    The outbox is written first and this second, so a process killed in between loses nothing: the next one enters
    what is missing.
    """
    ledger.register(outbox.cut_batches(connection, dates), outbox.stillborn(connection, dates), now)
    gone = outbox.withdrawn(connection, dates)
    if not gone:
        return Registered(0, 0)
    return Registered(*ledger.withdraw(gone, now))
