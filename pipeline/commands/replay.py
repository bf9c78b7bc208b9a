"""`python -m pipeline replay`: dead events are tried again."""

from datetime import UTC, date, datetime

from rich.table import Table

from pipeline.catalog import EVENTS
from pipeline.console import out
from pipeline.errors import SettingsError
from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.ledger.warehouse_pairing import check_pair, pair_up
from pipeline.privacy.suppression import check, refresh
from pipeline.segment.enqueue import cut_due
from pipeline.segment.replay import dates_of, shown
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.immutable_settings import check_origin

_SHOWN = 5


def replay(settings: Settings, event: str | None, reason: str | None, day: date | None) -> int:
    """Put dead events back to waiting: those of an event, with a text in their reason, of an export date, or all.

    They go into new batches, as the tables have them now; one that Segment would still drop is dead again at once.

    Raises:
        SettingsError: there is no such event.
        PipelineError: the warehouse or the ledger is not usable.
    """
    table = _table_of(event)
    check(settings.selligent_suppressed)
    warehouse, ledger, now = Warehouse.of(settings), Ledger(settings.ledger), datetime.now(UTC)
    warehouse.bring_up_to_date()
    with warehouse.reading() as connection:
        check_origin(connection, settings)
        check_pair(connection, ledger)
    asked = ledger.ask_for_replay(table, reason, ExportDates(day, day) if day else EVERY_DATE)
    with warehouse.writing() as connection:
        pair_up(connection, ledger)
        refresh(connection, settings.selligent_suppressed, now)
        replays = ledger.replays()
        ids = [replay.id for replay in replays]
        days = {replay.export_date for replay in replays} | dates_of(connection, ids)
        again = 0
        if days:
            dates = ExportDates(min(days), max(days))
            mirror_into(connection, ledger, dates)
            _show(shown(connection, ids, _SHOWN), len(ids))
            again = len(cut_due(connection, ledger, settings, dates, now, replays_only=True).cut.again)
            mirror_into(connection, ledger, dates)
    if again:
        out.print(f"{again:,} dead events are tried again; `python -m pipeline run` sends those that wait.")
    elif not asked:
        out.print("No dead event is meant; withdrawn and suppressed ones stay dead.")
    if left := len(ids) - again:
        out.print(f"{left:,} stay dead meanwhile: their dates are withheld, or the tables don't have them any more.")
    return 0


def _table_of(event: str | None) -> str | None:
    if event is None:
        return None
    for known in EVENTS:
        if event.lower() in (known.name.lower(), known.table):
            return known.table
    raise SettingsError(f"--event: {event!r} is none of {', '.join(known.table for known in EVENTS)}")


def _show(rows: list[tuple[str, str, str, str]], of: int) -> None:
    if not rows:
        return
    table = Table(box=None, pad_edge=False)
    for name in ("event", "why it was dead", "message"):
        table.add_column(name, overflow="fold")
    for _, event, message, reason in rows:
        table.add_row(event, reason, message)
    out.print(table)
    if of > len(rows):
        out.print(f"and {of - len(rows):,} more")
