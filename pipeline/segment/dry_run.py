"""The dry run: requests are written to files instead of being sent."""

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.orchestration.system_errors import naming
from pipeline.segment.client import body_of
from pipeline.segment.delivery import groups
from pipeline.segment.outbox import bodies


def write_requests(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    folder: Path,
    event: str,
    dates: ExportDates,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Write waiting batches' request bodies to `folder`/date/event/batch.json. Returns the number of new ones.

    An existing file is left alone unless some of its events died; that of a batch that no longer waits is deleted.
    """
    dead, touched = ledger.dead_ids(event, dates), ledger.batches_with_dead(event, dates)
    waiting = ledger.waiting(event, dates)
    paths = {
        batch.batch_id: folder / f"{batch.export_date}" / event / f"{batch.sequence:06d}_{batch.batch_id}.json"
        for batch in waiting
    }
    delete_requests(folder, event, dates, set(paths.values()))
    written = 0
    for group in groups(waiting):
        due = [batch for batch in group if batch.batch_id in touched or not paths[batch.batch_id].exists()]
        if not due:
            continue
        paths[due[0].batch_id].parent.mkdir(parents=True, exist_ok=True)
        for batch, messages in bodies(connection, due, dead):
            path = paths[batch.batch_id]
            if not messages:  # all of its events are dead, and nothing would be sent
                path.unlink(missing_ok=True)
                continue
            written += not path.exists()
            unfinished = path.with_suffix(".part")
            with naming(path):
                unfinished.write_bytes(body_of(messages, clock()))
                unfinished.replace(path)
    return written


def delete_requests(folder: Path, event: str, dates: ExportDates, kept: Collection[Path] = ()) -> None:
    """Delete the files of dry runs for one event name and these export dates, except `kept`."""
    for of_event in folder.glob(f"*/{event}"):
        if date.fromisoformat(of_event.parent.name) in dates:
            for path in of_event.iterdir():
                if path not in kept:
                    path.unlink()
