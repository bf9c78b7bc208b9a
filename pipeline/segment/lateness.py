"""Whether anything waits for Segment for too long."""

from datetime import date, datetime, timedelta

import duckdb

from pipeline.dates import EVERY_DATE
from pipeline.findings import Finding, counted, some
from pipeline.loads import Load, newest_loads
from pipeline.segment.ledger import REPORTED, Ledger
from pipeline.segment.replaying import asked_dates

# Between the moment in which an event was loaded and its delivery, there is a day at most.
DELIVERY_TARGET = timedelta(hours=24)

_WAITING = """
    SELECT export_date, count(*), min(cut_at) FROM delivery.outbox
    WHERE batch_id IN (SELECT unnest($1)) AND cut_at < $2
        AND id NOT IN (SELECT id FROM delivery.dead_events)
    GROUP BY ALL ORDER BY export_date
"""


def late_events(connection: duckdb.DuckDBPyConnection, ledger: Ledger, now: datetime, *, delivers: bool) -> Finding:
    """Events of whatever date that were cut, and dates that were loaded, longer ago than a delivery may take.

    Nothing is late while delivery is a dry run, and withheld dates wait on purpose.
    """
    if not delivers:
        return Finding(True, "Nothing is due at Segment while there is no write key (dry run).", {"late": 0})
    since = now - DELIVERY_TARGET
    withheld = set(ledger.withheld())
    waiting = ledger.waiting_ids(EVERY_DATE)
    late = [row for row in connection.execute(_WAITING, [waiting, since]).fetchall() if row[0] not in withheld]
    known = withheld | {row[0] for row in late}
    # Loaded long ago and never gone all the way: a run failed, and no other has come.
    stuck = sorted(day for day, load in unfinished(connection, ledger).items() if load.at < since and day not in known)
    numbers = {"late": sum(row[1] for row in late), "dates_not_finished": len(stuck)}
    words = []
    if late:
        oldest = max((now - row[2] for row in late), default=timedelta())
        words.append(
            f"{counted(numbers['late'], 'event')} of {some([str(row[0]) for row in late])} wait for Segment, the "
            f"oldest for {oldest.total_seconds() / 3600:,.0f} hours"
        )
    if stuck:
        words.append(f"{some([str(day) for day in stuck])} was loaded and did not go all the way")
    if not words:
        return Finding(True, "Nothing waits for Segment for more than 24 hours.", numbers)
    return Finding(
        False,
        f"{'; '.join(words)}. `python -m pipeline run` goes on with them; if they stay, the last failed run of "
        "delivery/* says what Segment answered.",
        numbers,
    )


def unfinished(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> dict[date, Load]:
    """Export dates whose newest file did not go all the way, and the load that it came with: a run failed, was killed,
    or was of some assets only; and those of which a replay was killed.
    """
    reported, asked = ledger.reached(REPORTED), asked_dates(connection, ledger)
    return {day: load for day, load in newest_loads(connection).items() if reported.get(day) != load or day in asked}
