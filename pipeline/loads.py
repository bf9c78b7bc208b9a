"""When files were loaded, which is how far an export date can come at most."""

from datetime import date, datetime

import duckdb

from pipeline.dates import EVERY_DATE, ExportDates


def newest_loads(connection: duckdb.DuckDBPyConnection, dates: ExportDates = EVERY_DATE) -> dict[date, datetime]:
    """When the newest file of each export date was loaded."""
    query = """
        SELECT export_date, max(loaded_at) FROM raw.export_files
        WHERE status = 'loaded' AND export_date BETWEEN ? AND ? GROUP BY ALL
    """
    return dict(connection.execute(query, [dates.first, dates.last]).fetchall())
