"""Files → rows → events → delivered, by export date and event: the table that `status` prints."""

from collections.abc import Sequence

import duckdb
import pandas as pd

from pipeline.catalog import EVENTS
from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.naming import snake_case_sql
from pipeline.orchestration import markdown
from pipeline.warehouse import has_table, one_row

KEY = ["export_date", "event"]
NUMBERS = ["loaded", "rejected", "modelled", "delivered", "waiting", "dead"]
# Rows without an event: skipped, or rejected before the event was known.
NO_EVENT = "(no event)"

_LOADED = f"""
    SELECT export_date, coalesce({snake_case_sql("event")}, '{NO_EVENT}') AS event,
        count(*) FILTER (rejected_because IS NULL AND event IS NOT NULL) AS loaded,
        count(rejected_because) AS rejected
    FROM raw.events WHERE export_date BETWEEN $1 AND $2 GROUP BY ALL
"""
# Rows that could not be split into columns are in no other table.
_UNREAD = f"""
    SELECT export_date, '{NO_EVENT}' AS event, 0 AS loaded, sum(rejected) AS rejected
    FROM (
        SELECT export_date, rejected FROM raw.export_files
        WHERE status = 'loaded' AND export_date BETWEEN $1 AND $2
        UNION ALL
        SELECT export_date, -1 FROM raw.events
        WHERE rejected_because IS NOT NULL AND export_date BETWEEN $1 AND $2
    )
    GROUP BY ALL
"""
_MODELLED = f"""
    SELECT export_date, {snake_case_sql("event_text")} AS event, count(*) AS modelled
    FROM staging.events WHERE export_date BETWEEN $1 AND $2 GROUP BY ALL
"""


def summary(connection: duckdb.DuckDBPyConnection, ledger: Ledger, dates: ExportDates | None) -> pd.DataFrame:
    """One row per export date and event, with KEY and NUMBERS (events; `rejected`: rows). `dates` None means all."""
    window = dates or _all_dates(connection)
    if window is None:
        return pd.DataFrame(columns=[*KEY, *NUMBERS])
    between = [window.first, window.last]
    read, unread = _frame(connection, _LOADED, between), _frame(connection, _UNREAD, between)
    loaded: pd.DataFrame = pd.concat([read, unread]).groupby(KEY, as_index=False).sum()
    modelled = pd.DataFrame(columns=[*KEY, "modelled"])
    if has_table(connection, "staging", "events"):
        modelled = _frame(connection, _MODELLED, between)
    standings = pd.DataFrame(
        [vars(standing) for standing in ledger.standings(window)], columns=[*KEY, "delivered", "waiting", "dead"]
    )
    table = loaded.merge(modelled, how="outer", on=KEY).merge(standings, how="outer", on=KEY)
    table[NUMBERS] = table[NUMBERS].fillna(0).astype(int)
    table = table[(table[NUMBERS] != 0).any(axis=1)]
    order = {event.table: position for position, event in enumerate(EVENTS)} | {NO_EVENT: len(EVENTS)}
    return table.sort_values(KEY, key=lambda column: column.map(order) if column.name == "event" else column)


def _all_dates(connection: duckdb.DuckDBPyConnection) -> ExportDates | None:
    first, last = one_row(connection, "SELECT min(export_date), max(export_date) FROM raw.export_files")
    return ExportDates(first, last) if first else None


def _frame(connection: duckdb.DuckDBPyConnection, query: str, parameters: Sequence[object]) -> pd.DataFrame:
    cursor = connection.execute(query, parameters)
    return pd.DataFrame(cursor.fetchall(), columns=[column[0] for column in cursor.description or []])


def as_markdown(table: pd.DataFrame) -> str:
    """The table for Dagster's UI."""
    columns = [*KEY, *NUMBERS]
    return markdown.table(columns, table[columns].itertuples(index=False), NUMBERS)
