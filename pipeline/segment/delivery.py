"""Delivery of one event name's waiting batches: ledger → client → ledger."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from itertools import zip_longest
from threading import Event, Lock

import duckdb

from pipeline.errors import PipelineError
from pipeline.export_dates import ExportDates
from pipeline.ledger import Batch, DeadEvent, Ledger, Settled
from pipeline.segment.bisection import Outcome, Send, send_bisecting
from pipeline.segment.bodies import Body, BodyReader, stretches, without_events
from pipeline.segment.client import SendResult
from pipeline.segment.verdicts import RetryLater

# Batches read at a time: some 8 MB of text, read faster than Segment answers.
READ_AHEAD = 16
# Requests in flight and queued per connection, so that none is idle while the next batches are read.
_QUEUE = 2
# Few batches of old dates at a time: before each group, newer batches are looked for.
HISTORY_READ_AHEAD = 4
_STOPPED = RetryLater("delivery was stopped")
# Export dates older than this many days are history.
CURRENT_DAYS = 7


@dataclass(frozen=True)
class DeliveryResult:
    """The result of one delivery of an event name, in batches and in tries.

    `stopped_by` is why it ended before everything was sent; the rest waits in the ledger. `refused`: it will be refused
    until a setting or the network is changed. `dead` is the number of events that died; `dead_because` is the reason
    of the first.
    """

    batches: int
    attempts: int
    stopped_by: str | None = None
    refused: bool = False
    dead: int = 0
    dead_because: str | None = None


@dataclass(frozen=True)
class History:
    """How batches of export dates `before` a day are sent: by a slower `send`, and after all newer ones."""

    before: date
    send: Send


@dataclass(frozen=True)
class Transport:
    """How batches are sent: by `send`, over so many connections at a time.

    `has_delivered` is whether Segment took any batch of this run, of any event name. Once `stop` is set, nothing more
    is sent. Without `history`, old dates are sent like new ones.
    """

    send: Send
    connections: int = 1
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    history: History | None = None
    has_delivered: Callable[[], bool] = lambda: False
    stop: Event = field(default_factory=Event)


@dataclass(frozen=True)
class _QueuedBatch:
    body: Body
    send: Send
    is_history: bool


def deliver(
    reader: BodyReader,
    ledger: Ledger,
    event: str,
    dates: ExportDates,
    transport: Transport,
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> DeliveryResult:
    """Send every waiting batch of one event name and these export dates.

    Each result is recorded in the ledger before its connection sends another batch. A killed process sends again what
    was not recorded: at most one batch per connection. A ledger that can't be written ends the delivery. The first
    batch without a final result stops it: the same cause would stop the next one. `progress` gets the number of
    events that were accepted, and of all. History goes last, on a quarter of the connections; newer batches of any
    event that become due meanwhile go first.

    A batch of one rejected event has a final result when Segment has accepted another one: here, or anywhere in the
    run. Where it accepts none, the event is not dead, and the delivery is refused.

    Once `stop` is set, requests in flight are waited for and recorded. It is also set here where the delivery ends with
    an error, which also ends waits between retries.

    Raises:
        DeliveryError: the ledger can't be read or written, the tables and the outbox differ, or another process
            delivers, since the server of the lock has restarted.
    """
    stop, connections = transport.stop, transport.connections
    queue = _BatchQueue(reader, ledger, event, dates, transport)
    items = queue.items()
    results = _Results(ledger, transport)
    tally = results.tally
    failure: BaseException | None = None
    in_flight: dict[Future[None], _QueuedBatch] = {}
    held_back: _QueuedBatch | None = None
    halted = Event()

    def unless_stopped(send: Send, messages: bytes, events: int) -> SendResult:
        return SendResult(_STOPPED, 0) if stop.is_set() else send(messages, events)

    def send(item: _QueuedBatch) -> None:
        # Checked here: a queued batch would start before the result that stops it is handled.
        if halted.is_set() or stop.is_set():
            return
        try:
            outcome = send_bisecting(partial(unless_stopped, item.send), item.body.messages)
            if outcome.postponed or outcome.refused:
                halted.set()
            results.add(item.body, outcome)
        except BaseException:
            stop.set()
            raise

    with (
        closing(items),
        ThreadPoolExecutor(connections, thread_name_prefix="segment") as pool,
        ExitStack() as at_the_end,
    ):
        at_the_end.callback(stop.set)  # where the ledger can't be written, nothing more is sent
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
                in_flight[pool.submit(send, item)] = item
            if not in_flight:
                break
            finished, _ = wait(in_flight, return_when=FIRST_COMPLETED)
            for future in finished:
                del in_flight[future]
                failure = failure or future.exception()
            progress(tally.accepted, queue.events)
        results.close()
    if failure is not None:
        raise failure
    return tally.sent()


class _Results:
    """The results so far, in the ledger and in numbers.

    The thread that sent a batch records its result before it sends another one, so a process that is killed leaves at
    most one batch per connection sent and not recorded.
    """

    def __init__(self, ledger: Ledger, transport: Transport) -> None:
        self.tally = _Tally()
        self._ledger = ledger
        self._transport = transport
        self._recording = Lock()
        self._finished = deque[tuple[Body, Outcome]]()
        self._unproven: list[tuple[Body, Outcome]] = []

    def add(self, body: Body, outcome: Outcome) -> None:
        """Record a result, by one transaction with those that came while another thread was recording."""
        self._finished.append((body, outcome))
        with self._recording:
            finished = [self._finished.popleft() for _ in range(len(self._finished))]
            self._unproven += [result for result in finished if result[1].unproven]
            outcomes = [result for result in finished if not result[1].unproven]
            if self._unproven and (
                self.tally.accepted or any(each.accepted for _, each in outcomes) or self._transport.has_delivered()
            ):
                outcomes += [(body, outcome.proven()) for body, outcome in self._unproven]
                self._unproven.clear()
            self._record(outcomes)

    def close(self) -> None:
        """Record the batches that stay unproven."""
        self._record([(body, outcome.waiting()) for body, outcome in self._unproven])

    def _record(self, outcomes: Sequence[tuple[Body, Outcome]]) -> None:
        if not outcomes:
            return
        settled = [_settled(body, outcome) for body, outcome in outcomes]
        self._ledger.settle(settled, self._transport.clock())
        for (_, outcome), result in zip(outcomes, settled, strict=True):
            self.tally.add(outcome, result.dead)


@dataclass
class _Tally:
    """The results so far."""

    accepted: int = 0
    batches: int = 0
    attempts: int = 0
    dead: int = 0
    dead_because: str | None = None
    stopped_by: str | None = None
    refused: bool = False

    def add(self, outcome: Outcome, dead: Sequence[DeadEvent]) -> None:
        self.accepted += outcome.accepted
        self.batches += outcome.settled
        self.attempts += outcome.attempts
        self.dead += len(dead)
        self.dead_because = self.dead_because or next((event.reason for event in dead), None)
        self.stopped_by = self.stopped_by or outcome.refused or outcome.postponed
        self.refused = self.refused or outcome.refused is not None

    def sent(self) -> DeliveryResult:
        return DeliveryResult(self.batches, self.attempts, self.stopped_by, self.refused, self.dead, self.dead_because)


class _BatchQueue:
    """Batches with their messages, in the order in which they are sent."""

    def __init__(
        self,
        reader: BodyReader,
        ledger: Ledger,
        event: str,
        dates: ExportDates,
        transport: Transport,
    ) -> None:
        self._reader = reader
        self._ledger = ledger
        self._transport = transport
        self._sender = ledger.become_sender()
        self._waiting = ledger.waiting(event, dates)
        self._handed_out: set[str] = set()
        self.events = sum(batch.events for batch in self._waiting)

    def items(self) -> Generator[_QueuedBatch, None, None]:
        """All batches; each is made when it is taken, or shortly before."""
        send, history = self._transport.send, self._transport.history
        before = history.before if history else date.min
        yield from self._items([batch for batch in self._waiting if batch.export_date >= before], send)
        if history is None:
            return
        old = [batch for batch in self._waiting if batch.export_date < before]
        for reader, stretch, group in self._made_ahead(old, HISTORY_READ_AHEAD):
            newer = [b for b in self._ledger.waiting_since(before) if b.batch_id not in self._handed_out]
            self.events += sum(batch.events for batch in newer)
            yield from self._items(newer, send)
            yield from self._group(reader, group, stretch, history.send, is_history=True)

    def _items(self, waiting: Sequence[Batch], send: Send) -> Iterator[_QueuedBatch]:
        for reader, stretch, group in self._made_ahead(waiting, READ_AHEAD):
            yield from self._group(reader, group, stretch, send)

    def _made_ahead(
        self, waiting: Sequence[Batch], size: int
    ) -> Iterator[tuple[BodyReader, Sequence[Batch], Sequence[Batch]]]:
        """Batches of any dates in groups of a size, each with its stretch and the reader of that. While a stretch is
        sent, the bodies of the next one are made in another thread.
        """
        listed = list(stretches(waiting))
        if not listed:
            return
        with (
            self._reader.beside() as reader,
            self._reader.beside() as next_reader,
            ThreadPoolExecutor(1, thread_name_prefix="bodies") as maker,
        ):
            making: Future[None] | None = None
            for stretch, following in zip_longest(listed, listed[1:]):
                if making is not None:
                    making.result()
                if following is not None:
                    making = maker.submit(next_reader.make, following, self._dead_ids(following))
                for group in groups(stretch, size):
                    yield reader, stretch, group
                reader, next_reader = next_reader, reader

    def _group(
        self,
        reader: BodyReader,
        waited: Sequence[Batch],
        stretch: Sequence[Batch],
        send: Send,
        *,
        is_history: bool = False,
    ) -> Iterator[_QueuedBatch]:
        """A group of a stretch, recorded as attempted before it is sent."""
        group = self._ledger.start_attempts(waited, self._transport.clock(), self._sender)
        self._handed_out.update(batch.batch_id for batch in waited)
        if not group:
            return
        for body in reader.bodies(group, self._dead_ids(group), stretch):
            yield _QueuedBatch(body, send, is_history)

    def _dead_ids(self, batches: Sequence[Batch]) -> list[str]:
        """The dead events of the event and export date that these batches have in common."""
        day = batches[0].export_date
        return self._ledger.dead_ids(batches[0].event, ExportDates(day, day))


def groups(stretch: Sequence[Batch], size: int = READ_AHEAD) -> Iterator[Sequence[Batch]]:
    """The batches of a stretch, at most so many at a time."""
    for start in range(0, len(stretch), size):
        yield stretch[start : start + size]


def _settled(body: Body, outcome: Outcome) -> Settled:
    batch = body.batch
    dead = [DeadEvent(key, batch.event, batch.export_date, batch.batch_id, reason) for key, reason in outcome.dead]
    without_names = without_events(body, {event.id for event in dead})
    if outcome.settled:
        dead += body.dead
    return Settled(batch, outcome.settled, outcome.attempts, dead, outcome.refused or outcome.postponed, without_names)
