"""`python -m pipeline replay`: retry dead events, release held ones, or send delivered ones again."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from pipeline.catalog import CALLS_BY_TABLE
from pipeline.commands.options import DATE, date_range
from pipeline.errors import SettingsError
from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.finding import counted, plural
from pipeline.masking import on_one_line
from pipeline.settings import DRY_RUN_DIR, Settings, load_settings

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from pipeline.ledger import Delivered, Ledger
    from pipeline.warehouse import Warehouse

_SHOWN = 5
# A message may have 32 KB.
_LONGEST_MESSAGE = 200


@click.command(short_help="Set dead, delivered or held events back to waiting.")
@click.option("--event", metavar="NAME", help="Only events of this name or table, such as email_opened.")
@click.option("--reason", metavar="TEXT", help="Only events whose reason contains this text.")
@click.option("--date", "day", type=DATE, metavar="DATE", help="Only events of this export date.")
@click.option("--from", "first", type=DATE, metavar="DATE", help="Only events of this export date or later ones.")
@click.option("--to", "last", type=DATE, metavar="DATE", help="Last export date; alone: only that date.")
@click.option("--held", is_flag=True, help="Release events of machines, or those with this --reason.")
@click.option("--delivered", is_flag=True, help="Send delivered events again, after a wrong key or region.")
def replay(
    event: str | None,
    reason: str | None,
    day: datetime | None,
    first: datetime | None,
    last: datetime | None,
    held: bool,
    delivered: bool,
) -> int:
    """Set dead events back to waiting, as the tables contain them now, or held or delivered ones; the next run sends
    them.
    """
    if held and delivered:
        raise click.UsageError("--held and --delivered contradict each other: an event is one or the other")
    if delivered and reason is not None:
        raise click.UsageError("--delivered and --reason contradict each other: delivered events have no reason")
    if day and (first or last):
        raise click.UsageError("--date contradicts --from and --to")
    settings = load_settings()
    from pipeline.ledger import Ledger
    from pipeline.ledger.warehouse_pairing import check_pair
    from pipeline.privacy.suppression_list import check
    from pipeline.warehouse import Warehouse
    from pipeline.warehouse.immutable_settings import check_origin

    table, dates = _table_of(event), date_range(day or first, day or last, EVERY_DATE) or EVERY_DATE
    check(settings.selligent_suppressed)
    warehouse, ledger = Warehouse.of(settings), Ledger(settings.ledger)
    warehouse.bring_up_to_date()
    with warehouse.reading() as connection:
        check_origin(connection, settings)
        check_pair(connection, ledger)
    selection = _Selection(settings, warehouse, ledger, table, reason, dates)
    if held:
        _release(selection)
    elif delivered:
        _replay_delivered(selection)
    else:
        _replay_dead(selection)
    return 0


@dataclass(frozen=True)
class _Selection:
    """The events that the options select, and where they are; None: of any table, with any reason."""

    settings: Settings
    warehouse: "Warehouse"
    ledger: "Ledger"
    table: str | None
    reason: str | None
    dates: ExportDates

    @contextmanager
    def writing(self, now: datetime) -> Iterator["DuckDBPyConnection"]:
        """A connection for changes, once warehouse and ledger are a pair and the list of suppressed people is read."""
        from pipeline.ledger.warehouse_pairing import pair_up
        from pipeline.privacy.suppression import refresh

        with self.warehouse.writing() as connection:
            pair_up(connection, self.ledger)
            refresh(connection, self.settings.selligent_suppressed, now)
            yield connection


def _replay_dead(selection: _Selection) -> None:
    from pipeline.console import out
    from pipeline.ledger.warehouse_copy import mirror_into
    from pipeline.privacy.addresses import rewrite_addresses
    from pipeline.segment.cut_rules import Cut
    from pipeline.segment.enqueue import cut_due
    from pipeline.segment.messages import MessageSource
    from pipeline.segment.new_ids import held_with_new_ids
    from pipeline.segment.replay import dates_of, dead_again, samples

    settings, ledger = selection.settings, selection.ledger
    now, cut = datetime.now(UTC), Cut({}, 0, 0)
    requested = ledger.request_replays(selection.table, selection.reason, selection.dates)
    with selection.writing(now) as connection:
        rewrite_addresses(connection, settings, DRY_RUN_DIR)
        replays = ledger.replays()
        ids = [replay.id for replay in replays]
        days = {replay.export_date for replay in replays} | dates_of(connection, ids)
        if days:
            span = ExportDates(min(days), max(days))
            mirror_into(connection, ledger, span)
            _show(samples(connection, MessageSource.of(settings, connection), ids, _SHOWN), len(ids))
            cut = cut_due(connection, ledger, settings, span, now, replays_only=True).cut
            mirror_into(connection, ledger, span)
        still = dead_again(connection, cut.replayed_ids)
    replayed = len(cut.replayed_ids)
    if revived := replayed - sum(events for _, events in still):
        out.print(f"{counted(revived, 'dead event')} set back to waiting; {_next_step(settings)}")
    for reason, events in still:
        out.print(f"{counted(events, 'event')} {plural(events, 'is', 'are')} dead again: {reason}")
    if not replayed and not requested:
        out.print("No dead event matches; withdrawn and suppressed ones stay dead.")
    if cut.held:
        out.print(
            f"{cut.held:,} of them {plural(cut.held, 'is an event', 'are events')} of machines and held; "
            "`python -m pipeline replay --held` releases them."
        )
    if cut.replacing:
        out.print(held_with_new_ids(ledger.replacing(EVERY_DATE)).sentence)
    if left := len(ids) - replayed:
        out.print(
            f"{left:,} {plural(left, 'stays', 'stay')} dead for now: their dates are withheld, or the tables no longer "
            "contain them."
        )


def _release(selection: _Selection) -> None:
    from pipeline.console import out
    from pipeline.ledger.warehouse_copy import mirror_into
    from pipeline.segment.enqueue import register
    from pipeline.segment.new_ids import accept_released, held_with_new_ids
    from pipeline.warehouse import has_table

    ledger, table, reason, dates = selection.ledger, selection.table, selection.reason, selection.dates
    now = datetime.now(UTC)
    with selection.writing(now) as connection:
        if has_table(connection, "staging", "events"):  # also what a killed run has cut and not registered
            register(connection, ledger, dates, now)
        if reason is None:
            released = ledger.release_held(table, dates)
        else:
            # First, so that a release that is killed can be repeated.
            accept_released(connection, ledger, table, reason, dates)
            released = ledger.release_possible_duplicates(table, dates, reason)
        mirror_into(connection, ledger, dates)
    if not released:
        out.print("No held event matches.")
    if reason is None and not (left := held_with_new_ids(ledger.replacing(dates))).holds:
        out.print(left.sentence)
    if not released:
        return
    out.print(f"{counted(released, 'held event')} released; {_next_step(selection.settings)}")
    if any(day in dates for day in ledger.withheld()):
        out.print("Those of withheld dates are sent after a run with --release.")


def _replay_delivered(selection: _Selection) -> None:
    from pipeline.console import out
    from pipeline.ledger.warehouse_copy import mirror_into
    from pipeline.segment.enqueue import Registered, register
    from pipeline.warehouse import has_table

    ledger, table = selection.ledger, selection.table
    if (found := ledger.delivered(table, selection.dates)) is None:
        out.print("No delivered event matches.")
        return
    out.print(
        f"{counted(found.events, 'delivered event')} of export dates {found.dates}{_delivered_between(found)}. Their "
        "ids stay as they are. Segment deduplicates ids for 24 hours; a source that received these events earlier "
        "counts them twice."
    )
    if sys.stdin.isatty() and not click.confirm("Set them back to waiting?"):
        out.print("Nothing was changed.")
        return
    now = datetime.now(UTC)
    with selection.writing(now) as connection:
        replayed = ledger.replay_delivered(table, found.dates, now)
        # Not sent: events of people who were listed, or that a corrected export removed, since they were delivered.
        is_staged = has_table(connection, "staging", "events")
        done = register(connection, ledger, found.dates, now) if is_staged else Registered(0, 0)
        mirror_into(connection, ledger, found.dates)
    out.print(f"{counted(replayed, 'delivered event')} set back to waiting; {_next_step(selection.settings)}")
    if gone := done.withdrawn_in_time + done.suppressed:
        out.print(
            f"{gone:,} of them {plural(gone, 'is', 'are')} dead instead: withdrawn by a corrected export, or of "
            "suppressed people."
        )
    if any(day in found.dates for day in ledger.withheld()):
        out.print("Those of withheld dates are sent after a run with --release.")


def _delivered_between(found: "Delivered") -> str:
    if found.first_at is None or found.last_at is None:
        return ""
    first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in (found.first_at, found.last_at))
    return f", delivered {first} UTC" if first == last else f", delivered from {first} to {last} UTC"


def _next_step(settings: Settings) -> str:
    if settings.delivers:
        return "`python -m pipeline run` sends those that are waiting."
    return "without SEGMENT_WRITE_KEY, `python -m pipeline run --from DATE --to DATE` writes their requests."


def _table_of(event: str | None) -> str | None:
    if event is None:
        return None
    for known in CALLS_BY_TABLE.values():
        if event.lower() in (known.name.lower(), known.table):
            return known.table
    raise SettingsError(f"--event: {event!r} is not one of {', '.join(CALLS_BY_TABLE)}")


def _show(rows: Sequence[tuple[str, str, str, str]], of: int) -> None:
    if not rows:
        return
    from rich.table import Table

    from pipeline.console import out

    table = Table(box=None, pad_edge=False)
    for name in ("event", "reason", "message"):
        table.add_column(name, overflow="fold")
    for _, event, message, reason in rows:
        table.add_row(event, on_one_line(reason, _LONGEST_MESSAGE), on_one_line(message, _LONGEST_MESSAGE))
    out.print(table)
    if of > len(rows):
        out.print(f"and {of - len(rows):,} more")
