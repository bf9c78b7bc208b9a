"""What the outbox takes from: the staged events, and with SEGMENT_IDENTIFY the identities of contacts."""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from pipeline.catalog import EVENTS, IDENTIFIES, Event

# What is known of each person, in both tables.
PERSON = ("user_id", "email", "list_id", "selligent_user_id")


@dataclass(frozen=True)
class Staged:
    """A staging table, and the calls whose tables are made from it."""

    table: str
    calls: Sequence[Event]


EVENTS_STAGED = Staged("staging.events", EVENTS)
IDENTITIES_STAGED = Staged("staging.identities", (IDENTIFIES,))
# Identities of contacts that have a newer one: what they say is no longer so.
SUPERSEDED = """
    SELECT id FROM staging.identities WHERE id NOT IN (
        SELECT arg_max(id, revision) FROM staging.identities GROUP BY list_id, selligent_user_id
    )
"""


def has_identities(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the warehouse has identities; it keeps them when SEGMENT_IDENTIFY is switched off.

    A query of DuckDB's list of tables takes five times as long.
    """
    try:
        connection.execute("SELECT 1 FROM staging.identities WHERE false")
    except duckdb.CatalogException:
        return False
    return True


def staged_rows(connection: duckdb.DuckDBPyConnection) -> str:
    """SQL for the rows of all staging tables: id, export date, timestamp and person."""
    columns = f"id, export_date, timestamp, {', '.join(PERSON)}"
    tables = [EVENTS_STAGED, *([IDENTITIES_STAGED] if has_identities(connection) else [])]
    return f"({' UNION ALL '.join(f'SELECT {columns} FROM {each.table}' for each in tables)})"
