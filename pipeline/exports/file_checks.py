"""Checks of single files: their rejected rows, their missing columns, and whether they came before.

The commands use them, too, so the queries have no parameters, for which DuckDB would import pandas, and nothing is
imported that reads files.
"""

from datetime import date, timedelta

import duckdb

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.finding import Finding, counted, some
from pipeline.masking import file_name, on_one_line
from pipeline.warehouse import literal

# A file is compared with those of its layout in so many weeks before it.
REJECTED_LOOKBACK_WEEKS = 8
# How much larger than usual the share of rejected rows may be, and the number of rows from which it counts; half of a
# smaller file always counts.
REJECTED_MAX_EXCESS = 0.05
REJECTED_MIN_ROWS = 5
# Precedes the missing columns that identify the person, among the reasons in `raw.export_files`.
UNIDENTIFIED = "no person is identified by "

_LONGEST_REASON = 120
_SHOWN_REASONS = 3
# Values that a reason repeats are not shown: they may be personal, and would make each reason another one.
_REASON = "regexp_replace(reason, '''[^'']*''', '…', 'g')"

_REJECTED = f"""
    WITH files AS (
        SELECT export_date, name, layout, rows, rejected, rejected / rows AS share FROM raw.export_files
        WHERE status = 'loaded' AND rows > 0
            AND export_date BETWEEN DATE '{{earliest}}' AND DATE '{{last}}'
    ),
    compared AS (
        SELECT today.*, coalesce((
            SELECT median(before.share) FROM files AS before
            WHERE before.layout = today.layout AND before.export_date < today.export_date
                AND before.export_date >= today.export_date - {7 * REJECTED_LOOKBACK_WEEKS}
        ), 0) AS usual
        FROM files AS today
        WHERE today.export_date >= DATE '{{first}}' AND today.rejected > 0
    )
    SELECT export_date, name, layout, rows, rejected, usual FROM compared
    WHERE share > usual + {REJECTED_MAX_EXCESS} AND (rejected >= {REJECTED_MIN_ROWS} OR 2 * rejected >= rows)
"""
_REASONS = f"""
    SELECT {_REASON} AS words, count(*) AS rows FROM raw.rejected_rows
    WHERE export_date BETWEEN DATE '{{first}}' AND DATE '{{last}}'
        AND (export_date, file, layout) IN (SELECT (export_date, name, layout) FROM ({_REJECTED}))
    GROUP BY ALL ORDER BY rows DESC, words
"""


def many_rejected(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Files of these dates of which far more rows were rejected than usually of their layout."""
    lookback = timedelta(weeks=REJECTED_LOOKBACK_WEEKS)
    earliest = max(dates.first, date.min + lookback) - lookback
    span = {"earliest": earliest, "first": dates.first, "last": dates.last}
    found = connection.execute(_REJECTED.format(**span) + "ORDER BY export_date DESC, name, layout").fetchall()
    numbers = {"files": len({row[:2] for row in found}), "rows": sum(row[4] for row in found)}
    if not found:
        return Finding(True, "No file has more rejected rows than usual.", numbers)
    files = [
        f"{file_name(name)} ({rejected:,} of {rows:,} rows, usually {usual:.0%}, layout {layout})"
        for _, name, layout, rows, rejected, usual in found
    ]
    reasons = connection.execute(_REASONS.format(**span)).fetchall()
    shown = [f"{on_one_line(words, _LONGEST_REASON)}: {counted(rows, 'row')}" for words, rows in reasons]
    rest = f"; and {len(shown) - _SHOWN_REASONS:,} more reasons" if len(shown) > _SHOWN_REASONS else ""
    return Finding(
        False,
        f"{counted(numbers['files'], 'file')} with many rejected rows: {some(files, '; ')}. Reasons: "
        f"{'; '.join(shown[:_SHOWN_REASONS])}{rest}. raw.rejected_rows has the rows. Correct the layout, and run "
        "again, or have the export made again.",
        numbers,
    )


def repeated_files(connection: duckdb.DuckDBPyConnection, since: int = 0, dates: ExportDates = EVERY_DATE) -> Finding:
    """Files of these dates with the content of another one, which a load with a number above `since` recorded."""
    found = connection.execute(
        "SELECT name, reason FROM raw.export_files "
        f"WHERE status = 'duplicate' AND coalesce(load_number, 0) >= {since + 1 if since else 0} "
        f"AND export_date BETWEEN DATE '{dates.first}' AND DATE '{dates.last}' ORDER BY export_date DESC, name"
    ).fetchall()
    numbers = {"files": len(found)}
    if not found:
        return Finding(True, "No file came twice.", numbers)
    files = [f"{file_name(name)} {on_one_line(reason or '', _LONGEST_REASON)}" for name, reason in found]
    return Finding(
        False,
        f"{counted(len(found), 'file')} came twice: {some(files, '; ')}. Their events count once. Ask for the right "
        "export if another one was expected.",
        numbers,
    )


def without_person(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Files of these dates that lack a column by which their layout identifies the person."""
    found = connection.execute(
        "SELECT name, layout, reason FROM raw.export_files "
        f"WHERE status = 'loaded' AND contains(reason, {literal(UNIDENTIFIED)}) "
        f"AND export_date BETWEEN DATE '{dates.first}' AND DATE '{dates.last}' ORDER BY export_date DESC, name"
    ).fetchall()
    numbers = {"files": len(found)}
    if not found:
        return Finding(True, "Every file has the columns that identify the person.", numbers)
    files = [
        f"{file_name(name)} ({on_one_line(reason.split(UNIDENTIFIED)[1], _LONGEST_REASON)}, layout {layout})"
        for name, layout, reason in found
    ]
    return Finding(
        False,
        f"{counted(len(found), 'file')} without a column that identifies the person: {some(files, '; ')}. Correct its "
        "name in the layout, or remove it there if these exports don't have it; the next run reads the files again.",
        numbers,
    )
