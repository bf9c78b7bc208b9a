"""Which load a file came with, which is how far an export date can come at most."""

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.warehouse.sql import one_value


@dataclass(frozen=True)
class Load:
    """A load of files. The warehouse numbers its loads, from 1 on, while it has the writer's turn: no clock decides
    which of two is the later one. `at` is when it was, for people, and is compared for equality only: it distinguishes
    the loads of a former version, whose number is 0, and those of a warehouse that was restored from a copy and
    gives a number again that it had given before.
    """

    number: int
    at: datetime


def newest_loads(connection: duckdb.DuckDBPyConnection, dates: ExportDates = EVERY_DATE) -> dict[date, Load]:
    """The load that the newest file of each export date came with; one whose new bytes another file has counts, too,
    since the rows of its former bytes are gone.
    """
    query = """
        SELECT export_date, max({'number': coalesce(load_number, 0), 'at': loaded_at}) FROM raw.export_files
        WHERE (status = 'loaded' OR status = 'duplicate' AND load_number IS NOT NULL)
            AND export_date BETWEEN ? AND ?
        GROUP BY ALL
    """
    found = connection.execute(query, [dates.first, dates.last]).fetchall()
    return {day: Load(newest["number"], newest["at"]) for day, newest in found}


def last_load_number(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the last load that noted anything; 0 before the first."""
    return int(one_value(connection, "SELECT coalesce(max(load_number), 0) FROM raw.export_files"))
