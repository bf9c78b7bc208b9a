"""One export file as SQL: DuckDB parses it, every value stays text, every row is accepted or told why not.

What is built here is a relation with the columns of `raw.events` or `raw.lookups`. Python reads the header and
nothing else of the text.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from pipeline.catalog import LOOKUPS
from pipeline.exports.datetimes import parsed, placed
from pipeline.exports.headers import refuse_too_many, usable_names, used_columns
from pipeline.exports.layouts import MEANINGS, Layout, key_of
from pipeline.exports.surroundings import header_of
from pipeline.exports.texts import CARRIAGE_RETURN, UNIT_SEPARATOR, Text, delimiter_of
from pipeline.masking import on_one_line_sql
from pipeline.trimming import identifier_sql, is_something_sql, trimmed_sql
from pipeline.warehouse import literal, quoted

# Ends the reason for a date-time that is none which can be stored.
OUTSIDE_OF_YEARS = "is outside of the years 1 to 9998"
REJECTS_TABLE = "csv_rejects"
REJECTS_SCANS = "csv_reject_scans"
# DuckDB's Parquet writer takes 1 MB a column for its dictionary pages, and keeps whole row groups.
_WIDE_COLUMNS = 100
_WIDE = ", row_group_size 10240, string_dictionary_page_size_limit 16384"
# So much of a value is repeated in the reason why its row is rejected; the row itself stands beside it.
_SHOWN_LENGTH = 60


@dataclass(frozen=True)
class Source:
    """A file as a relation: the SQL that parses it, and what stands in it under which expression.

    `columns` maps the names in the file to SQL expressions over the relation's columns and those of `derived`;
    `first_row_line` is the line of the first data row; `fault` is SQL for why a row can't be read at all (NULL where
    it can).
    """

    scan: str
    columns: Mapping[str, str]
    extra: str
    text: str
    first_row_line: int
    fault: str = "NULL"
    derived: str = ""


def parse(connection: duckdb.DuckDBPyConnection, source: Source, path: Path) -> str:
    """Parse a file, and return SQL for its rows, each with its `row_number`; they lie in Parquet at `path`.

    A Parquet file knows the numbers of its rows. `row_number() OVER ()` on the way from the text to the table would
    keep everything behind it on one core, which takes half as long again on two, and the longer the more there are.
    """
    options = "FORMAT parquet" + (_WIDE if len(source.columns) > _WIDE_COLUMNS else "")
    connection.execute(f"COPY (FROM {source.scan}) TO {literal(str(path))} ({options})")
    return (
        f"(SELECT file_row_number + 1 AS row_number, * EXCLUDE (file_row_number){source.derived} "
        f"FROM read_parquet({exactly(path)}, file_row_number = true))"
    )


def csv_source(text: Text, layout: Layout, *, mended: bool) -> Source | None:
    """A delimited text; None where it has no rows at all.

    Raises:
        FileRefused: the header lacks what the layout can't do without, or repeats a name.
    """
    if isinstance(layout.header, list):
        names = layout.header
        refuse_too_many(names)
    else:
        cells, line = header_of(text, layout)
        if cells is None:
            return None
        names = usable_names(cells, layout, line)
    variables = [f"c{position}" for position in range(len(names))]
    types = ", ".join(f"{name}: 'VARCHAR'" for name in variables)
    # DuckDB wants at least one text for NULL; this one stands in no file.
    nulls = ", ".join(literal(value) for value in layout.null_values or ["\x1a\x1a"])
    quote = literal(layout.quote or "")
    scan = (
        f"read_csv({exactly(text.path)}, auto_detect = false, columns = {{{types}}}, "
        f"delim = {literal(delimiter_of(layout))}, quote = {quote}, escape = {quote}, "
        f"header = {str(layout.header is True).lower()}, nullstr = [{nulls}], {reading_options(text)})"
    )
    if restored := restoring(layout, mended=mended):
        scan = f"(SELECT {', '.join(f'{restored(name)} AS {name}' for name in variables)} FROM {scan})"
    columns = dict(zip(names, variables, strict=True))
    known = {key_of(column) for column in used_columns(layout)}
    rest = {name: variable for name, variable in columns.items() if key_of(name) not in known}
    pairs = ", ".join(f"{literal(name)}, {variable}" for name, variable in rest.items())
    return Source(
        scan=scan,
        columns=columns,
        extra=f"json_object({pairs})" if rest else "CAST(NULL AS JSON)",
        text=_joined(variables, layout),
        first_row_line=2 if layout.header is True else 1,
    )


def reading_options(text: Text) -> str:
    r"""Options that are the same for all texts. Of the line ends, DuckDB reads `\r\n` rightly only when it finds out
    by itself, and `\n` beside carriage returns inside quotes only when told.
    """
    newline = "new_line = '\\n', " if text.newline == "\n" else ""
    return (
        f"{newline}encoding = 'utf-8', compression = 'none', strict_mode = true, store_rejects = true, "
        f"rejects_table = {literal(REJECTS_TABLE)}, rejects_scan = {literal(REJECTS_SCANS)}"
    )


def restoring(layout: Layout, *, mended: bool) -> Callable[[str], str] | None:
    """SQL for a value as it stood in the file, where characters stand for others in the text."""
    stand_ins = {}
    if mended:
        stand_ins[CARRIAGE_RETURN] = "chr(13)"
    if delimiter_of(layout) != layout.delimiter:
        stand_ins[UNIT_SEPARATOR] = literal(layout.delimiter)
    if not stand_ins:
        return None

    def restored(expression: str) -> str:
        for stand_in, original in stand_ins.items():
            expression = f"replace({expression}, {literal(stand_in)}, {original})"
        return expression

    return restored


def exactly(path: Path) -> str:
    """A path as SQL, in which no character stands for others: DuckDB takes `*`, `?` and `[` for a pattern."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))


def _joined(variables: Sequence[str], layout: Layout) -> str:
    """SQL for the row's text, for people to find it by: the values, quoted as in the file."""
    values = [f"coalesce({variable}, '')" for variable in variables]
    if layout.quote is not None:
        quote, doubled = literal(layout.quote), literal(layout.quote * 2)
        values = [f"{quote} || replace({value}, {quote}, {doubled}) || {quote}" for value in values]
    return f"concat_ws({literal(layout.delimiter)}, {', '.join(values)})"


def meanings_of(source: Source, layout: Layout) -> dict[str, str]:
    """SQL for each meaning; a column that the file doesn't have is NULL."""
    by_lower = {key_of(name): expression for name, expression in source.columns.items()}
    expressions = dict.fromkeys(MEANINGS, "CAST(NULL AS VARCHAR)")
    for column, meaning in layout.columns.items():
        expressions[meaning] = by_lower.get(key_of(column), expressions[meaning])
    return expressions


def missing_columns(source: Source, layout: Layout) -> list[str]:
    """Columns that the layout names and the file doesn't have; their meaning is NULL in every row."""
    names = {key_of(name) for name in source.columns}
    return [column for column in used_columns(layout) if key_of(column) not in names]


def event_rows(rows: str, source: Source, layout: Layout, export_date: date) -> str:
    """SELECT of a file's rows, as `parse` gives them, as `raw.events` has them, but for the columns that say which
    file it is.
    """
    meanings = meanings_of(source, layout)
    by_lower = {key_of(name): expression for name, expression in source.columns.items()}
    code = by_lower[key_of(layout.event_column)] if layout.event_column else "CAST(NULL AS VARCHAR)"
    times = parsed(layout, "moment")
    instants = placed(layout, "naive_time", "absolute_time", near=export_date - timedelta(days=1))
    named = ", ".join(f"{expression} AS {quoted(meaning)}" for meaning, expression in meanings.items())
    kept = ", ".join(quoted(meaning) for meaning in MEANINGS)
    return f"""
        WITH texts AS (
            SELECT row_number, {named}, {code} AS event_code, {source.extra} AS extra, {source.fault} AS fault
            FROM {rows}{" WHERE line IS NOT NULL" if layout.format == "ndjson" else ""}
        ),
        trimmed AS (SELECT *, {trimmed_sql('"timestamp"')} AS moment, {_listed_code(layout)} AS code FROM texts),
        timed AS (SELECT *, {times.naive} AS naive_time, {times.absolute} AS absolute_time FROM trimmed),
        understood AS (
            SELECT *, {_event(layout)} AS event, {instants.occurred_at} AS instant, {instants.note} AS time_note,
                CASE WHEN instant BETWEEN TIMESTAMPTZ '0001-01-02 00:00:00+00' AND TIMESTAMPTZ '9998-12-31 00:00:00+00'
                    THEN instant END AS occurred_at
            FROM timed
        )
        SELECT
            row_number, {kept}, event_code, extra, event, occurred_at, time_note,
            CASE {_reasons(layout)} END AS rejected_because
        FROM understood
    """


def _event(layout: Layout) -> str:
    if layout.event is not None:
        return literal(layout.event)
    listed = " ".join(f"WHEN {literal(code)} THEN {literal(event)}" for code, event in layout.event_codes.items())
    default = literal(layout.event_codes_default)
    return f"CASE code {listed} ELSE {default} END" if listed else default


def _listed_code(layout: Layout) -> str:
    """SQL for a row's code without what pads it, unless the layout lists it with that."""
    if not layout.event_codes:
        return identifier_sql("event_code")
    listed = ", ".join(literal(code) for code in layout.event_codes)
    return f"CASE WHEN event_code IN ({listed}) THEN event_code ELSE {identifier_sql('event_code')} END"


def _reasons(layout: Layout) -> str:
    """WHEN clauses, first fault first; a row whose code is known and mapped to nothing is no fault."""
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
        "|| time_note || ' (clocks change), and ambiguous_hour says reject'",
        f"WHEN occurred_at IS NULL AND instant IS NOT NULL THEN 'the date-time ''' || {shown_time} "
        f"|| ''' {OUTSIDE_OF_YEARS}'",
        f"WHEN occurred_at IS NULL AND naive_time IS NOT NULL THEN 'the date-time ''' || {shown_time} "
        f"|| ''' has no offset, and layout ' || {literal(layout.name)} || ' names no timezone'",
        f"WHEN occurred_at IS NULL THEN 'the date-time ''' || {shown_time} || ''' in column ' "
        f"|| {literal(column)} || ' is not readable as ' || {literal(expected)}",
        f"WHEN NOT CASE WHEN {is_something_sql('user_id')} OR {is_something_sql('email')} THEN true "
        f"ELSE {is_something_sql('list_id')} AND {is_something_sql('selligent_user_id')} END "
        "THEN 'nobody to tell it of: no user id and no email address'",
    ]
    return " ".join(clauses)


def lookup_rows(rows: str, source: Source, layout: Layout) -> str:
    """SELECT of a lookup file's rows, as `parse` gives them, as `raw.lookups` has them, with why a row is rejected."""
    lookup = LOOKUPS[layout.kind]
    meanings = meanings_of(source, layout)
    wanted = (*lookup.key, *lookup.values)
    named = ", ".join(f"{meanings[meaning]} AS {meaning}" for meaning in wanted)
    no_key = " OR ".join(f"NOT {is_something_sql(key)}" for key in lookup.key)
    return f"""
        WITH texts AS (
            SELECT row_number, {named}, {source.text} AS text, {source.fault} AS fault
            FROM {rows}{" WHERE line IS NOT NULL" if layout.format == "ndjson" else ""}
        )
        SELECT
            row_number, {", ".join(wanted)}, text,
            coalesce(fault, CASE WHEN {no_key} THEN {literal("no " + " or no ".join(lookup.key))} END)
                AS rejected_because
        FROM texts
    """
