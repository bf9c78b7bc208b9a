"""The sending of one event name's waiting batches: ledger → client → ledger."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path
from threading import Event

import duckdb

from pipeline.dates import ExportDates
from pipeline.segment.client import body_of
from pipeline.segment.ledger import Batch, DeadEvent, Ledger, Settled
from pipeline.segment.outbox import bodies
from pipeline.segment.settling import Outcome, Send, settle

# Batches read from the outbox at a time: some 8 MB of text, in less time than Segment takes for an answer.
READ_AHEAD = 16
# Requests on their way and in the queue for each connection: none is idle while the next batches are read.
_QUEUE = 2
# Of old dates few at a time, since before each group it is asked whether something newer has come.
HISTORY_READ_AHEAD = 4
# Export dates that are older than so many days are history.
CURRENT_DAYS = 7


@dataclass(frozen=True)
class Sent:
    """What one go of delivery did for an event name, in batches and in tries.

    `stopped_by` is why it ended before everything was sent; the rest is waiting in the ledger. `refused`: it will go
    on being refused until a person has changed something.
    """

    batches: int
    attempts: int
    stopped_by: str | None = None
    refused: bool = False


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
) -> Sent:
    """Send every waiting batch of one event name and these export dates, `connections` at a time.

    Each batch is written into the ledger as soon as it is settled, so a killed process sends again only what was in
    flight; a ledger that can't be written ends the sending. The first batch that can't be settled stops it: what holds
    for one holds for the next. `progress` is told the events in settled batches, and in all. What `history` says is
    old goes last, on a quarter of the connections; and whatever newer batch of any event comes to wait meanwhile goes
    before it.

    Raises:
        DeliveryError: the ledger can't be read or written.
    """
    supply = _Supply(connection, ledger, send, event, dates, clock, history)
    items = iter(supply)
    settled_events = settled_batches = attempts = 0
    stopped_by: str | None = None
    refused = False
    in_flight: dict[Future[Outcome | None], _Item] = {}
    held_back: _Item | None = None
    halted = Event()

    def go(item: _Item) -> Outcome | None:
        # Asked here, since what is queued would begin before anybody has looked at the answer that stops it.
        if halted.is_set():
            return None
        outcome = settle(item.send, item.messages)
        if not outcome.delivered:
            halted.set()
        return outcome

    with ThreadPoolExecutor(connections, thread_name_prefix="segment") as pool, ExitStack() as at_the_end:
        at_the_end.callback(halted.set)  # where the ledger can't be written, nothing more goes out
        while True:
            while stopped_by is None and len(in_flight) < _QUEUE * connections:
                item = held_back or next(items, None)
                held_back = None
                if item is None:
                    break
                if item.is_history and sum(other.is_history for other in in_flight.values()) >= -(-connections // 4):
                    held_back = item
                    break
                in_flight[pool.submit(go, item)] = item
            if not in_flight:
                return Sent(settled_batches, attempts, stopped_by, refused)
            done, _ = wait(in_flight, return_when=FIRST_COMPLETED)
            finished = [(in_flight.pop(future).batch, future.result()) for future in done]
            outcomes = [(batch, outcome) for batch, outcome in finished if outcome is not None]
            ledger.settle([_settled(batch, outcome) for batch, outcome in outcomes], clock())
            for batch, outcome in outcomes:
                attempts += outcome.attempts
                stopped_by = stopped_by or outcome.refused or outcome.postponed
                refused = refused or outcome.refused is not None
                settled_batches += outcome.delivered
                settled_events += batch.events * outcome.delivered
            progress(settled_events, supply.events)


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
        for group in _groups([b for b in self._waiting if b.export_date < before], HISTORY_READ_AHEAD):
            newer = [b for b in self._ledger.waiting_since(before) if b.batch_id not in self._handed_out]
            self.events += sum(batch.events for batch in newer)
            yield from self._items(newer, self._send)
            yield from self._items(group, self._history.send, is_history=True)

    def _items(self, waiting: Sequence[Batch], send: Send, *, is_history: bool = False) -> Iterator[_Item]:
        """A group at a time; it is entered as attempted before it is out."""
        for group in _groups(waiting):
            self._ledger.attempting(group, self._clock())
            self._handed_out.update(batch.batch_id for batch in group)
            day = group[0].export_date
            dead = self._ledger.dead_ids(group[0].event, ExportDates(day, day))
            for batch, messages in bodies(self._connection, group, dead):
                yield _Item(batch, messages, send, is_history)


def _groups(waiting: Sequence[Batch], size: int = READ_AHEAD) -> Iterator[list[Batch]]:
    def of_date(batch: Batch) -> tuple[str, date]:
        return batch.event, batch.export_date

    for _, same_date in groupby(waiting, of_date):
        group = list(same_date)
        for start in range(0, len(group), size):
            yield group[start : start + size]


def _settled(batch: Batch, outcome: Outcome) -> Settled:
    dead = [DeadEvent(key, batch.event, batch.export_date, batch.batch_id, reason) for key, reason in outcome.dead]
    return Settled(batch, outcome.delivered, outcome.attempts, dead, outcome.refused or outcome.postponed)


def write_out(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    folder: Path,
    event: str,
    dates: ExportDates,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """The dry run: write every waiting batch's request body to `folder`/date/event/batch.json; how many are new.

    Nothing is sent and the ledger stays as it is. A file that is there already is left alone, unless events of it
    died; one of a batch that does not wait any more goes.
    """
    dead, touched = ledger.dead_ids(event, dates), ledger.batches_with_dead(event, dates)
    waiting = ledger.waiting(event, dates)
    paths = {
        batch.batch_id: folder / f"{batch.export_date}" / event / f"{batch.sequence:06d}_{batch.batch_id}.json"
        for batch in waiting
    }
    drop_written(folder, event, dates, set(paths.values()))
    written = 0
    for group in _groups(waiting):
        due = [batch for batch in group if batch.batch_id in touched or not paths[batch.batch_id].exists()]
        if not due:
            continue
        paths[due[0].batch_id].parent.mkdir(parents=True, exist_ok=True)
        for batch, messages in bodies(connection, due, dead):
            path = paths[batch.batch_id]
            if not messages:  # all of its events are dead; Segment would drop an empty batch, too
                path.unlink(missing_ok=True)
                continue
            written += not path.exists()
            unfinished = path.with_suffix(".part")
            unfinished.write_bytes(body_of(messages, clock()))
            unfinished.replace(path)
    return written


def drop_written(folder: Path, event: str, dates: ExportDates, kept: Collection[Path] = ()) -> None:
    """Delete what dry runs wrote for one event name and these export dates, but for these files."""
    for place in folder.glob(f"*/{event}"):
        if date.fromisoformat(place.parent.name) in dates:
            for path in place.iterdir():
                if path not in kept:
                    path.unlink()
