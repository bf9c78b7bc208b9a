"""The rules for a row of an export file, as SQL: its types, and why it is rejected."""

from collections.abc import Sequence
from datetime import date, timedelta
from difflib import get_close_matches

from pipeline.catalog import LOOKUPS
from pipeline.exports.datetimes import STORABLE, instants, parsed
from pipeline.exports.file_checks import UNIDENTIFIED
from pipeline.exports.formats.rows import FileRows
from pipeline.exports.headers import used_columns
from pipeline.exports.layouts import MEANINGS, Layout, key_of
from pipeline.exports.property_values import missing_sources, property_values
from pipeline.masking import on_one_line_sql
from pipeline.warehouse import literal, quoted
from pipeline.warehouse.trimming import identifier_sql, is_something_sql, trimmed_sql

_OF_PERSON = ("user_id", "email", "selligent_user_id")
# The end of the reason for a date-time that can't be stored.
OUTSIDE_OF_YEARS = "is outside of the years 1 to 9998"
# The reason repeats this many characters of a value; the row itself is stored beside it.
_SHOWN_LENGTH = 60


def _meanings_of(rows: FileRows, layout: Layout) -> dict[str, str]:
    """SQL for each meaning; NULL for a column that the file doesn't have."""
    by_lower = {key_of(name): expression for name, expression in rows.columns.items()}
    expressions = dict.fromkeys(MEANINGS, "CAST(NULL AS VARCHAR)")
    for column, meaning in layout.columns.items():
        expressions[meaning] = by_lower.get(key_of(column), expressions[meaning])
    return expressions


def missing_columns(rows: FileRows, layout: Layout) -> list[str]:
    """Columns that the layout names and the file doesn't have; their meaning is NULL in every row."""
    names = {key_of(name) for name in rows.columns}
    missing = [column for column in used_columns(layout) if key_of(column) not in names]
    return [*missing, *missing_sources(rows, layout)]


def what_is_missing(rows: FileRows, layout: Layout) -> str | None:
    """The missing columns in words, those that identify the person with similar ones that the file has; None if none
    is missing.
    """
    missing = missing_columns(rows, layout)
    if not missing:
        return None
    words = f"the file has no column {', '.join(map(repr, missing))}; its values are treated as empty"
    personal = [column for column in missing if layout.columns.get(column) in _OF_PERSON]
    if not personal:
        return words
    used = {key_of(column) for column in used_columns(layout)}
    others = {key_of(name): name for name in rows.columns if key_of(name) not in used}
    near = [others[key] for column in personal for key in get_close_matches(key_of(column), others, n=1)]
    meant = f" (the file has {', '.join(map(repr, near))})" if near else ""
    return f"{words}; {UNIDENTIFIED}{', '.join(map(repr, personal))}{meant}"


def event_rows(rows: FileRows, layout: Layout, export_date: date) -> str:
    """SELECT of a file's rows in the columns of `raw.events`, without those that identify the file."""
    meanings = _meanings_of(rows, layout)
    by_lower = {key_of(name): expression for name, expression in rows.columns.items()}
    code = by_lower.get(key_of(layout.event_column or ""), "CAST(NULL AS VARCHAR)")
    times = parsed(layout, "moment")
    placed = instants(layout, "naive_time", "absolute_time", near=export_date - timedelta(days=1))
    named = ", ".join(f"{expression} AS {quoted(meaning)}" for meaning, expression in meanings.items())
    values = property_values(rows, layout, export_date)
    kept = ", ".join(quoted(meaning) for meaning in MEANINGS)
    return f"""
        WITH texts AS (
            SELECT row_number, {named}, {code} AS event_code, {rows.extra} AS extra, {rows.fault} AS fault
                {_further(values.texts)}
            FROM {rows.rows}
        ),
        trimmed AS (SELECT *, {trimmed_sql('"timestamp"')} AS moment, {_listed_code(layout)} AS code FROM texts),
        timed AS (SELECT *, {times.naive} AS naive_time, {times.absolute} AS absolute_time{_further(values.moments)}
            FROM trimmed),
        understood AS (
            SELECT *, {_event(layout)} AS event, {placed.occurred_at} AS instant, {placed.note} AS time_note,
                CASE WHEN instant BETWEEN {STORABLE} THEN instant END AS occurred_at{_further(values.instants)}
            FROM timed
        )
        SELECT
            row_number, {kept}, event_code, extra, event, occurred_at, time_note,
            {values.properties} AS properties, {values.unreadable} AS unreadable_properties,
            CASE {_reasons(layout)} END AS rejected_because
        FROM understood
    """


def _further(expressions: Sequence[str]) -> str:
    return "".join(f", {expression}" for expression in expressions)


def _event(layout: Layout) -> str:
    if layout.event is not None:
        return literal(layout.event)
    listed = " ".join(f"WHEN {literal(code)} THEN {literal(event)}" for code, event in layout.event_codes.items())
    default = literal(layout.event_codes_default)
    return f"CASE code {listed} ELSE {default} END" if listed else default


def _listed_code(layout: Layout) -> str:
    """SQL for a row's code without padding, unless the layout lists it with the padding."""
    if not layout.event_codes:
        return identifier_sql("event_code")
    listed = ", ".join(literal(code) for code in layout.event_codes)
    return f"CASE WHEN event_code IN ({listed}) THEN event_code ELSE {identifier_sql('event_code')} END"


def _reasons(layout: Layout) -> str:
    """WHEN clauses, the first fault first. A row with a known code without an event is not a fault."""
    clauses = ["WHEN fault IS NOT NULL THEN fault"]
    if layout.event_column is not None and layout.event_codes_default is None:
        codes = ", ".join(literal(code) for code in layout.event_codes)
        shown_code = on_one_line_sql("code", _SHOWN_LENGTH)
        clauses += [
            f"WHEN code IS NULL THEN {literal(f'no event code in column {layout.event_column}')}",
            f"WHEN code NOT IN ({codes}) THEN 'unknown event code ''' || {shown_code} || ''' in column ' "
            f"|| {literal(layout.event_column)} || '; list it in event_codes of layout ' || {literal(layout.name)}",
        ]
    column = next(column for column, meaning in layout.columns.items() if meaning == "timestamp")
    expected = ", ".join(layout.datetime_formats) or "ISO 8601, like 2024-06-11T09:15:10"
    shown_time = on_one_line_sql('"timestamp"', _SHOWN_LENGTH)
    clauses += [
        "WHEN event IS NULL THEN NULL",
        f"""WHEN coalesce(moment, '') = '' THEN {literal(f"no date-time in column {column}")}""",
        f"WHEN occurred_at IS NULL AND time_note IS NOT NULL THEN 'the local time ''' || {shown_time} || ''' is ' "
        "|| time_note || ' (clocks change), and ambiguous_hour is reject'",
        f"WHEN occurred_at IS NULL AND instant IS NOT NULL THEN 'the date-time ''' || {shown_time} "
        f"|| ''' {OUTSIDE_OF_YEARS}'",
        f"WHEN occurred_at IS NULL AND naive_time IS NOT NULL THEN 'the date-time ''' || {shown_time} "
        f"|| ''' has no offset, and layout ' || {literal(layout.name)} || ' names no timezone'",
        f"WHEN occurred_at IS NULL THEN 'the date-time ''' || {shown_time} || ''' in column ' "
        f"|| {literal(column)} || ' cannot be read as ' || {literal(expected)}",
        f"WHEN NOT CASE WHEN {is_something_sql('user_id')} OR {is_something_sql('email')} THEN true "
        f"ELSE {is_something_sql('list_id')} AND {is_something_sql('selligent_user_id')} END "
        "THEN 'no person identified: neither user id, email address, nor list id with Selligent user id'",
    ]
    return " ".join(clauses)


def lookup_rows(rows: FileRows, layout: Layout, export_date: date) -> str:
    """SELECT of a lookup file's rows in the columns of `raw.lookups`, with why a row is rejected.

    The traits of a contact are a JSON object without nulls, ordered by name, so that the same traits are the same text.
    """
    lookup = LOOKUPS[layout.kind]
    meanings = _meanings_of(rows, layout)
    wanted = (*lookup.key, *lookup.values)
    named = ", ".join(f"{meanings[meaning]} AS {meaning}" for meaning in wanted)
    no_key = " OR ".join(f"NOT {is_something_sql(key)}" for key in lookup.key)
    values = property_values(rows, layout, export_date)
    return f"""
        WITH texts AS (
            SELECT row_number, {named}, {rows.text} AS text, {rows.fault} AS fault{_further(values.texts)}
            FROM {rows.rows}
        ),
        timed AS (SELECT *{_further(values.moments)} FROM texts),
        understood AS (SELECT *{_further(values.instants)} FROM timed)
        SELECT
            row_number, {", ".join(wanted)}, text,
            json_merge_patch('{{}}', {values.properties}) AS traits, {values.unreadable} AS unreadable_traits,
            coalesce(fault, CASE WHEN {no_key} THEN {literal("no " + " or no ".join(lookup.key))} END)
                AS rejected_because
        FROM understood
    """


def rejected_rows(rows: FileRows, layout: Layout, export_date: date) -> str:
    """SELECT of the `row_number` of the rows that are rejected."""
    rows_of = event_rows if layout.kind == "events" else lookup_rows
    return f"SELECT row_number FROM ({rows_of(rows, layout, export_date)}) WHERE rejected_because IS NOT NULL"
