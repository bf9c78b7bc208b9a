"""Files → rows → events → delivered, by export date and event: the table that `status` prints."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from pipeline.catalog import CALLS_BY_TABLE, IDENTIFIES
from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.naming import snake_case_sql
from pipeline.orchestration import markdown
from pipeline.segment.staged import has_identities
from pipeline.warehouse import has_table, one_row

KEY = ["export_date", "event"]
NUMBERS = ["loaded", "rejected", "modelled", "delivered", "waiting", "dead", "held"]
# Rows without an event: skipped, or rejected before the event was known.
NO_EVENT = "(no event)"
_ORDER = {name: position for position, name in enumerate([*CALLS_BY_TABLE, NO_EVENT])}

_LOADED = f"""
    SELECT export_date, coalesce({snake_case_sql("event")}, '{NO_EVENT}') AS event,
        count(*) FILTER (rejected_because IS NULL AND event IS NOT NULL) AS loaded,
        count(rejected_because) AS rejected
    FROM raw.events WHERE {{dates}} GROUP BY ALL
"""
# Rows that could not be split into columns are in no other table.
_UNREAD = f"""
    SELECT export_date, '{NO_EVENT}' AS event, coalesce(sum(rejected), 0) AS rejected
    FROM (
        SELECT export_date, rejected FROM raw.export_files
        WHERE status = 'loaded' AND {{dates}}
        UNION ALL
        SELECT export_date, -1 FROM raw.events
        WHERE rejected_because IS NOT NULL AND {{dates}}
    )
    GROUP BY ALL
"""
_MODELLED = f"""
    SELECT export_date, {snake_case_sql("event_text")} AS event, count(*) AS modelled
    FROM staging.events WHERE {{dates}} GROUP BY ALL
"""
# Of contacts, which are rows of lookups.
_CONTACTS = f"""
    SELECT export_date, '{IDENTIFIES.table}' AS event, count(*) AS loaded
    FROM raw.lookups WHERE kind = 'contacts' AND {{dates}} GROUP BY ALL
"""
_IDENTIFIED = f"""
    SELECT export_date, '{IDENTIFIES.table}' AS event, count(*) AS modelled
    FROM staging.identities WHERE {{dates}} GROUP BY ALL
"""


@dataclass(frozen=True)
class Line:
    """The numbers of one export date and event, by their names in NUMBERS: events, and of `rejected` rows."""

    export_date: date
    event: str
    numbers: Mapping[str, int]


def summary(connection: duckdb.DuckDBPyConnection, ledger: Ledger, dates: ExportDates | None) -> list[Line]:
    """A line for each export date and event that has any number; `dates` None means all."""
    window = dates or _all_dates(connection)
    if window is None:
        return []
    of_dates = f"export_date BETWEEN DATE '{window.first}' AND DATE '{window.last}'"
    found = defaultdict[tuple[date, str], Counter[str]](Counter)
    queries = {_LOADED: ["loaded", "rejected"], _UNREAD: ["rejected"]}
    if has_table(connection, "staging", "events"):
        queries[_MODELLED] = ["modelled"]
    if has_identities(connection):
        queries |= {_CONTACTS: ["loaded"], _IDENTIFIED: ["modelled"]}
    for query, names in queries.items():
        for day, event, *numbers in connection.execute(query.format(dates=of_dates)).fetchall():
            found[day, event].update(dict(zip(names, map(int, numbers), strict=True)))
    for standing in ledger.standings(window):
        found[standing.export_date, standing.event].update(
            delivered=standing.delivered, waiting=standing.waiting, dead=standing.dead, held=standing.held
        )
    lines = [Line(day, event, counts) for (day, event), counts in found.items() if any(counts.values())]
    return sorted(lines, key=lambda line: (line.export_date, _ORDER.get(line.event, len(_ORDER))))


def totals(lines: Iterable[Line]) -> Mapping[str, int]:
    """The sums of the numbers of some lines."""
    total = Counter[str]()
    for line in lines:
        total.update(line.numbers)
    return total


def _all_dates(connection: duckdb.DuckDBPyConnection) -> ExportDates | None:
    first, last = one_row(connection, "SELECT min(export_date), max(export_date) FROM raw.export_files")
    return ExportDates(first, last) if first else None


def as_markdown(lines: Sequence[Line]) -> str:
    """The table for Dagster's UI."""
    rows = [(line.export_date, line.event, *(line.numbers[name] for name in NUMBERS)) for line in lines]
    return markdown.table([*KEY, *NUMBERS], rows, NUMBERS)
