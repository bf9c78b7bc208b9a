"""Export dates that have not reached the report; this module does not import Dagster."""

from datetime import date

import duckdb

from pipeline.ledger import REPORTED, Ledger
from pipeline.segment.replay import dates_with_replays
from pipeline.warehouse.loads import Load, newest_loads


def unfinished(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> dict[date, Load]:
    """Export dates whose newest file is not in the report, with its load, and dates of a replay that was killed."""
    reported, asked = ledger.reached(REPORTED), dates_with_replays(connection, ledger)
    return {day: load for day, load in newest_loads(connection).items() if reported.get(day) != load or day in asked}
