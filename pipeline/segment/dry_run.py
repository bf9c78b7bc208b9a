"""The dry run: requests are written to files instead of being sent."""

from collections.abc import Callable, Collection
from datetime import UTC, date, datetime
from pathlib import Path

from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.orchestration.system_errors import naming
from pipeline.segment.bodies import BodyReader, stretches
from pipeline.segment.client import body_of, messages_of
from pipeline.segment.delivery import groups


def write_requests(
    reader: BodyReader,
    ledger: Ledger,
    folder: Path,
    event: str,
    dates: ExportDates,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Write waiting batches' request bodies to `folder`/date/event/batch.json. Returns the number of new ones.

    Nothing is sent, and the ledger stays as it is. An existing file is left alone unless its messages have changed; the
    file of a batch that no longer waits is deleted.
    """
    dead, waiting = ledger.dead_ids(event, dates), ledger.waiting(event, dates)
    paths = {
        batch.batch_id: folder / f"{batch.export_date}" / event / f"{batch.sequence:06d}_{batch.batch_id}.json"
        for batch in waiting
    }
    delete_requests(folder, event, dates, set(paths.values()))
    return sum(
        _write(paths[body.batch.batch_id], body.messages, clock)
        for stretch in stretches(waiting)
        for group in groups(stretch)
        for body in reader.bodies(group, dead, stretch)
    )


def _write(path: Path, messages: bytes, clock: Callable[[], datetime]) -> bool:
    """Write one request body. Returns whether its file is new."""
    if not messages:  # all of its events are dead, and nothing would be sent
        path.unlink(missing_ok=True)
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    if is_new or messages_of(path.read_bytes()) != messages:
        unfinished = path.with_suffix(".part")
        with naming(path):
            unfinished.write_bytes(body_of(messages, clock()))
            unfinished.replace(path)
    return is_new


def delete_requests(folder: Path, event: str, dates: ExportDates, kept: Collection[Path] = ()) -> None:
    """Delete the files of dry runs for one event name and these export dates, except `kept`."""
    for of_event in folder.glob(f"*/{event}"):
        if date.fromisoformat(of_event.parent.name) in dates:
            for path in of_event.iterdir():
                if path not in kept:
                    path.unlink()
