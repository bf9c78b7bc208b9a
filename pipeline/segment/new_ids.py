"""Events that would be sent a second time under new ids, since a setting or a layout was changed after the delivery.

A changed time zone, or another column as the person, gives each event of a file a new id. The ids that were delivered
leave the tables, and about as many new ones come. Such new events are held until the change is undone, in which case
they are withdrawn, or until they are released. A correction replaces a few events of a date, and is sent.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from pipeline.catalog import IDENTIFIES
from pipeline.export_dates import ExportDates
from pipeline.finding import Finding, counted, plural, some
from pipeline.ledger import NEW_IDS, DeadEvent, HeldEvents, Ledger
from pipeline.masking import on_one_line
from pipeline.segment.cut_rules import Cut
from pipeline.segment.unwanted import withdrawn
from pipeline.warehouse import one_column

# A change affects all rows of a layout. An event of one date may come from files of several layouts (of brands or
# countries), of which one was changed. A correction concerns fewer rows.
REPLACED_SHARE = 0.25
# So many events of an event name and date are a correction, whatever their share is.
MOST_CORRECTED = 2
_LONGEST_NAME = 60

Withdrawn = Mapping[date, Mapping[str, int]]

# Layouts of files of a date that the newest load of the date has read again with the same bytes.
_CHANGED_LAYOUTS = """
    SELECT DISTINCT files.layout FROM raw.export_files AS files
    JOIN raw.export_files AS former USING (export_date, name, kind, sha256)
    WHERE files.status = 'loaded' AND former.status = 'replaced' AND files.kind = 'events'
        AND files.layout_fingerprint <> former.layout_fingerprint AND export_date = $1
        AND files.load_number = (
            SELECT max(load_number) FROM raw.export_files WHERE export_date = $1 AND kind = 'events'
        )
    ORDER BY ALL
"""


@dataclass(frozen=True)
class Guard:
    """What is known before new events are cut.

    `withdrawn` are the delivered events that are no longer in the tables. `hold_from` is the number of new events from
    which those of a date are held, and `because` the reason; without the date, they are sent.
    """

    withdrawn: Withdrawn
    hold_from: Mapping[date, int]
    because: Mapping[date, str]

    def to_accept(self, done: Cut) -> Withdrawn:
        """What is accepted with a cut: new events of the date were cut, and are not held."""
        return {day: gone for day, gone in self.withdrawn.items() if done.new.get(day) and day not in done.replacing}


def guard(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, gone: Sequence[DeadEvent], dates: ExportDates
) -> Guard | None:
    """Compare events that left the tables with those that were delivered; those that were not are registered as dead.
    None: no delivered event has left them.
    """
    left_tables = _counted(ledger.delivered_among([event for event in gone if event.event != IDENTIFIES.table]))
    if not left_tables:
        return None
    accepted = ledger.accepted_withdrawals(dates)
    delivered = defaultdict[date, Counter[str]](Counter)
    for standing in ledger.standings(dates):
        delivered[standing.export_date][standing.event] = standing.delivered
    # Some of them are held already, since an earlier run.
    because = {each.export_date: each.reason for each in ledger.replacing(dates) if each.export_date in left_tables}
    hold_from = dict.fromkeys(because, 1)
    for day, events in left_tables.items():
        left = Counter(events) - Counter(accepted.get(day, {}))
        if day not in because and _is_suspicious(left, delivered[day] - Counter(accepted.get(day, {}))):
            hold_from[day] = -(-left.total() // 2)
            because[day] = _reason(connection, day, left.total())
    return Guard(left_tables, hold_from, because)


def _is_suspicious(left: Counter[str], delivered: Counter[str]) -> bool:
    """Whether more events of any name, or of all together, left the tables than a correction replaces."""
    numbers = [(left[event], delivered[event]) for event in left] + [(left.total(), delivered.total())]
    return any(gone > MOST_CORRECTED and gone >= REPLACED_SHARE * of for gone, of in numbers)


def _reason(connection: duckdb.DuckDBPyConnection, day: date, withdrawn: int) -> str:
    layouts = [on_one_line(name, _LONGEST_NAME) for name in one_column(connection, _CHANGED_LAYOUTS, [day])]
    since = f", since {plural(len(layouts), 'layout', 'layouts')} {some(layouts)} changed" if layouts else ""
    return (
        f"{NEW_IDS}: {counted(withdrawn, 'delivered event')} of this date {plural(withdrawn, 'is', 'are')} no longer "
        f"in the tables{since}"
    )


def accept_released(
    connection: duckdb.DuckDBPyConnection, ledger: Ledger, event: str | None, reason: str, dates: ExportDates
) -> None:
    """Accept what the held events of these dates replace, of an event name or (None) all: further ones are sent."""
    days = {
        each.export_date
        for each in ledger.replacing(dates)
        if reason in each.reason and (event is None or each.event == event)
    }
    if days:
        gone = _counted(ledger.delivered_among(withdrawn(connection, ExportDates(min(days), max(days)))))
        ledger.accept_withdrawals({day: gone[day] for day in days if day in gone})


def _counted(delivered: Sequence[DeadEvent]) -> Withdrawn:
    numbers = defaultdict[date, Counter[str]](Counter)
    for event in delivered:
        numbers[event.export_date][event.event] += 1
    return numbers


def release_command(first: date, last: date) -> str:
    """The command that releases the held events of these dates."""
    days = f"--date {first}" if first == last else f"--from {first} --to {last}"
    return f'python -m pipeline replay --held --reason "{NEW_IDS}" {days}'


def held_with_new_ids(held: Sequence[HeldEvents]) -> Finding:
    """Report events that are held because they seem to replace delivered ones."""
    numbers = {"events": sum(each.events for each in held)}
    if not held:
        return Finding(True, "No delivered event comes under a new id.", numbers)
    by_date = defaultdict[date, int](int)
    reasons = {each.export_date: each.reason for each in held}
    for each in held:
        by_date[each.export_date] += each.events
    listed = [f"{counted(events, 'new event')} of {day} ({reasons[day]})" for day, events in by_date.items()]
    return Finding(
        False,
        f"Held instead of sent: {some(listed, '; ')}. A changed time zone, or another column as person, time or id, "
        "gives the same events other ids, and Segment would count them twice. If that was not intended, restore the "
        "setting or the layout, and run again: nothing is sent. If the new events are to be sent, too, "
        f"`{release_command(min(by_date), max(by_date))}` releases them.",
        numbers,
    )
