"""Date-times of an export as SQL: text in, UTC instants out, by the rules of a layout.

A local time in the hour that a zone repeats in autumn is two instants, and one in the hour that it skips in spring is
none. DuckDB would choose silently; here the rule of the layout decides.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from pipeline.exports.layouts import Layout
from pipeline.warehouse import literal
from pipeline.warehouse.trimming import trimmed

ISO_CLOCK = r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?"
ISO_OFFSET = r" ?(Z|[+-](0\d|1[0-4])(:?[0-5]\d)?)"
# The same clock in its usual length: a glob takes half the time of a regular expression.
_USUAL_CLOCK = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9][T ][0-9][0-9]:[0-9][0-9]:[0-9][0-9]"
# A format in parts: directives, white space, other characters.
_TOKENS = re.compile(r"%.|\s+|.", re.DOTALL)
# Their patterns in Python's strptime (`_strptime.TimeRE`), which takes the first match.
_NUMBERS = {
    "%d": r"(?:3[01]|[12]\d|0[1-9]|[1-9])",
    "%f": r"\d{1,6}",
    "%H": r"(?:2[0-3]|[01]\d|\d)",
    "%I": r"(?:1[0-2]|0[1-9]|[1-9])",
    "%j": r"(?:36[0-6]|3[0-5]\d|[12]\d\d|0[1-9]\d|00[1-9]|[1-9]\d|0[1-9]|[1-9])",
    "%m": r"(?:1[0-2]|0[1-9]|[1-9])",
    "%M": r"(?:[0-5]\d|\d)",
    "%S": r"(?:6[01]|[0-5]\d|\d)",
    "%y": r"\d\d",
    "%Y": r"\d{4}",
}
_NAME = "[A-Za-z]+"
_DIRECTIVES = _NUMBERS | {
    "%a": _NAME,
    "%A": _NAME,
    "%b": _NAME,
    "%B": _NAME,
    "%p": "[AaPp][Mm]",
    "%z": r"(?:[+-]\d\d:?(?:[0-5]\d)?|Z)",
    "%%": "%",
}
# The instants that can be stored, for BETWEEN: a zone moves them by less than a day, and the years stay four digits.
STORABLE = "TIMESTAMPTZ '0001-01-02 00:00:00+00' AND TIMESTAMPTZ '9998-12-31 00:00:00+00'"
# Days outside these years are computed the slow way; inside, only days on which a zone changes its clocks are.
_FIRST_YEAR, _LAST_YEAR = 2000, 2050


@dataclass(frozen=True)
class DateTimes:
    """SQL over a text column: `naive` (TIMESTAMP, local) and `absolute` (TIMESTAMPTZ); at most one is not NULL."""

    naive: str
    absolute: str


def parsed(layout: Layout, text: str) -> DateTimes:
    """SQL that reads the date-times of a layout; `text` is SQL for the column."""
    if not layout.datetime_formats:
        plain = f"replace({text}, ',', '.')"
        return DateTimes(
            naive=f"CASE WHEN {text} GLOB {literal(_USUAL_CLOCK)} THEN TRY_CAST({text} AS TIMESTAMP) "
            f"WHEN regexp_full_match({text}, {literal(ISO_CLOCK)}) THEN TRY_CAST({plain} AS TIMESTAMP) END",
            absolute=f"CASE WHEN {text} GLOB {literal(_USUAL_CLOCK)} THEN NULL "
            f"WHEN regexp_full_match({text}, {literal(ISO_CLOCK + ISO_OFFSET)}) "
            f"THEN TRY_CAST(regexp_replace({plain}, ' ([+Z-])', '\\1') AS TIMESTAMPTZ) END",
        )
    naive = [_strptime(text, pattern) for pattern in layout.datetime_formats if "%z" not in pattern]
    absolute = [
        _strptime(f"regexp_replace({text}, 'Z$', '+00:00')", pattern)
        for pattern in layout.datetime_formats
        if "%z" in pattern
    ]
    return DateTimes(_first(naive, "TIMESTAMP"), _first(absolute, "TIMESTAMPTZ"))


def _strptime(text: str, pattern: str) -> str:
    pattern = trimmed(pattern)  # as the texts are
    tokens = _TOKENS.findall(pattern)
    plain = f"try_strptime({text}, {literal(pattern)})"
    if tokens.count("%f") != 1:
        return plain
    ways = [_with_fraction_apart(text, tokens, fraction) for fraction in (r"(\d{1,6})", r"(\d{6})\d{1,3}?")]
    # DuckDB takes six digits, even if some belong to the next number.
    if not _is_number(*tokens[tokens.index("%f") + 1 :][:1]):
        ways.insert(0, plain)
    return f"coalesce({', '.join(ways)})"


def _is_number(token: str = "") -> bool:
    """Whether the text for a part of a format begins and ends with a digit."""
    return token in _NUMBERS or token.isdecimal()


def _with_fraction_apart(text: str, tokens: list[str], fraction: str) -> str:
    """SQL for a moment whose fraction of a second is a group of a regular expression: the text is cut as Python cuts
    it, since DuckDB would give a number the digits of the next one.
    """
    groups: list[list[str]] = [[]]
    for before, token in zip(["", *tokens], tokens, strict=False):
        if (_is_number(before) and _is_number(token)) or "%f" in (before, token):
            groups.append([])
        groups[-1].append(token)
    names = [f"g{number}" for number in range(len(groups))]
    position = groups.index(["%f"])
    expressions = (fraction if group == ["%f"] else f"({''.join(map(_expression, group))})" for group in groups)
    whole = literal(f"^{''.join(expressions)}$")
    found = f"regexp_extract({text}, {whole}, [{', '.join(map(literal, names))}])"
    digits = f"rpad(left({found}.{names.pop(position)}, 6), 6, '0')"
    rest = f"concat_ws('|', {', '.join(f'{found}.{name}' for name in names)})"
    pattern = "|".join("".join(group) for group in groups if group != ["%f"])
    return (
        f"CASE WHEN regexp_matches({text}, {whole}) "
        f"THEN try_strptime({rest}, {literal(pattern)}) + to_microseconds(CAST({digits} AS BIGINT)) END"
    )


def _expression(token: str) -> str:
    if token.isspace():
        return r"\s+"
    return _DIRECTIVES[token] if token in _DIRECTIVES else re.escape(token)


def _first(expressions: list[str], sql_type: str) -> str:
    return f"coalesce({', '.join(expressions)})" if expressions else f"CAST(NULL AS {sql_type})"


@dataclass(frozen=True)
class Instants:
    """SQL over the columns of `parsed`: the instant, and a note for an ambiguous or nonexistent local time."""

    occurred_at: str
    note: str


def instants(layout: Layout, naive: str, absolute: str, near: date) -> Instants:
    """SQL for the instant of a local time; `naive` and `absolute` are columns.
    Most times are expected `near` a day: if clocks don't change around it, an addition is enough.
    """
    if layout.timezone is None:
        return Instants(absolute, "NULL")
    zone = literal(layout.timezone)
    simple = f"timezone({zone}, {naive})"
    # The same local time by the offset of the day before and by that of the day after.
    by_old = f"(timezone({zone}, {naive} - INTERVAL 1 DAY) + INTERVAL 1 DAY)"
    by_new = f"(timezone({zone}, {naive} + INTERVAL 1 DAY) - INTERVAL 1 DAY)"
    old_is_true = f"timezone({zone}, {by_old}) = {naive}"
    new_is_true = f"timezone({zone}, {by_new}) = {naive}"
    note = (
        f"CASE WHEN {by_old} = {by_new} THEN NULL WHEN {old_is_true} AND {new_is_true} THEN 'ambiguous' "
        f"WHEN NOT {old_is_true} AND NOT {new_is_true} THEN 'nonexistent' END"
    )
    ambiguous = {"earlier": f"least({by_old}, {by_new})", "later": f"greatest({by_old}, {by_new})", "reject": "NULL"}
    # By the old offset, a time inside the gap comes out as much later as the clocks were moved.
    nonexistent = "NULL" if layout.ambiguous_hour == "reject" else by_old
    careful = (
        f"CASE {note} WHEN 'ambiguous' THEN {ambiguous[layout.ambiguous_hour]} WHEN 'nonexistent' THEN {nonexistent} "
        f"ELSE CASE WHEN {old_is_true} THEN {by_old} ELSE {by_new} END END"
    )
    days = ", ".join(f"DATE '{day}'" for day in change_days(layout.timezone))
    special = f"(year({naive}) NOT BETWEEN {_FIRST_YEAR} AND {_LAST_YEAR}" + (
        f" OR CAST({naive} AS DATE) IN ({days}))" if days else ")"
    )
    calm = calm_spell(layout.timezone, near)
    shifted = f"make_timestamptz(epoch_us({naive}) - {calm.offset_us})"
    is_calm = f"{naive} >= TIMESTAMP '{calm.first}' AND {naive} < TIMESTAMP '{calm.end}'"
    return Instants(
        occurred_at=f"CASE WHEN {is_calm} THEN {shifted} WHEN {absolute} IS NOT NULL THEN {absolute} "
        f"WHEN {naive} IS NULL THEN NULL WHEN {special} THEN {careful} ELSE {simple} END",
        note=f"CASE WHEN {naive} IS NULL OR ({is_calm}) THEN NULL WHEN {special} THEN {note} END",
    )


@dataclass(frozen=True)
class CalmSpell:
    """Local days from `first` to before `end` (none if they are the same) with a constant offset in a zone."""

    first: date
    end: date
    offset_us: int


@cache
def calm_spell(zone: str, near: date) -> CalmSpell:
    """The longest calm spell around a day."""
    changes = [date(_FIRST_YEAR, 1, 1), *change_days(zone), date(_LAST_YEAR, 12, 31)]
    before = [day for day in changes if day <= near]
    after = [day for day in changes if day > near]
    if not before or not after or before[-1] == near:
        return CalmSpell(near, near, 0)
    offset = datetime(near.year, near.month, near.day, 12, tzinfo=ZoneInfo(zone)).utcoffset()
    assert offset is not None  # a date-time with a zone has one
    return CalmSpell(before[-1] + timedelta(days=1), after[0], offset // timedelta(microseconds=1))


@cache
def change_days(zone: str) -> tuple[date, ...]:
    """The local days, and the days beside them, around which a zone's offset changes."""
    timezone = ZoneInfo(zone)
    noon = datetime(_FIRST_YEAR, 1, 1, 12, tzinfo=UTC)
    days: set[date] = set()
    offset = noon.astimezone(timezone).utcoffset()
    while noon.year <= _LAST_YEAR:
        noon += timedelta(days=1)
        new_offset = noon.astimezone(timezone).utcoffset()
        if new_offset != offset:
            days |= {(noon + timedelta(days=shift)).date() for shift in (-2, -1, 0, 1)}
        offset = new_offset
    return tuple(sorted(days))
