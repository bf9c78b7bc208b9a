"""`python -m pipeline restore`: bring a backup back, and decide what was delivered after it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.errors import SettingsError
from pipeline.finding import counted, plural
from pipeline.settings import load_settings

if TYPE_CHECKING:
    from pipeline.transfer.restored_ledger import Deliveries


@click.command(short_help="Restore a backup; nothing is sent twice.")
@click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--delivered-until",
    "until",
    metavar="TIME",
    help="If the ledger was lost: events exported until then were delivered, and later ones were not (UTC or +HH:MM).",
)
def restore(folder: Path, until: str | None) -> int:
    """Restore the newest backup in DIR, or the backup DIR itself; what was delivered after it is not sent again."""
    settings = load_settings()
    moment = _moment(until) if until is not None else None
    from pipeline.console import out
    from pipeline.orchestration.instance import exclusive, opened_instance
    from pipeline.transfer.restore import restore as bring_back

    with opened_instance() as instance, exclusive(instance):
        done = bring_back(settings, folder.absolute(), datetime.now(UTC), moment)
    manifest = done.manifest
    out.print(
        f"Restored: the backup of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC ({done.path}), "
        f"{counted(sum(manifest.rows.values()), 'row')} of {counted(len(manifest.rows), 'table')}."
    )
    for place in done.aside:
        out.print(f"What was there before: {place}")
    if done.put_back:
        out.print(f"Copied back from the backup: {counted(done.put_back, 'Parquet file')}.")
    for words in _words(done.deliveries):
        out.print(words)
    out.print("`python -m pipeline run` loads the exports that arrived after the backup, and continues.")
    return 0


def _moment(text: str) -> datetime:
    """A time with an offset, or UTC. Raises SettingsError: it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise SettingsError(
            f"--delivered-until: {text!r} is not a time such as 2024-06-11T08:30 or 2024-06-11T10:30+02:00"
        ) from None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _words(deliveries: "Deliveries") -> list[str]:
    from pipeline.segment.restored import held_in_doubt

    words = []
    if deliveries.survived and deliveries.knows:
        words.append(
            "The ledger is still there, with what was delivered after the backup; nothing of it is sent again."
        )
    if deliveries.missing:
        words.append(
            f"{counted(deliveries.missing, 'delivered event')} {plural(deliveries.missing, 'is', 'are')} not in the "
            "backup. The next runs load their exports again: batches that come out the same are recognized as "
            "delivered, and others of their dates are held."
        )
    if deliveries.taken:
        words.append(
            f"{deliveries.taken:,} {plural(deliveries.taken, 'batch counts', 'batches count')} as delivered, as stated."
        )
    if not deliveries.knows:
        words.append(
            "The ledger with the deliveries after the backup is lost. What had been exported before this restore may "
            "have been sent, and is held: what waits now, and what the next runs load. If you know until when "
            "everything was sent, repeat this command with --delivered-until TIME."
        )
    if not (held := held_in_doubt(deliveries.held)).holds:
        words.append(held.sentence)
    return words
