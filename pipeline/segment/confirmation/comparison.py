"""What Segment reports as received, compared with what was delivered according to the ledger.

Segment counts by arrival time and knows no export dates. So everything delivered in a span of whole hours is compared,
whichever export it came from. Only the pipeline's event names count: the source may have others.

The ledger records a batch when its answer arrives, a moment after Segment has counted it, and the two clocks may
differ. So each hour is compared with a tolerance: a batch that Segment may have counted in another hour is allowed in
each of them and expected in none. The whole span is compared as well. What is lost in one hour is not offset by what is
counted twice in another. Segment may count a batch twice that was sent twice (and keep it once): that, and other
senders of the same source, are `more`, which is not a fault.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pipeline.catalog import EVENTS
from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger, SentBatch
from pipeline.segment.confirmation.public_api import Count, Stage, Unanswered, remedy

Ask = Callable[[Stage, datetime, datetime], Sequence[Count] | Unanswered]
_Hourly = Counter[tuple[datetime, str]]

# Public API docs, "Delivery Overview" (granularity): so far back are hours, by Segment's clock, after all tries.
DAYS_BACK, _MARGIN = timedelta(days=14), timedelta(hours=2)
# A run confirms the runs before it: its own events are too new.
LOOK_BACK = timedelta(days=2)
# Segment counts with a delay of some minutes; a newer event is neither received nor lost yet.
LAG = timedelta(minutes=15)
# Between this machine's clock and Segment's.
CLOCKS_APART = timedelta(minutes=1)
# Over a longer span, the table is by day instead of by hour.
_HOURS_SHOWN_OVER = timedelta(days=3)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_TABLES = {event.name: event.table for event in EVENTS}


@dataclass(frozen=True)
class Tally:
    """One event name over the whole span, in events; `more` and `missing` are unexplained differences."""

    event: str
    delivered: int = 0
    received: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    filtered: Mapping[str, int] = field(default_factory=dict)
    missing: int = 0
    more: int = 0

    @property
    def discarded(self) -> Mapping[str, int]:
        """By Segment's reason."""
        return Counter(self.failed) + Counter(self.filtered)


@dataclass(frozen=True)
class Moment:
    """One event name in one hour or day; numbers of neighbours may differ by a batch at the edge."""

    start: datetime
    event: str
    delivered: int
    received: int
    discarded: int


@dataclass(frozen=True)
class Confirmation:
    """The result in a word (`state`), a sentence and numbers; without numbers where nothing was compared."""

    state: str
    holds: bool
    sentence: str
    tallies: Sequence[Tally] = ()
    moments: Sequence[Moment] = ()
    since: datetime | None = None
    until: datetime | None = None
    not_yet: int = 0


OFF = Confirmation(
    "off",
    True,
    "Confirmation is off: set SEGMENT_PUBLIC_API_TOKEN and SEGMENT_SOURCE_ID to compare with Segment's counts.",
)


def confirm(ledger: Ledger, ask: Ask, dates: ExportDates, now: datetime) -> Confirmation:
    """Compare what was delivered since the first delivery of these dates, or in the last two days if that is longer."""
    sent = ledger.sent_since(now - DAYS_BACK)
    delivered = [(batch, batch.delivered_at) for batch in sent if batch.delivered_at is not None]
    if not any(batch.export_date in dates for batch, _ in delivered):
        return Confirmation(
            "nothing to ask",
            True,
            f"No event of these dates was delivered in the last {DAYS_BACK.days} days; Segment counts no further back.",
        )
    first = min(
        batch.first_attempt_at - CLOCKS_APART
        for batch, at in delivered
        if batch.export_date in dates or at >= now - LOOK_BACK
    )
    since, until = _start(max(first, now - DAYS_BACK + _MARGIN)), _start(now - LAG)
    not_yet = sum(batch.events - batch.lost for batch, at in delivered if at >= until)
    later = (
        f"Not yet confirmed: {not_yet:,} events delivered since {_shown(until)}, and Segment counts some minutes late; "
        f"the next run confirms them, or materialize delivery/confirmation again after {_shown(until + _HOUR + LAG)}."
    )
    if since >= until:
        return Confirmation("not yet", True, later, until=until, not_yet=not_yet)
    counts: dict[Stage, Sequence[Count]] = {}
    for stage in Stage:
        answer = ask(stage, since, until)
        if isinstance(answer, Unanswered):
            return _unanswered(answer)
        counts[stage] = answer
    tallies, moments = compare(sent, counts, since, until)
    unnamed = _by_reason(counts[Stage.FAILED], "") + _by_reason(counts[Stage.FILTERED], "")
    holds, sentence = _verdict(tallies, unnamed, since, until)
    sentence += f" {later}" if not_yet else ""
    return Confirmation("confirmed" if holds else "differs", holds, sentence, tallies, moments, since, until, not_yet)


def compare(
    sent: Iterable[SentBatch], counts: Mapping[Stage, Sequence[Count]], since: datetime, until: datetime
) -> tuple[list[Tally], list[Moment]]:
    """Compare the ledger with Segment's counts from one full hour up to another: by event name, and by time.

    Whether Segment counts what it filters among the received does not matter: `missing` are events that it neither
    received nor discarded.
    """
    delivered, expected, allowed, received, discarded = (_Hourly() for _ in range(5))
    certain = Counter[str]()
    for batch in sent:
        first, at = batch.first_attempt_at - CLOCKS_APART, batch.delivered_at
        last = until if at is None else at + CLOCKS_APART
        hour = _start(max(first, since))
        while hour < min(last, until):
            allowed[hour, batch.event] += batch.events
            hour += _HOUR
        if at is not None and since <= at < until:
            kept = batch.events - batch.lost
            delivered[_start(at), batch.event] += kept
            if since <= first and last <= until:
                certain[batch.event] += kept
                if last <= _start(first) + _HOUR:
                    expected[_start(first), batch.event] += kept
    for stage, found in counts.items():
        for count in found:
            if count.event_name in _TABLES:
                hourly = received if stage is Stage.RECEIVED else discarded
                hourly[_start(count.time), _TABLES[count.event_name]] += count.events
    unmatched, more = expected - received - discarded, received - allowed
    tallies = []
    for name, table in _TABLES.items():
        failed, filtered = (_by_reason(counts.get(stage, ()), name) for stage in (Stage.FAILED, Stage.FILTERED))
        total = _total(received, table)
        overall = certain[table] - total - _total(discarded, table)
        missing = max(overall, _total(unmatched, table))
        tallies.append(
            Tally(table, _total(delivered, table), total, failed, filtered, missing, more=_total(more, table))
        )
    size = _HOUR if until - since <= _HOURS_SHOWN_OVER else _DAY
    shown = [_merged(hourly, size) for hourly in (delivered, received, discarded)]
    return tallies, [Moment(*key, *(hourly[key] for hourly in shown)) for key in sorted(sum(shown, _Hourly()))]


def _total(hourly: _Hourly, table: str) -> int:
    return sum(events for (_, name), events in hourly.items() if name == table)


def _merged(hourly: _Hourly, size: timedelta) -> _Hourly:
    merged = _Hourly()
    for (hour, table), events in hourly.items():
        merged[_start(hour, size), table] += events
    return merged


def _by_reason(counts: Iterable[Count], name: str) -> Counter[str]:
    reasons = Counter[str]()
    for count in counts:
        if count.event_name == name and count.events:
            reasons[count.reason or "no reason given"] += count.events
    return reasons


def _verdict(
    tallies: Sequence[Tally], unnamed: Mapping[str, int], since: datetime, until: datetime
) -> tuple[bool, str]:
    delivered = f"{sum(tally.delivered for tally in tallies):,} events that were delivered"
    delivered += f" from {_shown(since)} to {_shown(until)}"
    surplus = ""
    if more := sum(tally.more for tally in tallies):
        surplus = (
            f" Segment counts {more:,} more than the ledger: batches that were sent twice because an answer was lost, "
            "or another sender of this source."
        )
    discards = [
        f"{events:,} {tally.event} for {reason} ({remedy(reason)})"
        for tally in tallies
        for reason, events in sorted(tally.discarded.items())
    ]
    missing = [f"{tally.missing:,} {tally.event}" for tally in tallies if tally.missing]
    if not discards and not missing:
        return True, f"Segment received all {delivered}.{surplus}"
    words = []
    if discards:
        words.append(f"discarded {', '.join(discards)}")
    if missing:
        words.append(
            f"has not counted {', '.join(missing)} (check that SEGMENT_SOURCE_ID is the source of SEGMENT_WRITE_KEY, "
            "and check its debugger)"
        )
        # Segment docs, "Delivery Overview": not every step knows event names. These may be the missing ones.
        surplus = (
            "".join(
                f" It discarded {events:,} events without a name for {reason} ({remedy(reason)})."
                for reason, events in sorted(unnamed.items())
            )
            + surplus
        )
    return False, f"Of {delivered}, Segment {' and '.join(words)}.{surplus}"


def _unanswered(answer: Unanswered) -> Confirmation:
    return Confirmation(
        "unanswered",
        False,
        f"Segment's Public API gave no numbers: {answer.reason.rstrip('.')}. "
        "Fix that and materialize delivery/confirmation of these dates again; the deliveries are not affected.",
    )


def _start(moment: datetime, size: timedelta = _HOUR) -> datetime:
    """The start of the hour or day (in UTC) of a moment."""
    return moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % size


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
