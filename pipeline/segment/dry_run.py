"""The dry run: what would be sent is written into files, and nothing leaves."""

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


def write_out(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    folder: Path,
    event: str,
    dates: ExportDates,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Write every waiting batch's request body to `folder`/date/event/batch.json; how many are new.

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
    for group in groups(waiting):
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
            with naming(path):
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
