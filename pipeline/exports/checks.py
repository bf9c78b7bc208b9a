"""Checks of the exports of the given dates, computed from `raw`. They assume that every row is accounted for."""

from collections.abc import Collection
from datetime import date, timedelta

import duckdb

from pipeline.export_dates import ExportDates
from pipeline.exports.discovery import Discovered
from pipeline.exports.layout_files import faults_of
from pipeline.exports.row_rules import OUTSIDE_OF_YEARS
from pipeline.finding import Finding, counted, plural, some
from pipeline.masking import file_name, on_one_line
from pipeline.warehouse import one_row

# The tolerance for a wrong clock; an event that is further ahead can't have happened.
CLOCK_TOLERANCE = timedelta(minutes=5)
# If this share of a file's events is in the future, the layout is wrong, not just some rows.
FUTURE_ERROR_SHARE = 0.1
FUTURE_ERROR_MIN_EVENTS = 10
# A date is compared with this many earlier dates of the same weekday.
MISSING_LOOKBACK_WEEKS = 4
VOLUME_LOOKBACK_WEEKS = 8
VOLUME_MIN_WEEKS = 3
VOLUME_MIN_RATIO, VOLUME_MAX_RATIO = 0.5, 2.0

_LONGEST_CODE = 40
# The number that `some` shows.
_EXAMPLES = 3

# An unmatched file is reported only when it is discovered: it may not be an export, and stay there forever.
_UNREAD = """
    SELECT DISTINCT name, status, reason FROM raw.export_files
    WHERE (status = 'refused' AND export_date BETWEEN $1 AND $2) OR (status = 'unmatched' AND load_number > $3)
    ORDER BY status, name
"""


def unread_files(
    connection: duckdb.DuckDBPyConnection, dates: ExportDates, since: int, present: Collection[str]
) -> Finding:
    """Refused files of these dates, and unmatched files of any date that a load with a number above `since` recorded.
    Only files that are still `present` count.
    """
    unread = connection.execute(_UNREAD, [dates.first, dates.last, since]).fetchall()
    found = [row for row in unread if row[0] in present]
    refused = [f"{name} ({reason})" for name, status, reason in found if status == "refused"]
    unmatched = [f"{name} ({reason})" for name, status, reason in found if status == "unmatched"]
    numbers = {"refused": len(refused), "unmatched": len(unmatched)}
    if not found:
        return Finding(True, "Every file was read.", numbers)
    sentences = []
    if refused:
        sentences.append(
            f"{counted(len(refused), 'file')} refused: {some(refused, '; ')}. Have the file sent again, or correct "
            "its layout; the next run tries again."
        )
    if unmatched:
        sentences.append(
            f"{counted(len(unmatched), 'file')} left alone: {some(unmatched, '; ')}. If it is an export, "
            "`python -m pipeline inspect FILE` drafts a layout for it."
        )
    return Finding(False, " ".join(sentences), numbers)


def broken_layouts(discovered: Discovered) -> Finding:
    """Layouts that can't be used, and the number of files that wait for them."""
    broken, files = discovered.broken, len(discovered.undecided)
    numbers = {"layouts": len(broken), "files": files}
    if not broken:
        return Finding(True, "Every layout can be used.", numbers)
    them = plural(len(broken), "it", "them")
    waiting = f" {counted(files, 'file')} that may belong to {them} {plural(files, 'is', 'are')} loaded then."
    return Finding(
        False,
        f"{counted(len(broken), 'layout')} not used: {faults_of(broken)}. Correct {them}, and run again."
        f"{waiting if files else ''}",
        numbers,
        grave=True,
    )


_UNKNOWN_CODES = """
    SELECT layout, event_code, count(*) AS rows, count(DISTINCT file) AS files, min(file) AS file
    FROM raw.events
    WHERE export_date BETWEEN $1 AND $2 AND event_code IS NOT NULL
        AND rejected_because LIKE 'unknown event code %'
    GROUP BY ALL
    ORDER BY rows DESC, layout, event_code
"""


def unknown_codes(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Event codes that their layout does not list: the rows are rejected, although they may be events."""
    found = connection.execute(_UNKNOWN_CODES, [dates.first, dates.last]).fetchall()
    if not found:
        return Finding(True, "Every event code is listed in its layout.", {"codes": 0, "rows": 0})
    rows = sum(row[2] for row in found)
    codes = [
        f"'{on_one_line(code, _LONGEST_CODE)}' in {file}"
        + (f" and {files - 1:,} more" if files > 1 else "")
        + f" ({counted(number, 'row')}, layout {layout})"
        for layout, code, number, files, file in found
    ]
    return Finding(
        False,
        f"{counted(len(found), 'event code')} {plural(len(found), 'is not listed in its', 'are not listed in their')} "
        f"layout: {some(codes, '; ')}. Add them to event_codes of the layout, with null for those that are none of the "
        "six events; the next run reads the files again.",
        {"codes": len(found), "rows": rows},
    )


_SUSPECT_QUOTES = """
    SELECT name, string_agg(layout, ', ' ORDER BY layout), max(suspect_rows) AS suspect_rows, min(suspect_line)
    FROM raw.export_files
    WHERE status = 'loaded' AND suspect_rows > 0 AND export_date BETWEEN $1 AND $2
    GROUP BY export_date, name
    ORDER BY suspect_rows DESC, name
"""


def suspect_quotes(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Quoted values that look like several rows: stray quotes swallow the rows between them."""
    found = connection.execute(_SUSPECT_QUOTES, [dates.first, dates.last]).fetchall()
    rows = sum(row[2] for row in found)
    numbers = {"rows": rows, "files": len(found)}
    if not found:
        return Finding(True, "No quoted value looks like several rows.", numbers)
    listed = some(
        [
            f"{file_name(name)} (line {line:,}"
            + (f" and {number - 1:,} more" if number > 1 else "")
            + f", layout {layout})"
            for name, layout, number, line in found
        ],
        "; ",
    )
    return Finding(
        False,
        f"{counted(rows, 'row')} {plural(rows, 'has', 'have')} a quoted value that contains whole rows: {listed}. Look "
        "at these lines. If quotes are part of the text, set quote: null in the layout; the next run reads the files "
        "again.",
        numbers,
    )


# For each layout: the dates before the newest one on which an export is missing. That of the newest date may still
# arrive.
_MISSING_DATES = """
    WITH exports AS (
        SELECT DISTINCT layout, export_date FROM raw.export_files WHERE status = 'loaded' AND kind = 'events'
    ),
    layouts AS (SELECT layout, min(export_date) AS first FROM exports GROUP BY ALL),
    days AS (
        SELECT layout, first, CAST(unnest(generate_series(
            greatest(first, $1), least($2, (SELECT max(export_date) FROM exports)) - 1, INTERVAL 1 DAY
        )) AS DATE) AS day
        FROM layouts
    ),
    missing AS (SELECT * FROM days WHERE (layout, day) NOT IN (SELECT (layout, export_date) FROM exports)),
    compared AS (
        SELECT layout, day,
            (
                SELECT count(*) FROM generate_series(1, $3) AS weeks(back)
                WHERE missing.day - 7 * CAST(back AS INTEGER) >= missing.first
            ) AS earlier,
            (
                SELECT count(*) FROM exports
                WHERE exports.layout = missing.layout AND exports.export_date >= missing.day - 7 * $3
                    AND exports.export_date < missing.day AND (missing.day - exports.export_date) % 7 = 0
            ) AS arrived,
            (
                SELECT count(*) FROM exports
                WHERE exports.layout = missing.layout AND exports.export_date IN (missing.day - 1, missing.day + 1)
            ) AS neighbours
        FROM missing
    )
    SELECT layout, day FROM compared
    WHERE CASE
        WHEN earlier > 0 THEN 2 * arrived > earlier
        ELSE neighbours = 2 AND isodow(day) <= 5
    END
    ORDER BY day DESC, layout
"""


def missing_dates(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Dates without an expected export of a layout, from four weeks before these dates on.

    An export is expected if most of the same weekdays in the four weeks before have one, so that a weekly export, or
    one that is not made on Sundays, is expected only on its own days. In the first week of a layout, an export is
    expected on a Monday to Friday between two dates that have one.
    """
    first = max(dates.first, date.min + timedelta(weeks=MISSING_LOOKBACK_WEEKS)) - timedelta(
        weeks=MISSING_LOOKBACK_WEEKS
    )
    found = connection.execute(_MISSING_DATES, [first, dates.last, MISSING_LOOKBACK_WEEKS]).fetchall()
    numbers = {"missing": len(found)}
    if not found:
        return Finding(True, "No expected export is missing.", numbers)
    listed = some([f"{layout} of {day:%A} {day}" for layout, day in found])
    return Finding(
        False,
        f"{counted(len(found), 'export')} missing: {listed}. Ask for them where the exports are made; a file that "
        "arrives late is loaded by the next run.",
        numbers,
    )


_UNUSUAL_VOLUMES = """
    WITH volumes AS (
        SELECT layout, export_date, sum(rows) AS rows FROM raw.export_files
        WHERE status = 'loaded' AND kind = 'events' AND export_date BETWEEN $1 AND $2
        GROUP BY ALL
    )
    SELECT today.layout, today.export_date, today.rows, median(before.rows) AS usual
    FROM volumes AS today
    JOIN volumes AS before
        ON before.layout = today.layout AND before.export_date < today.export_date
        AND before.export_date >= today.export_date - 7 * $4
        AND (today.export_date - before.export_date) % 7 = 0
    WHERE today.export_date >= $3
    GROUP BY ALL
    HAVING count(*) >= $5 AND (today.rows < $6 * usual OR today.rows > $7 * usual)
    ORDER BY today.export_date DESC, today.layout
"""


def unusual_volumes(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Exports of these dates with far fewer or far more rows than those of the same weekday before them."""
    first = max(dates.first, date.min + timedelta(weeks=VOLUME_LOOKBACK_WEEKS)) - timedelta(weeks=VOLUME_LOOKBACK_WEEKS)
    found = connection.execute(
        _UNUSUAL_VOLUMES,
        [first, dates.last, dates.first, VOLUME_LOOKBACK_WEEKS, VOLUME_MIN_WEEKS, VOLUME_MIN_RATIO, VOLUME_MAX_RATIO],
    ).fetchall()
    numbers = {"exports": len(found)}
    if not found:
        return Finding(True, "Every export has about as many rows as its weekday usually has.", numbers)
    listed = some(
        [
            f"{layout} of {day} has {counted(rows, 'row')}, and a {day:%A} usually {usual:,.0f}"
            for layout, day, rows, usual in found
        ],
        "; ",
    )
    return Finding(
        False,
        f"{listed}. Check whether the mailing really was that small or large. If not, have the export made again under "
        "the same file name.",
        numbers,
    )


_FUTURE = """
    SELECT export_date, file, layout,
        count(*) FILTER (occurred_at > loaded_at + to_seconds($3)) AS ahead,
        count(*) AS events,
        max(occurred_at) AS latest
    FROM raw.events
    WHERE export_date BETWEEN $1 AND $2 AND event IS NOT NULL AND rejected_because IS NULL
    GROUP BY ALL
    HAVING ahead > 0
    ORDER BY ahead DESC, file
"""


def future_events(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Events that are later than their loading, beyond the tolerance.

    Grave if they are at least a tenth of a file, and at least ten: its layout reads the date-times wrongly. Since
    event ids depend on event times, all of them would get other ids once the layout is corrected, and be delivered a
    second time.
    """
    found = connection.execute(_FUTURE, [dates.first, dates.last, CLOCK_TOLERANCE.total_seconds()]).fetchall()
    ahead = sum(row[3] for row in found)
    numbers = {"events": ahead, "files": len(found)}
    if not found:
        return Finding(True, "No event is in the future.", numbers)
    wrong = [row for row in found if row[3] >= max(FUTURE_ERROR_SHARE * row[4], FUTURE_ERROR_MIN_EVENTS)]
    listed = some(
        [
            f"{file} ({number:,} of {counted(of, 'event')}, up to {latest:%Y-%m-%d %H:%M} UTC, layout {layout})"
            for _, file, layout, number, of, latest in wrong or found
        ],
        "; ",
    )
    if wrong:
        return Finding(
            False,
            f"Events in the future in {listed}. Correct timezone or datetime_formats of the layout (day and month may "
            "be swapped) and run again. If this machine's clock was behind when they were loaded, correct the clock "
            "and materialize raw/events for these dates with `reload: true`. The run stops here because event ids "
            "depend on event times: once corrected, these events would get other ids and be delivered a second time.",
            numbers,
            grave=True,
        )
    return Finding(
        False,
        f"{counted(ahead, 'event')} in the future in {listed}. They are kept. Check their date-times in raw.events, "
        "and the clocks of this machine and of the system that wrote the export.",
        numbers,
    )


# Systems write their first or last day for a missing date: 0001-01-01, 1601-01-01, 1753-01-01,
# 1899-12-30, 1900-01-01, 1904-01-01, 1970-01-01, 9999-12-31; a zone can move it by a day. No export has emails from
# before this time, the start of the year 2000 in the earliest zone.
FIRST_PLAUSIBLE_TIME = "1999-12-31 10:00:00+00"
_PLACEHOLDERS = f"""
    SELECT file, layout, timestamp AS text, count(*) AS rows
    FROM raw.events
    WHERE export_date BETWEEN $1 AND $2 AND event IS NOT NULL
        AND (
            (rejected_because IS NULL AND occurred_at < TIMESTAMPTZ '{FIRST_PLAUSIBLE_TIME}')
            OR rejected_because LIKE '%{OUTSIDE_OF_YEARS}'
        )
    GROUP BY ALL
"""


def placeholder_dates(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> Finding:
    """Rows whose date-time is a placeholder: before the year 2000, or outside of the possible years."""
    query = f"SELECT count(*), coalesce(sum(rows), 0) FROM ({_PLACEHOLDERS})"
    texts, rows = one_row(connection, query, [dates.first, dates.last])
    numbers = {"rows": int(rows)}
    if not rows:
        return Finding(True, "No date-time is a placeholder for a missing one.", numbers)
    examples = most_frequent(connection, _PLACEHOLDERS, dates, texts)
    return Finding(
        False,
        f"{counted(int(rows), 'row')} {plural(int(rows), 'has', 'have')} a placeholder for a date-time: {examples}. "
        "Unless rejected, they are loaded with that time. Add the text to null_values of the layout to reject them "
        "all, or, if the date-time is misread, correct datetime_formats; the next run reads the files again.",
        numbers,
    )


def most_frequent(connection: duckdb.DuckDBPyConnection, query: str, dates: ExportDates, in_all: int) -> str:
    """The most frequent of `in_all` texts; the query has columns `file`, `layout`, `text` and `rows`."""
    found = connection.execute(
        f"{query} ORDER BY rows DESC, file, text LIMIT {_EXAMPLES}", [dates.first, dates.last]
    ).fetchall()
    examples = [
        f"'{on_one_line(text, _LONGEST_CODE)}' in {file} ({counted(number, 'row')}, layout {layout})"
        for file, layout, text, number in found
    ]
    rest = [f"and {in_all - len(found):,} more"] if in_all > len(found) else []
    return "; ".join([*examples, *rest])
