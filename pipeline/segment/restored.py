"""Events that may have been delivered between a backup and its restore, as they are loaded and cut again.

They are cut into batches of their own, which the outbox has as held, and so before the ledger knows them: a process
that is killed in between leaves nothing that is sent by mistake. The ledger then decides on the batches
(`settle_restored`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime

import duckdb

from pipeline.export_dates import ExportDates
from pipeline.finding import Finding, counted, some
from pipeline.ledger import IN_DOUBT, TAKEN_AS_DELIVERED, HeldEvents, Ledger, Restored
from pipeline.segment.cut_rules import Cut, CutRules, HeldExports
from pipeline.segment.outbox import cut
from pipeline.warehouse import has_rows

Connection = duckdb.DuckDBPyConnection


def cut_before_restore(
    connection: Connection, ledger: Ledger, schema: str, dates: ExportDates, now: datetime, rules: CutRules
) -> Cut:
    """Cut and hold what is due of exports from before the last restore, if these dates have any."""
    done = Cut({}, 0, 0)
    if (restored := ledger.restored()) is None:
        return done
    for exports in _exports_before(restored):
        if _are_among(connection, dates, exports):
            withheld = {*rules.withheld, *restored.withheld}
            done = cut(connection, schema, dates, now, replace(rules, only=exports, withheld=withheld)).after(done)
    return done


def because_of_restore(ledger: Ledger, dates: ExportDates) -> Mapping[date, str]:
    """Export dates whose new events are held, with the reason, whenever they were exported: some of the date were
    delivered in batches that the restored warehouse does not contain, and the new ones may be the same.
    """
    if (restored := ledger.restored()) is None:
        return {}
    return dict.fromkeys(ledger.former_dates(dates), in_doubt(restored.backup_at))


def _exports_before(restored: Restored) -> Iterator[HeldExports]:
    if restored.delivered_until is not None:
        yield HeldExports(restored.delivered_until, taken_as_delivered(restored.delivered_until))
    yield HeldExports(restored.at, in_doubt(restored.backup_at))


def _are_among(connection: Connection, dates: ExportDates, exports: HeldExports) -> bool:
    return has_rows(
        connection,
        "SELECT 1 FROM raw.export_files WHERE export_date BETWEEN ? AND ? AND exported_at <= ? LIMIT 1",
        [dates.first, dates.last, exports.until],
    )


def in_doubt(backup_at: datetime) -> str:
    """The reason of batches that may have been sent after a backup."""
    return f"{IN_DOUBT}: may have been sent after the backup of {backup_at:%Y-%m-%d %H:%M:%S} UTC"


def taken_as_delivered(until: datetime) -> str:
    """The reason of batches that the user stated to be sent."""
    return f"{TAKEN_AS_DELIVERED}: exported until {until:%Y-%m-%d %H:%M:%S} UTC (--delivered-until)"


def send_command(days: list[date]) -> str:
    """The command that releases the events in doubt of these dates."""
    first, last = min(days), max(days)
    dates = f"--date {first}" if first == last else f"--from {first} --to {last}"
    return f"python -m pipeline replay --held --reason {IN_DOUBT} {dates}"


def held_in_doubt(held: list[HeldEvents]) -> Finding:
    """Report events that are held since they may have been sent between a backup and its restore."""
    numbers = {"events": sum(each.events for each in held)}
    if not held:
        return Finding(True, "No event is held because of a restore.", numbers)
    listed = [f"{counted(each.events, f'{each.event} event')} of {each.export_date}" for each in held]
    return Finding(
        False,
        f"Held instead of sent, since Segment may have received them before the restore: {some(listed)}. If it has "
        f"not, `{send_command([each.export_date for each in held])}` releases them, under the same ids.",
        numbers,
    )
