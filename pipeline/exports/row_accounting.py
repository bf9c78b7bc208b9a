"""The check that every row of every file is accounted for: the tables against a count from the file's bytes."""

import duckdb

from pipeline.export_dates import ExportDates
from pipeline.finding import Finding, counted

_COUNTED = """
    WITH files AS (
        SELECT name AS file, export_date, layout, coalesce(records, rows) AS rows, coalesce(suppressed, 0) AS suppressed
        FROM raw.export_files
        WHERE status = 'loaded' AND export_date BETWEEN $1 AND $2
    ),
    events AS (
        SELECT file, export_date, layout,
            count(*) FILTER (event IS NOT NULL AND rejected_because IS NULL) AS events,
            count(*) FILTER (event IS NULL AND rejected_because IS NULL) AS skipped
        FROM raw.events WHERE export_date BETWEEN $1 AND $2 GROUP BY ALL
        UNION ALL BY NAME
        SELECT file, export_date, layout, count(*) AS events, 0 AS skipped
        FROM raw.lookups WHERE export_date BETWEEN $1 AND $2 GROUP BY ALL
    ),
    rejected AS (
        SELECT file, export_date, layout, count(*) AS rejected
        FROM raw.rejected_rows WHERE export_date BETWEEN $1 AND $2 GROUP BY ALL
    )
    SELECT files.export_date, files.file, files.rows,
        coalesce(events.events, 0) AS events, coalesce(events.skipped, 0) AS skipped,
        coalesce(rejected.rejected, 0) AS rejected,
        files.suppressed -- only their number is kept
    FROM files
    LEFT JOIN events USING (file, export_date, layout)
    LEFT JOIN rejected USING (file, export_date, layout)
"""


def rows_accounted_for(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Compare the rows of each loaded file with the rows in the tables, for each of its layouts."""
    files = connection.execute(_COUNTED, [dates.first, dates.last]).fetchall()
    rows = sum(row[2] for row in files)
    numbers = {"rows": rows}
    wrong = [
        f"{file} had {had:,} rows, but {events:,} events + {skipped:,} skipped + {rejected:,} rejected"
        + (f" + {suppressed:,} suppressed" if suppressed else "")
        for _, file, had, events, skipped, rejected, suppressed in files
        if had != events + skipped + rejected + suppressed
    ]
    if wrong:
        sentence = "; ".join(wrong) + ". Materialize raw/events for these dates with `reload: true`."
        return Finding(False, sentence, numbers, grave=True)
    sentence = (
        f"All rows are accounted for: {counted(rows, 'row')} of {counted(len({row[:2] for row in files}), 'file')}."
    )
    return Finding(True, sentence, numbers, grave=True)
