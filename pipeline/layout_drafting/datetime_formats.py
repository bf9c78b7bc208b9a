"""The date-time formats of a column's values, and the order of day and month, if it is certain."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pipeline.exports.datetimes import ISO_CLOCK, ISO_OFFSET

# The loader reads this without `datetime_formats`.
_ISO = re.compile(f"{ISO_CLOCK}({ISO_OFFSET})?", re.ASCII)
# Words for a zone without a strptime directive; a format contains them literally.
_WORDS_OF_ZONE = (" UTC", " GMT")
_CLOCK = (
    r"(?P<gap>T|, | {1,2}|:|-)(?P<hour>\d{1,2})(?P<colon>[:.-])(?P<minute>\d{2})((?P=colon)(?P<second>\d{2})"
    r"(?P<point>[.,:])?(?(point)(?P<fraction>\d{1,9})))?(?P<half> ?[AaPp][Mm])?"
    rf"(?P<zone> ?(?:Z|[+-]\d{{2}}(?::?\d{{2}})?|{'|'.join(_WORDS_OF_ZONE)}))?"
)
_YEAR_FIRST = re.compile(rf"(?P<year>\d{{4}})(?P<mark>[-/.])(?P<a>\d{{1,2}})(?P=mark)(?P<b>\d{{1,2}})({_CLOCK})?", re.A)
_YEAR_LAST = re.compile(
    rf"(?P<a>\d{{1,2}})(?P<mark>[-/.])(?P<b>\d{{1,2}})(?P=mark)(?P<year>\d{{4}}|\d{{2}})({_CLOCK})?", re.A
)
_WEEKDAY = r"(?P<weekday>(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? )?"
_MONTH_NAMED = re.compile(
    rf"{_WEEKDAY}(?P<day>\d{{1,2}})(?P<mark>[-/. ])(?P<month>[A-Za-z]{{3,9}})(?P=mark)(?P<year>\d{{4}}|\d{{2}})"
    rf"({_CLOCK})?",
    re.A,
)
# The comma is English; SQL Server writes none, and a blank for a day's missing first digit.
_MONTH_FIRST = re.compile(
    rf"{_WEEKDAY}(?P<month>[A-Za-z]{{3,9}}) {{1,2}}(?P<day>\d{{1,2}})(?P<comma>,?) (?P<year>\d{{4}})({_CLOCK})?", re.A
)
_DIGITS_ONLY = {14: "%Y%m%d%H%M%S", 12: "%Y%m%d%H%M", 8: "%Y%m%d"}
_DIGITS_WITH_FRACTION, _FRACTION_DIGITS = "%Y%m%d%H%M%S%f", range(15, 24)
_DIGITS_WITH_CLOCK = re.compile(
    r"\d{8}(?P<gap>[T _-])(?P<clock>\d{6}|\d{4})"
    r"(?:(?P<point>[.,]?)(?P<fraction>(?<=\d{6}[.,])\d{1,9}|(?<=\d{6})\d{3}))?",
    re.A,
)
_DIGITS_THEN_CLOCK = re.compile(rf"\d{{8}}{_CLOCK}", re.A)
_DIGIT_YEARS = range(1990, 2100)  # a number that begins with another year is not a date
# The minimum share of date-times in a column; the other values are broken.
_ENOUGH = 0.9
_FIRST, _SECOND = "{a}", "{b}"
# After six digits of a fraction, or of a compact date and time with fourteen.
_LONG_FRACTION = re.compile(r"((?<=[.,:])\d{6}|^\d{20})\d{1,3}(?!\d)")


@dataclass(frozen=True)
class Moments:
    """The formats of a column's date-times.

    `formats` is empty for ISO 8601. `exchanged` are the same formats with month before day, if the sample is
    ambiguous. `with_word` counts those of `without_offset` that end in the word UTC or GMT. `misfits` counts values
    that match none of the formats.
    """

    formats: tuple[str, ...]
    exchanged: tuple[str, ...]
    with_offset: int
    without_offset: int
    with_word: int
    misfits: int


@dataclass(frozen=True)
class _Shape:
    """A value as a template, in which two numbers can be day and month or month and day."""

    template: str
    numbers: tuple[int, int] | None = None


def moments_of(values: Sequence[str]) -> Moments | None:
    """The formats of these values; None if they are not date-times."""
    shapes = [shape for value in values if (shape := _shape(value)) is not None]
    if not shapes or len(shapes) < _ENOUGH * len(values):
        return None
    # A year at the start is hardly ever followed by the day; for the others, all values together decide the order.
    day_first = _is_day_first(shape.numbers for shape in shapes if shape.numbers and not _is_year_first(shape))
    late_month = _is_day_first(shape.numbers for shape in shapes if shape.numbers and _is_year_first(shape))
    orders = [late_month is True if _is_year_first(shape) else day_first is not False for shape in shapes]
    filled = Counter(_filled(shape, order) for shape, order in zip(shapes, orders, strict=True))
    formats, unread = [], list(values)
    # The format that reads most comes first, and formats that add nothing are left out: May is both a %b and a %B.
    for text in sorted(filled, key=lambda text: -sum(_fits(value, text) for value in values)):
        rest = [value for value in unread if not _fits(value, text)]
        if len(rest) < len(unread):
            formats.append(text)
        unread = rest
    read = len(values) - len(unread)
    if not formats or read < _ENOUGH * len(values):
        return None
    with_offset = sum(count for text, count in filled.items() if "%z" in text)
    doubtful = day_first is None and any(shape.numbers and not _is_year_first(shape) for shape in shapes)
    is_iso = all(_ISO.fullmatch(value) for value in set(values) - set(unread))
    return Moments(
        formats=() if is_iso else tuple(formats),
        exchanged=tuple(map(_exchanged, formats)) if doubtful else (),
        with_offset=with_offset,
        without_offset=len(shapes) - with_offset,
        with_word=sum(count for text, count in filled.items() if text.endswith(_WORDS_OF_ZONE)),
        misfits=len(unread),
    )


def _shape(value: str) -> _Shape | None:
    if value.isascii() and value.isdigit():
        template = _DIGITS_WITH_FRACTION if len(value) in _FRACTION_DIGITS else _DIGITS_ONLY.get(len(value))
        return _Shape(template) if template and int(value[:4]) in _DIGIT_YEARS else None
    if found := _DIGITS_WITH_CLOCK.fullmatch(value):
        clock = "%H%M%S" if len(found["clock"]) == 6 else "%H%M"
        fraction = f"{found['point']}%f" if found["fraction"] else ""
        return _Shape(f"%Y%m%d{found['gap']}{clock}{fraction}")
    if found := _DIGITS_THEN_CLOCK.fullmatch(value):
        return _Shape(f"%Y%m%d{_clock(found)}")
    if found := _YEAR_FIRST.fullmatch(value):
        date = found["mark"].join(("%Y", _FIRST, _SECOND))
        return _Shape(date + _clock(found), (int(found["a"]), int(found["b"])))
    if found := _YEAR_LAST.fullmatch(value):
        date = found["mark"].join((_FIRST, _SECOND, _year(found)))
        return _Shape(date + _clock(found), (int(found["a"]), int(found["b"])))
    if found := _MONTH_NAMED.fullmatch(value):
        return _Shape(_weekday(found) + found["mark"].join(("%d", _month(found), _year(found))) + _clock(found))
    if found := _MONTH_FIRST.fullmatch(value):
        return _Shape(f"{_weekday(found)}{_month(found)} %d{found['comma']} {_year(found)}{_clock(found)}")
    return None


def _weekday(found: re.Match[str]) -> str:
    return f"%a{found['weekday'][3:]}" if found["weekday"] else ""


def _year(found: re.Match[str]) -> str:
    return "%Y" if len(found["year"]) == 4 else "%y"


def _month(found: re.Match[str]) -> str:
    return "%b" if len(found["month"]) == 3 else "%B"


def _clock(found: re.Match[str]) -> str:
    if found["hour"] is None:
        return ""
    parts = [found["gap"], "%I" if found["half"] else "%H", found["colon"], "%M"]
    if found["second"]:
        parts += [found["colon"], "%S"]
    if found["fraction"]:
        parts += [found["point"], "%f"]
    if found["half"]:
        parts += [" " if found["half"].startswith(" ") else "", "%p"]
    if found["zone"] in _WORDS_OF_ZONE:
        parts += [found["zone"]]
    elif found["zone"]:
        parts += [" " if found["zone"].startswith(" ") else "", "%z"]
    return "".join(parts)


def _is_year_first(shape: _Shape) -> bool:
    return shape.template.startswith("%Y")


def _is_day_first(numbers: Iterable[tuple[int, int]]) -> bool | None:
    """Whether days come first; None if no number is above 12, so that each could be a month."""
    pairs = list(numbers)
    days_first = sum(first > 12 for first, _ in pairs)
    days_second = sum(second > 12 for _, second in pairs)
    return None if days_first == days_second == 0 else days_first >= days_second


def _filled(shape: _Shape, day_first: bool) -> str:
    order = ("%d", "%m") if day_first else ("%m", "%d")
    return shape.template.replace(_FIRST, order[0]).replace(_SECOND, order[1])


def _exchanged(text: str) -> str:
    if text.startswith("%Y"):
        return text
    return text.replace("%d", "{day}").replace("%m", "%d").replace("{day}", "%m")


def _fits(value: str, text: str) -> bool:
    if "%z" in text:
        value = re.sub(r"([+-]\d{2})$", r"\g<1>00", value)
    if "%f" in text:  # takes at most six digits; the loader drops the others, too
        value = _LONG_FRACTION.sub(r"\1", value)
    try:
        datetime.strptime(value, text)  # noqa: DTZ007 - only checks that it can be read
    except ValueError:
        return False
    return True
