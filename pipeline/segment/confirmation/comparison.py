"""What Segment says it kept, beside what the ledger says was delivered.

Segment counts by the time at which an event arrived and knows nothing of export dates, so what is compared is
everything that was delivered in a stretch of time, whichever export it came from. Only our six event names count:
the source may have others.

The ledger notes a batch when its answer is there, a moment after Segment has counted it, and the two clocks may differ.
At the edge of the stretch, events count as missing only where the first try and the answer were well inside it. Within
it, hours and days that no batch reaches beyond are compared by themselves: what is lost on one day is not made up for
by what is counted twice on another. Segment may count a batch twice that was sent
twice (and keep it once): that, and other senders of the same source, show up as `more`, which is no fault.
"""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from pipeline.catalog import EVENTS
from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger, SentBatch
from pipeline.segment.confirmation.public_api import Count, Counted, Stage, Unanswered, remedy
from pipeline.segment.confirmation.windows import DAYS_BACK, SIZES, Granularity, Window, counted_until, floor, windows

Ask = Callable[[Stage, Window], Counted | Unanswered]

# What a run delivers is too new to be confirmed by it; the next day's run does it.
LOOK_BACK = timedelta(days=2)
# This machine's clock and Segment's: a batch near an edge may be counted on the other side of it.
CLOCKS_APART = timedelta(minutes=1)
# A table by the hour is read over so many days, else it is one by the day.
_HOURS_SHOWN_OVER = timedelta(days=3)
_TABLES = {event.name: event.table for event in EVENTS}


@dataclass(frozen=True)
class Tally:
    """One event name over the whole stretch, in events; `more` and `missing` are what nothing explains."""

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
    """The answer, in a word (`state`), a sentence, and numbers; without numbers where nothing was asked."""

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
    "Confirmation is off: set SEGMENT_PUBLIC_API_TOKEN and SEGMENT_SOURCE_ID, and Segment is asked what it kept.",
)


def confirm(ledger: Ledger, ask: Ask, dates: ExportDates, now: datetime) -> Confirmation:
    """Ask Segment about everything that was delivered since the first delivery of these export dates, or in the last
    two days if that is longer ago, and compare.
    """
    sent = ledger.sent_since(now - DAYS_BACK)
    delivered = [(batch, batch.delivered_at) for batch in sent if batch.delivered_at is not None]
    if not any(batch.export_date in dates for batch, _ in delivered):
        return Confirmation(
            "nothing to ask",
            True,
            f"Nothing of these dates was delivered in the last {DAYS_BACK.days} days; Segment counts no further back.",
        )
    until = counted_until(now)
    not_yet = sum(batch.events - batch.lost for batch, at in delivered if at >= until)
    since = min(
        batch.first_attempt_at - CLOCKS_APART
        for batch, at in delivered
        if batch.export_date in dates or at >= now - LOOK_BACK
    )
    asked = windows(since, now) if since < until else []
    if not asked:
        return Confirmation("not yet", True, _not_yet(not_yet, until), until=until, not_yet=not_yet)
    counts: dict[Stage, list[Count]] = defaultdict(list)
    nameless: list[Count] = []
    for window in asked:
        for stage in Stage:
            answer = ask(stage, window)
            if isinstance(answer, Unanswered):
                return _unanswered(answer)
            counts[stage] += [count for count in answer.counts if count.event_name in _TABLES]
            if stage is not Stage.RECEIVED:
                nameless += [count for count in answer.counts if not count.event_name]
    start = asked[0].start
    tallies = added(
        compare(batches, _inside(counts, *edges), *edges) for edges, batches in stretches(sent, asked).items()
    )
    holds, sentence = _verdict(tallies, _by_reason(nameless, ""), start, until)
    if not_yet:
        sentence += " " + _not_yet(not_yet, until)
    state = "confirmed" if holds else "differs"
    return Confirmation(state, holds, sentence, tallies, _moments(sent, counts, start, until), start, until, not_yet)


def stretches(
    sent: Sequence[SentBatch], asked: Sequence[Window]
) -> Mapping[tuple[datetime, datetime], Sequence[SentBatch]]:
    """The time that was asked about, cut at every edge of a bucket that no batch may have been counted across; and the
    batches that may have been counted in each stretch, those without an answer in whatever came after their first try.
    """
    edges = {
        window.start + number * SIZES[window.granularity]
        for window in asked
        if window.granularity is not Granularity.MINUTE
        for number in range(1, (window.end - window.start) // SIZES[window.granularity])
    } | {window.start for window in asked[1:]}
    for batch in sent:
        if batch.delivered_at is not None:
            first, last = batch.first_attempt_at - CLOCKS_APART, batch.delivered_at + CLOCKS_APART
            edges -= set(_edges_between(first, last))
    starts = [asked[0].start, *sorted(edges)]
    found: dict[tuple[datetime, datetime], list[SentBatch]]
    found = {stretch: [] for stretch in pairwise([*starts, asked[-1].end])}
    lists = list(found.values())
    for batch in sent:
        begin = max(0, bisect_right(starts, batch.first_attempt_at - CLOCKS_APART) - 1)
        end = len(starts) if batch.delivered_at is None else bisect_left(starts, batch.delivered_at + CLOCKS_APART)
        for batches in lists[begin:end]:
            batches.append(batch)
    return found


def _edges_between(first: datetime, last: datetime) -> Iterator[datetime]:
    edge = floor(first, SIZES[Granularity.HOUR]) + SIZES[Granularity.HOUR]
    while edge < last:
        yield edge
        edge += SIZES[Granularity.HOUR]


def _inside(
    counts: Mapping[Stage, Sequence[Count]], since: datetime, until: datetime
) -> Mapping[Stage, Sequence[Count]]:
    return {stage: [count for count in found if since <= count.time < until] for stage, found in counts.items()}


def added(by_stretch: Iterable[Sequence[Tally]]) -> list[Tally]:
    """One tally an event name, whatever number of stretches it was compared in."""
    sums: dict[str, Tally] = {}
    for tally in (tally for tallies in by_stretch for tally in tallies):
        known = sums.get(tally.event, Tally(tally.event))
        sums[tally.event] = Tally(
            tally.event,
            known.delivered + tally.delivered,
            known.received + tally.received,
            dict(Counter(known.failed) + Counter(tally.failed)),
            dict(Counter(known.filtered) + Counter(tally.filtered)),
            known.missing + tally.missing,
            known.more + tally.more,
        )
    return list(sums.values())


def compare(
    sent: Iterable[SentBatch], counts: Mapping[Stage, Sequence[Count]], since: datetime, until: datetime
) -> list[Tally]:
    """The six event names, each with what the ledger and Segment say of the time from `since` up to `until`.

    Whether Segment counts what it filters among the received does not matter: `missing` are events that it neither
    received nor discarded.
    """
    delivered, certain, possible = Counter[str](), Counter[str](), Counter[str]()
    for batch in sent:
        at = batch.delivered_at
        if at is not None and since <= at < until:
            delivered[batch.event] += batch.events - batch.lost
            if batch.first_attempt_at - CLOCKS_APART >= since and at + CLOCKS_APART <= until:
                certain[batch.event] += batch.events - batch.lost
        if batch.first_attempt_at - CLOCKS_APART < until and (at is None or at + CLOCKS_APART > since):
            possible[batch.event] += batch.events
    found = []
    for name, table in _TABLES.items():
        received = sum(count.events for count in counts.get(Stage.RECEIVED, ()) if count.event_name == name)
        failed, filtered = (_by_reason(counts.get(stage, ()), name) for stage in (Stage.FAILED, Stage.FILTERED))
        discarded = failed.total() + filtered.total()
        found.append(
            Tally(
                table,
                delivered[table],
                received,
                dict(failed),
                dict(filtered),
                missing=max(0, certain[table] - received - discarded),
                more=max(0, received - possible[table]),
            )
        )
    return found


def _by_reason(counts: Iterable[Count], name: str) -> Counter[str]:
    reasons = Counter[str]()
    for count in counts:
        if count.event_name == name and count.events:
            reasons[count.reason or "no reason given"] += count.events
    return reasons


def _moments(
    sent: Iterable[SentBatch], counts: Mapping[Stage, Sequence[Count]], since: datetime, until: datetime
) -> list[Moment]:
    by_hour = until - since <= _HOURS_SHOWN_OVER
    size = timedelta(hours=1) if by_hour else timedelta(days=1)
    delivered, received, discarded = (Counter[tuple[datetime, str]]() for _ in range(3))
    for batch in sent:
        if batch.delivered_at is not None and since <= batch.delivered_at < until:
            delivered[floor(batch.delivered_at, size), batch.event] += batch.events - batch.lost
    for stage, found in counts.items():
        for count in found:
            counter = received if stage is Stage.RECEIVED else discarded
            counter[floor(count.time, size), _TABLES[count.event_name]] += count.events
    return [
        Moment(*key, delivered[key], received[key], discarded[key])
        for key in sorted({*delivered, *received, *discarded})
        if delivered[key] or received[key] or discarded[key]
    ]


def _verdict(
    tallies: Sequence[Tally], nameless: Mapping[str, int], since: datetime, until: datetime
) -> tuple[bool, str]:
    delivered = sum(tally.delivered for tally in tallies)
    span = f"{_shown(since)} to {_shown(until)}"
    more = sum(tally.more for tally in tallies)
    surplus = (
        f" Segment counts {more:,} more than the ledger: batches that were sent twice, since an answer was lost, or "
        "another sender of this source."
        if more
        else ""
    )
    discards = [
        f"{events:,} {tally.event} for {reason} ({remedy(reason)})"
        for tally in tallies
        for reason, events in sorted(tally.discarded.items())
    ]
    missing = [f"{tally.missing:,} {tally.event}" for tally in tallies if tally.missing]
    if not discards and not missing:
        return True, f"Segment received all {delivered:,} events that were delivered from {span}.{surplus}"
    words = f"Of {delivered:,} events that were delivered from {span}, Segment"
    if discards:
        words += f" discarded {', '.join(discards)}"
    if missing:
        words += f"{' and' if discards else ''} has not counted {', '.join(missing)}"
        words += " (check that SEGMENT_SOURCE_ID is the source of SEGMENT_WRITE_KEY, and look into its debugger)"
    # Segment docs, "Delivery Overview": not every step knows the names of events. Perhaps they are the missing ones.
    unnamed = "".join(
        f" It discarded {events:,} events without telling their names for {reason} ({remedy(reason)})."
        for reason, events in sorted(nameless.items())
        if missing
    )
    return False, f"{words}.{unnamed}{surplus}"


def _not_yet(events: int, until: datetime) -> str:
    return (
        f"Not yet: {events:,} events were delivered since {_shown(until)}, and Segment counts some minutes late; "
        "the next run tells, or materialise delivery/confirmation of these dates again in half an hour."
    )


def _unanswered(answer: Unanswered) -> Confirmation:
    return Confirmation(
        "unanswered",
        False,
        f"Segment's Public API told nothing: {answer.reason.rstrip('.')}. "
        "Put that right and materialise delivery/confirmation of these dates again; the deliveries are not touched.",
    )


def _shown(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
