"""Loads of files, by which the progress of an export date is measured."""

from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.warehouse.sql import one_value


@dataclass(frozen=True)
class Load:
    """A load of files. Writers number loads from 1 on under the write lock, so no clock decides which of two is later.

    `at` is the time of the load. It is compared for equality only, to distinguish loads with the same number: those of
    an earlier version of the program have 0, and a warehouse that was restored from a copy uses numbers a second time.
    """

    number: int
    at: datetime


def newest_loads(connection: duckdb.DuckDBPyConnection, dates: ExportDates = EVERY_DATE) -> dict[date, Load]:
    """The load of the newest file of each date; duplicates count, since the rows of their former content are gone."""
    query = f"""
        SELECT export_date, max({{'number': coalesce(load_number, 0), 'at': loaded_at}}) FROM raw.export_files
        WHERE (status = 'loaded' OR status = 'duplicate' AND load_number IS NOT NULL)
            AND export_date BETWEEN DATE '{dates.first}' AND DATE '{dates.last}'
        GROUP BY ALL
    """
    found = connection.execute(query).fetchall()
    return {day: Load(newest["number"], newest["at"]) for day, newest in found}


def last_load_number(connection: duckdb.DuckDBPyConnection) -> int:
    """The number of the last load; 0 before the first."""
    return int(one_value(connection, "SELECT coalesce(max(load_number), 0) FROM raw.export_files"))
