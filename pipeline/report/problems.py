"""What a person should look at, from the warehouse and the ledger: the list that `status --problems` prints."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from pipeline.catalog import IDENTIFIES
from pipeline.export_dates import EVERY_DATE, ranges
from pipeline.finding import counted
from pipeline.ledger import Ledger
from pipeline.masking import on_one_line
from pipeline.segment.checks import late_events
from pipeline.segment.new_ids import release_command
from pipeline.segment.restored import send_command
from pipeline.segment.unwanted import withdrawn_after_delivery
from pipeline.warehouse import has_table

# Problems of one kind that are listed; the others are counted.
_LISTED = 20
_LONGEST = 400

_FILES = """
    SELECT DISTINCT ON (status, export_date, name) name, status, reason FROM raw.export_files
    WHERE status IN ('refused', 'unmatched', 'duplicate')
    ORDER BY status DESC, export_date DESC, name
"""
# Quoted values differ from row to row, and may be personal.
_REJECTED = r"""
    WITH reasons AS (
        SELECT export_date, file, layout, count(*) AS rows,
            left(regexp_replace(reason, '(?s)''.*''', '''…'''), 120) AS reason
        FROM raw.rejected_rows GROUP BY ALL
    ),
    loaded AS (
        SELECT export_date, name, layout, rejected, rows,
            CASE WHEN count(*) OVER (PARTITION BY export_date, name) > 1 THEN ' as ' || kind ELSE '' END AS read_as
        FROM raw.export_files WHERE status = 'loaded'
    )
    SELECT files.name, any_value(files.rejected), any_value(files.rows), any_value(files.read_as),
        string_agg(format('{} ({:d})', reasons.reason, reasons.rows), '; ' ORDER BY reasons.rows DESC, reasons.reason)
    FROM loaded AS files LEFT JOIN reasons
        ON files.export_date = reasons.export_date AND files.name = reasons.file AND files.layout = reasons.layout
    WHERE files.rejected > 0
    GROUP BY files.name, files.export_date, files.layout
    ORDER BY files.export_date DESC, files.name, files.layout
"""


@dataclass(frozen=True)
class Problem:
    """One line: what kind of problem, of which file, event or dates, and what is wrong or what to do."""

    kind: str
    subject: str
    words: str


def problems(
    connection: duckdb.DuckDBPyConnection,
    ledger: Ledger,
    now: datetime,
    *,
    delivers: bool,
    present: Collection[str] | None = None,
) -> list[Problem]:
    """All problems, those that stop data first. `delivers`: without a write key, no event is late. `present` are the
    files in the exports' location: of refused, unmatched and repeated files, only those count; None: all.
    """
    return [
        *_listed(
            Problem(status, name, reason or "")
            for name, status, reason in _rows(connection, _FILES)
            if present is None or name in present
        ),
        *_listed(
            Problem(
                "rejected",
                name,
                f"{rejected:,} of {counted(rows, 'row')}{read_as}: {reasons or 'see raw.rejected_rows'}",
            )
            for name, rejected, rows, read_as, reasons in _rows(connection, _REJECTED)
        ),
        *_waiting(ledger, delivers),
        *_stuck(connection, ledger, now, delivers),
        *(Problem("dead", counted(events, "event"), reason) for reason, events in ledger.dead_reasons(_LISTED)),
        *_withdrawn(connection, ledger),
        *_held(ledger),
    ]


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> Sequence[Any]:
    rows: Sequence[Any] = connection.execute(query).fetchall()
    return rows


def _listed(found: Iterator[Problem]) -> Iterator[Problem]:
    """The first of each kind, safe to display, and the number of the others."""
    left: dict[str, int] = {}
    for problem in found:
        left[problem.kind] = left.get(problem.kind, 0) + 1
        if left[problem.kind] <= _LISTED:
            yield Problem(problem.kind, on_one_line(problem.subject, _LONGEST), on_one_line(problem.words, _LONGEST))
    for kind, number in left.items():
        if number > _LISTED:
            yield Problem(kind, f"and {counted(number - _LISTED, 'more file')}", "see raw.export_files")


def _waiting(ledger: Ledger, delivers: bool) -> Iterator[Problem]:
    """Events that a run has tried to send, without success."""
    if delivers:
        for reason, events in ledger.waiting_reasons():
            yield Problem("waiting", counted(events, "event"), on_one_line(reason, _LONGEST))


def _stuck(connection: duckdb.DuckDBPyConnection, ledger: Ledger, now: datetime, delivers: bool) -> Iterator[Problem]:
    late = late_events(connection, ledger, now, delivers=delivers)
    if not late.holds:
        yield Problem("stuck", counted(late.numbers["late"], "event"), late.sentence)


def _withdrawn(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> Iterator[Problem]:
    if has_table(connection, "staging", "events") and (
        events := withdrawn_after_delivery(connection, ledger, EVERY_DATE)
    ):
        words = "a corrected export no longer contains them; Segment can't take them back"
        yield Problem("withdrawn", counted(events, "delivered event"), words)


def _held(ledger: Ledger) -> Iterator[Problem]:
    for span in ranges(ledger.withheld()):
        yield Problem("withheld", str(span), "a run with `--release` and these dates delivers their events")
    machines = identities = 0
    for each in ledger.replacing(EVERY_DATE):
        machines -= each.events
        words = (
            f"{each.reason}; restore what was changed and run again, or release them: "
            f"`{release_command(each.export_date, each.export_date)}`"
        )
        yield Problem("held", f"{counted(each.events, f'new {each.event} event')} of {each.export_date}", words)
    for each in ledger.in_doubt(EVERY_DATE):
        if each.event == IDENTIFIES.table:
            identities -= each.events
        else:
            machines -= each.events
        words = f"{each.reason}; if not, send them: `{send_command([each.export_date])}`"
        yield Problem("held", f"{counted(each.events, f'{each.event} event')} of {each.export_date}", words)
    for standing in ledger.standings(EVERY_DATE):
        if standing.event == IDENTIFIES.table:
            identities += standing.held
        else:
            machines += standing.held
    if machines:
        words = "machines caused them; `python -m pipeline replay --held` releases them"
        yield Problem("held", counted(machines, "event"), words)
    if identities:
        words = "a run sends them once SEGMENT_IDENTIFY is true"
        yield Problem("held", counted(identities, "identify call"), words)
