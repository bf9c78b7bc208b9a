"""The check of `event_id`: the events of a layout that has one are identified by it alone."""

import duckdb

from pipeline.export_dates import ExportDates
from pipeline.exports.checks import most_frequent
from pipeline.finding import Finding, counted
from pipeline.warehouse import has_rows, one_row
from pipeline.warehouse.trimming import identifier_sql

# An id that begins anew with each file is found in files of the days around.
_DAYS_AROUND = 31
# A corrected export can move an event, and name another person; a counter that begins anew does so for many.
_SHARE = 0.1

_ROWS = f"""
    SELECT export_date, file, layout, event, occurred_at, {identifier_sql("event_id")} AS id,
        hash({identifier_sql("user_id")}, lower({identifier_sql("email")}), {identifier_sql("list_id")},
            {identifier_sql("selligent_user_id")}) AS person
    FROM raw.events
    WHERE event_id IS NOT NULL AND event IS NOT NULL AND rejected_because IS NULL
"""
_SHARED = f"""
    SELECT file, layout, id AS text, count(*) AS rows
    FROM (SELECT *, hash(person, occurred_at) AS identity FROM ({_ROWS} AND export_date BETWEEN $1 AND $2))
    WHERE id IS NOT NULL
    GROUP BY export_date, file, layout, event, id
    HAVING min(identity) <> max(identity)
"""
_REUSED = f"""
    WITH rows AS (
        {_ROWS} AND export_date BETWEEN $1 - INTERVAL {_DAYS_AROUND} DAY AND $2 + INTERVAL {_DAYS_AROUND} DAY
    ),
    ids AS (
        SELECT layout, event, id, count(DISTINCT (export_date, file)) > 1 AND min(person) <> max(person)
            AND min(occurred_at) <> max(occurred_at) AS is_reused
        FROM rows WHERE id IS NOT NULL GROUP BY ALL
    ),
    files AS (
        SELECT export_date, file, rows.layout, min(id) FILTER (is_reused) AS text,
            count(*) FILTER (is_reused) AS rows, count(*) AS all_rows
        FROM rows JOIN ids USING (layout, event, id)
        WHERE export_date BETWEEN $1 AND $2
        GROUP BY ALL
    )
    SELECT file, layout, text, rows FROM files WHERE rows >= {_SHARE} * all_rows AND rows > 0
"""


def shared_event_ids(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Values of `event_id` that different events share: rows of one file that differ in person or time, or many rows of
    several files that differ in both. Such rows are one event. The column is not an id of a row, or begins anew with
    each file, or a spreadsheet has shortened its numbers.
    """
    numbers = {"event_ids": 0, "rows": 0, "rows_of_several_files": 0}
    if not has_rows(connection, f"SELECT 1 FROM ({_ROWS} AND export_date BETWEEN $1 AND $2) LIMIT 1", _pair(dates)):
        return Finding(True, "No row has an event_id.", numbers)
    query = "SELECT count(*), coalesce(sum(rows), 0) FROM ({})"
    ids, rows = one_row(connection, query.format(_SHARED), _pair(dates))
    files, reused = one_row(connection, query.format(_REUSED), _pair(dates))
    numbers = {"event_ids": ids, "rows": int(rows), "rows_of_several_files": int(reused)}
    words = []
    if ids:
        examples = most_frequent(connection, _SHARED, dates, ids)
        words.append(
            f"{counted(ids, 'event_id')} shared by rows that differ in person or time: {examples}. These {rows:,} rows "
            f"become only {counted(ids, 'event')}. If a spreadsheet shortened the ids, have the export made again."
        )
    if files:
        examples = most_frequent(connection, _REUSED, dates, files)
        words.append(
            f"Rows of {counted(files, 'file')} have the event_id of other events, as if it began anew with each file: "
            f"{examples}. They are not loaded as events of their own."
        )
    if not words:
        return Finding(True, "Rows that share an event_id have the same person and time.", numbers)
    remedy = "remove event_id from the layout; an event is then identified by its person, time and other ids."
    return Finding(False, f"{' '.join(words)} Otherwise, {remedy}", numbers)


def _pair(dates: ExportDates) -> list[object]:
    return [dates.first, dates.last]
