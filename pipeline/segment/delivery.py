"""The sending of one event name's waiting batches: ledger → client → ledger."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from itertools import groupby
from threading import Event

import duckdb

from pipeline.errors import PipelineError
from pipeline.export_dates import ExportDates
from pipeline.ledger import Batch, DeadEvent, Ledger, Settled
from pipeline.segment.bisection import Outcome, Send, settle
from pipeline.segment.client import Answer
from pipeline.segment.outbox import bodies
from pipeline.segment.verdicts import RetryLater

# Batches read from the outbox at a time: some 8 MB of text, in less time than Segment takes for an answer.
READ_AHEAD = 16
# Requests on their way and in the queue for each connection: none is idle while the next batches are read.
_QUEUE = 2
# Of old dates few at a time, since before each group it is asked whether something newer has come.
HISTORY_READ_AHEAD = 4
_STOPPED = RetryLater("the sending was stopped")
# Export dates that are older than so many days are history.
CURRENT_DAYS = 7


@dataclass(frozen=True)
class Sent:
    """What one go of delivery did for an event name, in batches and in tries.

    `stopped_by` is why it ended before everything was sent; the rest is waiting in the ledger. `refused`: it will go
    on being refused until a person has changed something. `dead` is how many events died, the first `dead_because`.
    """

    batches: int
    attempts: int
    stopped_by: str | None = None
    refused: bool = False
    dead: int = 0
    dead_because: str | None = None


@dataclass(frozen=True)
class History:
    """How batches of export dates `before` a day go out: by a `send` that is slower, and after all newer ones."""

    before: date
    send: Send


@dataclass(frozen=True)
class _Item:
    batch: Batch
    messages: str
    send: Send
    is_history: bool


def deliver(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    send: Send,
    event: str,
    dates: ExportDates,
    connections: int,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[int, int], None] = lambda _done, _of: None,
    history: History | None = None,
    has_delivered: Callable[[], bool] = lambda: False,
    stop: Event | None = None,
) -> Sent:
    """Send every waiting batch of one event name and these export dates, `connections` at a time.

    Each batch is written into the ledger as soon as it is settled, so a killed process sends again only what was in
    flight; a ledger that can't be written ends the sending. The first batch that can't be settled stops it: what holds
    for one holds for the next. `progress` gets the number of events that were taken, and of all. What `history` says
    is old goes last, on a quarter of the connections; and whatever newer batch of any event comes to wait meanwhile
    goes before it.

    A batch of one event that is rejected is settled when Segment has taken another: here, or anywhere in the run
    (`has_delivered`). Where it takes none, the event is not dead, and the sending is refused.

    Once `stop` is set, nothing more goes out; what is on its way is waited for and written down. It is set here, too,
    where the sending ends with an error, so that what waits for its next try ends as well.

    Raises:
        DeliveryError: the ledger can't be read or written.
    """
    stop = stop or Event()
    supply = _Supply(connection, ledger, send, event, dates, clock, history)
    items = iter(supply)
    tally = _Tally()
    failure: BaseException | None = None
    in_flight: dict[Future[Outcome | None], _Item] = {}
    held_back: _Item | None = None
    unproven: list[tuple[Batch, Outcome]] = []
    halted = Event()

    def unless_stopped(send: Send, messages: str, events: int) -> Answer:
        return Answer(_STOPPED, 0) if stop.is_set() else send(messages, events)

    def go(item: _Item) -> Outcome | None:
        # Asked here, since what is queued would begin before the answer that stops it was looked at.
        if halted.is_set() or stop.is_set():
            return None
        outcome = settle(partial(unless_stopped, item.send), item.messages)
        if outcome.postponed or outcome.refused:
            halted.set()
        return outcome

    def write_down(outcomes: Sequence[tuple[Batch, Outcome]]) -> None:
        ledger.settle([_settled(batch, outcome) for batch, outcome in outcomes], clock())
        for _, outcome in outcomes:
            tally.add(outcome)

    with ThreadPoolExecutor(connections, thread_name_prefix="segment") as pool, ExitStack() as at_the_end:
        at_the_end.callback(stop.set)  # where the ledger can't be written, nothing more goes out
        while True:
            while not (stop.is_set() or tally.stopped_by or failure) and len(in_flight) < _QUEUE * connections:
                try:
                    item = held_back or next(items, None)
                except (duckdb.Error, PipelineError) as error:
                    failure = error
                    break
                held_back = None
                if item is None:
                    break
                if item.is_history and sum(other.is_history for other in in_flight.values()) >= -(-connections // 4):
                    held_back = item
                    break
                in_flight[pool.submit(go, item)] = item
            if not in_flight:
                break
            finished, _ = wait(in_flight, return_when=FIRST_COMPLETED)
            outcomes = list[tuple[Batch, Outcome]]()
            for future in finished:
                batch = in_flight.pop(future).batch
                if (fault := future.exception()) is not None:
                    # What its neighbours were answered is written down first.
                    stop.set()
                    failure = failure or fault
                elif (outcome := future.result()) is not None:
                    (unproven if outcome.unproven else outcomes).append((batch, outcome))
            if unproven and (tally.taken or any(outcome.taken for _, outcome in outcomes) or has_delivered()):
                outcomes += [(batch, outcome.proven()) for batch, outcome in unproven]
                unproven.clear()
            write_down(outcomes)
            progress(tally.taken, supply.events)
        write_down([(batch, outcome.waiting()) for batch, outcome in unproven])
    if failure is not None:
        raise failure
    return tally.sent()


@dataclass
class _Tally:
    """What was settled so far."""

    taken: int = 0
    batches: int = 0
    attempts: int = 0
    dead: int = 0
    dead_because: str | None = None
    stopped_by: str | None = None
    refused: bool = False

    def add(self, outcome: Outcome) -> None:
        self.taken += outcome.taken
        self.batches += outcome.delivered
        self.attempts += outcome.attempts
        self.dead += len(outcome.dead)
        self.dead_because = self.dead_because or next((reason for _, reason in outcome.dead), None)
        self.stopped_by = self.stopped_by or outcome.refused or outcome.postponed
        self.refused = self.refused or outcome.refused is not None

    def sent(self) -> Sent:
        return Sent(self.batches, self.attempts, self.stopped_by, self.refused, self.dead, self.dead_because)


class _Supply:
    """Batches with their messages, in the order in which they go."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        ledger: Ledger,
        send: Send,
        event: str,
        dates: ExportDates,
        clock: Callable[[], datetime],
        history: History | None,
    ) -> None:
        self._connection = connection
        self._ledger = ledger
        self._send = send
        self._clock = clock
        self._history = history
        self._waiting = ledger.waiting(event, dates)
        self._handed_out: set[str] = set()
        self.events = sum(batch.events for batch in self._waiting)

    def __iter__(self) -> Iterator[_Item]:
        before = self._history.before if self._history else date.min
        yield from self._items([batch for batch in self._waiting if batch.export_date >= before], self._send)
        if self._history is None:
            return
        for group in groups([b for b in self._waiting if b.export_date < before], HISTORY_READ_AHEAD):
            newer = [b for b in self._ledger.waiting_since(before) if b.batch_id not in self._handed_out]
            self.events += sum(batch.events for batch in newer)
            yield from self._items(newer, self._send)
            yield from self._items(group, self._history.send, is_history=True)

    def _items(self, waiting: Sequence[Batch], send: Send, *, is_history: bool = False) -> Iterator[_Item]:
        """A group at a time; it is entered as attempted before it is out."""
        for waited in groups(waiting):
            group = self._ledger.start_attempts(waited, self._clock())
            self._handed_out.update(batch.batch_id for batch in waited)
            if not group:
                continue
            day = group[0].export_date
            dead = self._ledger.dead_ids(group[0].event, ExportDates(day, day))
            for batch, messages in bodies(self._connection, group, dead):
                yield _Item(batch, messages, send, is_history)


def groups(waiting: Sequence[Batch], size: int = READ_AHEAD) -> Iterator[list[Batch]]:
    """Batches of one event and export date, at most so many at a time."""

    def of_date(batch: Batch) -> tuple[str, date]:
        return batch.event, batch.export_date

    for _, same_date in groupby(waiting, of_date):
        group = list(same_date)
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _settled(batch: Batch, outcome: Outcome) -> Settled:
    dead = [DeadEvent(key, batch.event, batch.export_date, batch.batch_id, reason) for key, reason in outcome.dead]
    return Settled(batch, outcome.delivered, outcome.attempts, dead, outcome.refused or outcome.postponed)
