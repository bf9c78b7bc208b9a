"""Nothing is lost on the way to Segment: counted anew from the tables and the ledger."""

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from pipeline.catalog import EVENTS
from pipeline.dates import ExportDates
from pipeline.segment.ledger import Ledger
from pipeline.warehouse import quoted


@dataclass(frozen=True)
class Balance:
    """Whether two ways of counting agree, with the numbers and a sentence for a person."""

    holds: bool
    numbers: Mapping[str, int]
    sentence: str


def staged_is_modelled(connection: duckdb.DuckDBPyConnection, schema: str, dates: ExportDates) -> Balance:
    """Rows staged for these dates = rows in the event tables + rows that say an event again that is known."""
    tables = " UNION ALL ".join(
        f"SELECT id FROM {quoted(schema)}.{quoted(event.table)} WHERE timestamp BETWEEN span.first AND span.last"
        for event in EVENTS
    )
    found = connection.execute(
        f"""
        WITH rows AS MATERIALIZED (
            SELECT id, export_date, timestamp FROM staging.event_rows WHERE export_date BETWEEN $1 AND $2
        ),
        events AS MATERIALIZED (
            SELECT id FROM staging.events WHERE export_date BETWEEN $1 AND $2
        ),
        tables AS (
            SELECT CAST(id AS UUID) AS id
            FROM (SELECT min(timestamp) AS first, max(timestamp) AS last FROM rows) AS span, LATERAL ({tables})
        )
        SELECT
            (SELECT count(*) FROM rows),
            (SELECT count(*) FROM tables WHERE id IN (SELECT id FROM events)),
            (SELECT count(*) - count(DISTINCT id) FROM rows)
                + (SELECT count(DISTINCT id) FROM rows WHERE id NOT IN (SELECT id FROM events))
        """,
        [dates.first, dates.last],
    ).fetchone()
    staged, modelled, duplicates = found or (0, 0, 0)
    numbers = {"staged": staged, "modelled": modelled, "duplicates": duplicates}
    if staged == modelled + duplicates:
        return Balance(True, numbers, f"{staged:,} rows = {modelled:,} events + {duplicates:,} said before.")
    return Balance(
        False,
        numbers,
        f"{staged:,} rows are staged, but {modelled:,} events are in the tables and {duplicates:,} were said before. "
        f"Run these dates again (`python -m pipeline run --from {dates.first} --to {dates.last}`): the tables take "
        "what they lack.",
    )


def due_is_settled(connection: duckdb.DuckDBPyConnection, ledger: Ledger, dates: ExportDates) -> Balance:
    """Events that were ever due for these dates = delivered + waiting + dead, and those that were forgotten."""
    found = connection.execute(
        "SELECT count(*) FROM delivery.outbox WHERE export_date BETWEEN ? AND ?", [dates.first, dates.last]
    ).fetchone()
    standings = ledger.standings(dates)
    forgotten = sum(standing.forgotten for standing in standings)
    due = (found[0] if found else 0) + forgotten
    delivered = sum(standing.delivered for standing in standings)
    waiting = sum(standing.waiting for standing in standings)
    dead = sum(standing.dead for standing in standings)
    numbers = {"due": due, "delivered": delivered, "waiting": waiting, "dead": dead}
    words = f"{delivered:,} delivered + {waiting:,} waiting + {dead:,} dead"
    if forgotten:
        numbers["forgotten"] = forgotten
        words += f" + {forgotten:,} forgotten"
    if due == delivered + waiting + dead + forgotten:
        return Balance(True, numbers, f"{due:,} events that were due = {words}.")
    return Balance(
        False, numbers, f"{due:,} events were due, but {words}. Materialise delivery/outbox of these dates again."
    )
