"""`python -m pipeline replay`: retry dead events."""

from collections.abc import Sequence
from datetime import UTC, datetime

import click

from pipeline.catalog import EVENTS
from pipeline.commands.options import DATE
from pipeline.errors import SettingsError
from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.finding import counted
from pipeline.settings import load_settings

_SHOWN = 5


@click.command()
@click.option("--event", metavar="NAME", help="Only events of this name or table, such as email_opened.")
@click.option("--reason", metavar="TEXT", help="Only events whose reason contains this text.")
@click.option("--date", "day", type=DATE, metavar="DATE", help="Only events of this export date.")
def replay(event: str | None, reason: str | None, day: datetime | None) -> int:
    """Set dead events back to waiting, as the tables contain them now; the next run sends them."""
    settings = load_settings()
    from pipeline.console import out
    from pipeline.ledger import Ledger
    from pipeline.ledger.warehouse_copy import mirror_into
    from pipeline.ledger.warehouse_pairing import check_pair, pair_up
    from pipeline.privacy.suppression import refresh
    from pipeline.privacy.suppression_list import check
    from pipeline.segment.enqueue import cut_due
    from pipeline.segment.messages import MessageSource
    from pipeline.segment.replay import dates_of, samples
    from pipeline.warehouse import Warehouse
    from pipeline.warehouse.immutable_settings import check_origin

    table = _table_of(event)
    check(settings.selligent_suppressed)
    warehouse, ledger, now = Warehouse.of(settings), Ledger(settings.ledger), datetime.now(UTC)
    warehouse.bring_up_to_date()
    with warehouse.reading() as connection:
        check_origin(connection, settings)
        check_pair(connection, ledger)
    requested = ledger.request_replays(table, reason, ExportDates(day.date(), day.date()) if day else EVERY_DATE)
    with warehouse.writing() as connection:
        pair_up(connection, ledger)
        refresh(connection, settings.selligent_suppressed, now)
        replays = ledger.replays()
        ids = [replay.id for replay in replays]
        days = {replay.export_date for replay in replays} | dates_of(connection, ids)
        replayed = 0
        if days:
            dates = ExportDates(min(days), max(days))
            mirror_into(connection, ledger, dates)
            _show(samples(connection, MessageSource.of(settings, connection), ids, _SHOWN), len(ids))
            replayed = len(cut_due(connection, ledger, settings, dates, now, replays_only=True).cut.replayed_ids)
            mirror_into(connection, ledger, dates)
    if replayed:
        out.print(f"{counted(replayed, 'dead event')} replayed; `python -m pipeline run` sends those that are waiting.")
    elif not requested:
        out.print("No dead event matches; withdrawn and suppressed ones stay dead.")
    if left := len(ids) - replayed:
        out.print(f"{left:,} stay dead for now: their dates are withheld, or the tables no longer contain them.")
    return 0


def _table_of(event: str | None) -> str | None:
    if event is None:
        return None
    for known in EVENTS:
        if event.lower() in (known.name.lower(), known.table):
            return known.table
    raise SettingsError(f"--event: {event!r} is not one of {', '.join(known.table for known in EVENTS)}")


def _show(rows: Sequence[tuple[str, str, str, str]], of: int) -> None:
    if not rows:
        return
    from rich.table import Table

    from pipeline.console import out

    table = Table(box=None, pad_edge=False)
    for name in ("event", "reason", "message"):
        table.add_column(name, overflow="fold")
    for _, event, message, reason in rows:
        table.add_row(event, reason, message)
    out.print(table)
    if of > len(rows):
        out.print(f"and {of - len(rows):,} more")
