"""`python -m pipeline status`, and the table that it and `run` print."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from pipeline.export_dates import ExportDates
    from pipeline.report.problems import Problem
    from pipeline.report.summary import Line


_LONGEST = 200


@click.command(short_help="What was loaded, modelled and delivered, by date and event.")
@click.option("--problems", "problems_only", is_flag=True, help="What a person should look at, instead of the numbers.")
def status(problems_only: bool) -> int:
    """Per export date and event: rows loaded, rejected, modelled, delivered, waiting, dead, held."""
    settings = load_settings()
    from pipeline.console import err
    from pipeline.export_dates import EVERY_DATE
    from pipeline.exports.file_checks import many_rejected, repeated_files, without_person
    from pipeline.finding import counted, plural
    from pipeline.ledger import Ledger
    from pipeline.ledger.warehouse_pairing import check_pair
    from pipeline.masking import on_one_line
    from pipeline.report.summary import summary
    from pipeline.segment.unwanted import withdrawn_after_delivery
    from pipeline.warehouse import Warehouse, readable

    found = readable(Warehouse.of(settings))
    is_current = found.as_of is None
    with found.warehouse.reading() as connection:
        ledger = Ledger(settings.ledger)
        if is_current:  # the ledger may be ahead of an older copy
            check_pair(connection, ledger)
        if problems_only:
            from pipeline.report.problems import problems  # which imports Dagster
            from pipeline.segment.unfinished_dates import unfinished

            present, unlisted = _present_files(settings)
            listed = problems(connection, ledger, datetime.now(UTC), delivers=settings.delivers, present=present)
            incomplete = {*unfinished(connection, ledger), *(ledger.waiting_dates() if settings.delivers else ())}
            _show_problems([*unlisted, *_of_layouts(settings), *listed, *_of_dagster(settings, incomplete)])
            return 0
        lines = summary(connection, ledger, None)
        show(lines, by_date=True)
        odd = [check(connection, dates=EVERY_DATE) for check in (many_rejected, repeated_files, without_person)]
        too_many = _with_more_events_than_tables(lines) if is_current else None
        gone = withdrawn_after_delivery(connection, ledger, too_many) if too_many else 0
    for words in (finding.sentence for finding in odd if not finding.holds):
        err.print(words, style="yellow")
    for reason, events in ledger.dead_reasons():
        err.print(on_one_line(f"{counted(events, 'event')} dead: {reason}", _LONGEST), style="yellow")
    if gone:
        err.print(
            f"{counted(gone, 'delivered event')} {plural(gone, 'is', 'are')} no longer in the tables, since a "
            f"corrected export does not contain {plural(gone, 'it', 'them')}; so more are delivered than modelled.",
            style="yellow",
        )
    return 0


def _present_files(settings: Settings) -> "tuple[set[str] | None, list[Problem]]":
    """The names of the files in the exports' location; None with a problem if it can't be listed."""
    from pipeline.errors import PipelineError
    from pipeline.exports.locations import ExportLocation
    from pipeline.report.problems import Problem

    try:
        with ExportLocation(settings.selligent_exports, follow_links=settings.selligent_follow_links) as location:
            return {file.name for file in location.files()}, []
    except PipelineError as error:
        return None, [Problem("exports", "", str(error))]


def _of_layouts(settings: Settings) -> "list[Problem]":
    """Layouts that can't be used; their files wait."""
    from pipeline.errors import LayoutError
    from pipeline.exports.layout_files import read_usable_layouts
    from pipeline.report.problems import Problem

    try:
        return [
            Problem("layout", one.name, one.fault) for one in read_usable_layouts(settings.selligent_layouts).broken
        ]
    except LayoutError as error:
        return [Problem("layout", "", str(error))]


def _of_dagster(settings: Settings, incomplete: Collection[date]) -> "list[Problem]":
    """The last run, a failed one before it, and what is switched off: often the cause of a problem."""
    from pipeline.automation.overview import failed_run, last_run, switched_off
    from pipeline.orchestration.instance import fail_dead_runs, opened_instance
    from pipeline.report.problems import Problem

    with opened_instance() as instance:
        fail_dead_runs(instance)  # a process that was killed could not record it
        run, off = last_run(instance, settings), switched_off(instance)
        failed = failed_run(instance, settings, lambda dates: any(day in dates for day in incomplete))
    return [
        Problem("last run", "", run or "none yet"),
        *([Problem("failed run", "", failed)] if failed else []),
        Problem("Dagster", "", f"switched off: {', '.join(off)}" if off else "every sensor and schedule is on"),
    ]


def _show_problems(found: "Sequence[Problem]") -> None:
    from rich.table import Table

    from pipeline.console import out

    if not out.is_terminal:  # a line each, which other programs can search
        kinds, subjects = (
            max(map(len, texts)) for texts in zip(*((each.kind, each.subject) for each in found), strict=True)
        )
        for each in found:
            out.print(f"{each.kind:{kinds}}  {each.subject:{subjects}}  {each.words}")
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)
    for _ in range(2):
        table.add_column(overflow="fold")
    for problem in found:
        table.add_row(problem.kind, problem.subject, problem.words)
    out.print(table)


def _with_more_events_than_tables(lines: "Sequence[Line]") -> "ExportDates | None":
    """The range of export dates with more due events than the tables contain: a corrected export withdrew some."""
    from pipeline.export_dates import ExportDates

    due = ("delivered", "waiting", "dead", "held")
    days = [line.export_date for line in lines if sum(line.numbers[each] for each in due) > line.numbers["modelled"]]
    return ExportDates(min(days), max(days)) if days else None


def show(lines: "Sequence[Line]", *, by_date: bool) -> None:
    """Print the numbers by event, or by export date and event, with a sum below."""
    from rich.table import Table

    from pipeline.console import out
    from pipeline.report.summary import KEY, NUMBERS, totals

    rows: dict[tuple[str, ...], list[Line]] = defaultdict(list)
    for line in lines:
        rows[(str(line.export_date), line.event) if by_date else (line.event,)].append(line)
    total = totals(lines)
    table = Table(show_footer=True, box=None, pad_edge=False)
    for key in KEY if by_date else KEY[1:]:
        table.add_column(key.replace("_", " "), footer="" if table.columns else "all", no_wrap=True)
    for number in NUMBERS:
        table.add_column(number, footer=f"{total[number]:,}", justify="right")
    for keys, of_keys in rows.items():
        numbers = totals(of_keys)
        table.add_row(*keys, *(f"{numbers[number]:,}" for number in NUMBERS))
    out.print(table)
