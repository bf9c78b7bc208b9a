"""The sending of one event name's waiting batches: ledger → client → ledger."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import groupby
from pathlib import Path

import duckdb

from pipeline.dates import ExportDates
from pipeline.segment.client import body_of
from pipeline.segment.ledger import Batch, DeadEvent, Ledger, Settled
from pipeline.segment.outbox import bodies
from pipeline.segment.settling import Outcome, Send, settle

# Batches read from the outbox at a time: some 15 MB of text.
READ_AHEAD = 32


@dataclass(frozen=True)
class Sent:
    """What one go of delivery did for an event name, in batches and in tries.

    `stopped_by` is why it ended before everything was sent; the rest is waiting in the ledger.
    """

    batches: int
    attempts: int
    stopped_by: str | None = None


def deliver(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    send: Send,
    event: str,
    dates: ExportDates,
    connections: int,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[int, int], None] = lambda _done, _of: None,
) -> Sent:
    """Send every waiting batch of one event name and these export dates, `connections` at a time.

    Each batch is written into the ledger as soon as it is settled, so a killed process sends again only what was in
    flight. The first batch that can't be settled stops the sending: what holds for one holds for the next.
    `progress` is told the events in settled batches, and in all.
    """
    waiting = ledger.waiting(event, dates)
    supply = _supply(connection, ledger, waiting, ledger.dead_ids(event, dates), clock)
    total = sum(batch.events for batch in waiting)
    settled_events = settled_batches = attempts = 0
    stopped_by: str | None = None
    in_flight: dict[Future[Outcome], Batch] = {}
    with ThreadPoolExecutor(connections, thread_name_prefix="segment") as pool:
        while True:
            while stopped_by is None and len(in_flight) < 2 * connections and (item := next(supply, None)):
                batch, messages = item
                in_flight[pool.submit(settle, send, messages)] = batch
            if not in_flight:
                return Sent(settled_batches, attempts, stopped_by)
            done, _ = wait(in_flight, return_when=FIRST_COMPLETED)
            outcomes = [(in_flight.pop(future), future.result()) for future in done]
            ledger.settle([_settled(batch, outcome) for batch, outcome in outcomes], clock())
            for batch, outcome in outcomes:
                attempts += outcome.attempts
                stopped_by = stopped_by or outcome.refused or outcome.postponed
                settled_batches += outcome.delivered
                settled_events += batch.events * outcome.delivered
            progress(settled_events, total)


def _supply(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    waiting: Sequence[Batch],
    dead: Sequence[str],
    clock: Callable[[], datetime],
) -> Iterator[tuple[Batch, str]]:
    """Batches with their messages, in order, a group at a time; a group is entered as attempted before it is out."""
    for group in _groups(waiting):
        ledger.attempting(group, clock())
        yield from bodies(connection, group, dead)


def _groups(waiting: Sequence[Batch]) -> Iterator[list[Batch]]:
    def of_date(batch: Batch) -> date:
        return batch.export_date

    for _, same_date in groupby(waiting, of_date):
        group = list(same_date)
        for start in range(0, len(group), READ_AHEAD):
            yield group[start : start + READ_AHEAD]


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
