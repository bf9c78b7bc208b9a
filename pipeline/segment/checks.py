"""Checks of the path to Segment, each computed from the tables and the ledger, in the order of the path:

1. `staged_is_modelled`: every staged row is in an event table, or a duplicate;
2. `due_is_settled`: every event that was ever due is delivered, waiting, dead, held or forgotten;
3. `late_events`: no event waits for more than a day.
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
import duckdb

from pipeline.catalog import EVENTS
from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.finding import Finding, counted, plural, some
from pipeline.ledger import Ledger
from pipeline.masking import on_one_line
from pipeline.orchestration.asset_checks import Check
from pipeline.orchestration.asset_keys import OUTBOX, REPORT
from pipeline.orchestration.executor import AFTER_FAILURES
from pipeline.orchestration.partitions import WAREHOUSE_READERS
from pipeline.orchestration.resources import WarehouseResource
from pipeline.segment.resources import SegmentResource
from pipeline.segment.unfinished_dates import unfinished
from pipeline.warehouse import one_row, one_value, quoted

STAGED_IS_MODELLED = Check(
    "staged_is_modelled_or_known",
    OUTBOX,
    "Rows staged = events in the event tables + rows that duplicate a known event.",
    blocking=True,
)
DUE_IS_SETTLED = Check(
    "due_is_delivered_waiting_or_dead",
    REPORT,
    "Events that were ever due = delivered + waiting + dead + held + forgotten.",
)
NOTHING_WITHDRAWN = Check(
    "no_delivered_event_is_withdrawn",
    OUTBOX,
    "No corrected export lacks an event that was delivered: Segment can't take it back.",
)
NO_NEW_IDS = Check(
    "delivered_events_keep_their_ids",
    OUTBOX,
    "No changed layout or setting gives delivered events other ids; events that seem to have one are held.",
)
NOTHING_IN_DOUBT = Check(
    "no_event_is_held_since_a_restore",
    OUTBOX,
    "It is known of every event whether it was delivered before the last restore; the others are held.",
)
NOTHING_DEAD = Check(
    "no_event_is_dead",
    REPORT,
    "Segment takes every event of these dates; suppressed and withdrawn events are exempt.",
)
NOTHING_WAITS_FOR_LONG = Check(
    "nothing_waits_for_long",
    REPORT,
    "Within a day of its loading, every event is delivered, or dead with a reason. Held events and withheld dates are "
    "exempt.",
)
# Between the loading of an event and its delivery.
DELIVERY_TARGET = timedelta(hours=24)
_LONGEST_REASON = 200

_WAITING = """
    SELECT export_date, count(*), min(cut_at) FROM delivery.outbox
    WHERE batch_id IN (SELECT unnest($1)) AND cut_at < $2
        AND id NOT IN (SELECT id FROM delivery.dead_events)
    GROUP BY ALL ORDER BY export_date
"""


def staged_is_modelled(connection: duckdb.DuckDBPyConnection, schema: str, dates: ExportDates) -> Finding:
    """Compare rows staged for these dates with rows in the event tables plus duplicates of known events."""
    tables = " UNION ALL ".join(
        f"SELECT id FROM {quoted(schema)}.{quoted(event.table)} WHERE timestamp BETWEEN span.first AND span.last"
        for event in EVENTS
    )
    staged, modelled, duplicates = one_row(
        connection,
        f"""
        WITH rows AS MATERIALIZED (
            SELECT id, export_date, timestamp FROM staging.event_rows WHERE export_date BETWEEN $1 AND $2
        ),
        events AS MATERIALIZED (
            SELECT id FROM staging.events WHERE export_date BETWEEN $1 AND $2
        ),
        ids AS MATERIALIZED (
            SELECT DISTINCT id FROM rows
        ),
        tables AS (
            SELECT CAST(id AS UUID) AS id
            FROM (SELECT min(timestamp) AS first, max(timestamp) AS last FROM rows) AS span, LATERAL ({tables})
        )
        SELECT
            (SELECT count(*) FROM rows),
            (SELECT count(*) FROM tables WHERE id IN (SELECT id FROM events)),
            (SELECT count(*) FROM rows) - (SELECT count(*) FROM ids)
                + (SELECT count(*) FROM ids WHERE id NOT IN (SELECT id FROM events))
        """,
        [dates.first, dates.last],
    )
    numbers = {"staged": staged, "modelled": modelled, "duplicates": duplicates}
    if staged == modelled + duplicates:
        return Finding(True, f"{staged:,} rows = {modelled:,} events + {counted(duplicates, 'duplicate')}.", numbers)
    return Finding(
        False,
        f"{staged:,} rows are staged, but the tables contain {modelled:,} events, and {duplicates:,} rows are "
        f"duplicates. Run these dates again (`python -m pipeline run --from {dates.first} --to {dates.last}`) "
        "to add the missing ones.",
        numbers,
        grave=True,
    )


def due_is_settled(connection: duckdb.DuckDBPyConnection, ledger: Ledger, dates: ExportDates) -> Finding:
    """Compare events that were ever due for these dates with delivered, waiting, dead, held and forgotten ones."""
    query = "SELECT count(*) FROM delivery.outbox WHERE export_date BETWEEN ? AND ?"
    outbox = one_value(connection, query, [dates.first, dates.last])
    standings = ledger.standings(dates)
    forgotten = sum(standing.forgotten for standing in standings)
    due = outbox + forgotten
    delivered = sum(standing.delivered for standing in standings)
    waiting = sum(standing.waiting for standing in standings)
    dead = sum(standing.dead for standing in standings)
    held = sum(standing.held for standing in standings)
    numbers = {"due": due, "delivered": delivered, "waiting": waiting, "dead": dead, "held": held}
    words = f"{delivered:,} delivered + {waiting:,} waiting + {dead:,} dead"
    if held:
        words += f" + {held:,} held"
    if forgotten:
        numbers["forgotten"] = forgotten
        words += f" + {forgotten:,} forgotten"
    if due == delivered + waiting + dead + held + forgotten:
        return Finding(True, f"{due:,} events that were due = {words}.", numbers)
    return Finding(
        False,
        f"{due:,} events were due, but {words}. Materialize delivery/outbox of these dates again.",
        numbers,
        grave=True,
    )


def withdrawn_too_late(events: int) -> Finding:
    """Report delivered events that a corrected export no longer contains."""
    numbers = {"events": events}
    if not events:
        return Finding(True, "No delivered event was withdrawn.", numbers)
    return Finding(
        False,
        f"{counted(events, 'event')} delivered, but a corrected export no longer contains "
        f"{plural(events, 'it', 'them')}. {plural(events, 'It is', 'They are')} in Segment, and no longer in the event "
        "tables; delete what matters in Segment's destinations.",
        numbers,
    )


def dead_events(ledger: Ledger, dates: ExportDates) -> Finding:
    """Report dead events of these dates by reason, without suppressed and withdrawn ones."""
    reasons = ledger.dead_reasons(most=None, dates=dates, wanted=True)
    numbers = {"dead": sum(events for _, events in reasons)}
    if not reasons:
        return Finding(True, "No event is dead.", numbers)
    listed = some([f"{on_one_line(reason, _LONGEST_REASON)} ({events:,})" for reason, events in reasons], "; ")
    return Finding(
        False,
        f"{counted(numbers['dead'], 'event')} dead: {listed}. Correct the cause; then `python -m pipeline replay` and "
        "`python -m pipeline run` send what Segment takes.",
        numbers,
    )


def late_events(connection: duckdb.DuckDBPyConnection, ledger: Ledger, now: datetime, *, delivers: bool) -> Finding:
    """Find dates whose events are not delivered a day after they were cut or loaded, but for held events and withheld
    dates.
    """
    if not delivers:
        return Finding(True, "No event is late: without a write key, none is sent (dry run).", {"late": 0})
    since = now - DELIVERY_TARGET
    withheld = set(ledger.withheld())
    replayed = ledger.replayed_since(since)
    waiting = [batch_id for batch_id in ledger.waiting_ids(EVERY_DATE) if batch_id not in replayed]
    late = [row for row in connection.execute(_WAITING, [waiting, since]).fetchall() if row[0] not in withheld]
    known = withheld | {row[0] for row in late}
    # Loaded long ago and not in the report: a run failed, and none has succeeded since.
    stuck = sorted(day for day, load in unfinished(connection, ledger).items() if load.at < since and day not in known)
    numbers = {"late": sum(row[1] for row in late), "dates_not_finished": len(stuck)}
    words = []
    if late:
        oldest = max((now - row[2] for row in late), default=timedelta())
        words.append(
            f"{counted(numbers['late'], 'event')} of {some([str(row[0]) for row in late])} waiting for delivery, the "
            f"oldest for {oldest.total_seconds() / 3600:,.0f} hours"
        )
    if stuck:
        words.append(f"loaded, but not completed by a run: {some([str(day) for day in stuck])}")
    if not words:
        return Finding(True, "No event has been waiting for more than 24 hours.", numbers)
    return Finding(
        False,
        f"{'; '.join(words)}. `python -m pipeline run` continues with them; if they remain, the last failed run of "
        "delivery/* shows what Segment answered.",
        numbers,
    )


@dg.multi_asset_check(
    name="delivery__report__checks",
    specs=[NOTHING_WAITS_FOR_LONG.spec],
    op_tags=AFTER_FAILURES,
    pool=WAREHOUSE_READERS,
)
def lateness_check(warehouse: WarehouseResource, segment: SegmentResource) -> dg.AssetCheckResult:
    """Find events of any date that wait for Segment for more than a day."""
    with warehouse.open().reading() as connection:
        found = late_events(connection, warehouse.ledger(), datetime.now(UTC), delivers=segment.settings().delivers)
    return NOTHING_WAITS_FOR_LONG.result(found)
