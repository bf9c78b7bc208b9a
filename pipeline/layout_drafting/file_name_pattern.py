"""The pattern of a file's name: digits that change from file to file become groups, the rest stays the same."""

import re
from dataclasses import dataclass
from datetime import datetime

from pipeline.exports.file_names import without_packing
from pipeline.masking import contains_address, masked

_VARYING = re.compile(
    r"(?P<md5>(?<![0-9A-Za-z])(?:[0-9a-f]{32}|[0-9A-F]{32})(?![0-9A-Za-z]))"
    r"|(?P<date>(?<!\d)(?P<year>(?:19|20)\d{2})(?P<mark>[-_.]?)(?P<month>\d{2})(?P=mark)(?P<day>\d{2}))"
    r"(?:(?P<gap>[-_.T]?)(?P<time>(?P<hour>\d{2})(?P<colon>[-_.h]?)(?P<minute>\d{2})"
    r"(?:(?P=colon)(?P<second>\d{2}))?)(?P<fraction>\d{3})?)?(?!\d)"
    r"|(?P<day_first>(?<!\d)(?P<first>\d{2})(?P<dash>[-_.]?)(?P<second_number>\d{2})(?P=dash)(?P<last>(?:19|20)\d{2}))(?!\d)"
    r"|(?:(?P<before>(?<![A-Za-z])(?:rows?|records|recs|count|lines|part|deel|seq|p(?=\d)))(?P<join>[-_]?))?(?P<number>(?<!\d)\d+)"
    r"(?P<after>rows?|records|recs|lines)?"
)
_LONGEST_PART = 4
_MONTHS = 12
_LONG_NUMBER = 5
_NO_NAME = "export"


@dataclass(frozen=True)
class NamePattern:
    """`files` matches the names of files like this one; `name` is the rest without digits."""

    files: str
    name: str
    date: str | None
    has_time: bool
    notes: tuple[str, ...]


def name_pattern(file_name: str, rows: int | None) -> NamePattern:
    """The pattern of a file name; `rows` is the number of rows in the file, if it is known."""
    base = without_packing(file_name)
    if contains_address(base):
        return NamePattern(
            ".+@.+", _NO_NAME, None, False, ("the name contains an email address; write a pattern for it",)
        )
    state = _Pieces(rows)
    end = 0
    while found := _VARYING.search(base, end):
        state.literal(base[end : found.start()])
        end = found.start() + state.take(found)
    state.literal(base[end:])
    return state.pattern(base)


class _Pieces:
    """The pattern of the part of a name that is parsed so far."""

    def __init__(self, rows: int | None) -> None:
        self._rows = rows
        self._pattern: list[str] = []
        self._words: list[str] = []
        self._groups: dict[str, str] = {}
        self._notes: list[str] = []

    def literal(self, text: str) -> None:
        self._pattern.append(_escaped(text))
        self._words.append(text)

    def take(self, found: re.Match[str]) -> int:
        """Add a match; return how many of its characters are used."""
        if found["md5"]:
            self._group("md5", found["md5"], r"[0-9a-fA-F]{32}")
            return len(found[0])
        if found["date"]:
            return self._date(found)
        if found["day_first"]:
            return self._day_first(found)
        return self._number(found)

    def pattern(self, base: str) -> NamePattern:
        stem = re.sub(r"\.[A-Za-z]\w*$", "", "".join(self._words))
        name = re.sub(r"[^A-Za-z0-9]+", "_", stem).strip("_").lower()
        if "date" not in self._groups:
            self._notes.append("no date in the name: the date on which a file was last modified is used")
        return NamePattern(
            files="".join(self._pattern),
            name=name or _NO_NAME,
            date=self._groups.get("date"),
            has_time="time" in self._groups,
            notes=tuple(masked(note) for note in self._notes),
        )

    def _group(self, group: str, text: str, pattern: str) -> None:
        """Add a group; a second one of the same name is added without its name."""
        self._pattern.append(pattern if group in self._groups else f"(?P<{group}>{pattern})")
        self._words.append("_")
        self._groups.setdefault(group, text)

    def _date(self, found: re.Match[str]) -> int:
        if not _is_date(found["year"], found["month"], found["day"]):
            return self._unknown(found[0])
        mark = _escaped(found["mark"])
        self._group("date", found["date"], mark.join((r"\d{4}", r"\d{2}", r"\d{2}")) if mark else r"\d{8}")
        clock = found["time"]
        # A number such as 0001 is a part, not one minute past midnight.
        if clock is None or not _is_time(found) or (len(clock) == 4 and found["gap"] and clock.startswith("000")):
            return len(found["date"])
        colon, count = _escaped(found["colon"]), 3 if found["second"] else 2
        self._pattern.append(_escaped(found["gap"]))
        self._group("time", clock, colon.join([r"\d{2}"] * count) if colon else rf"\d{{{2 * count}}}")
        if found["fraction"]:
            self._pattern.append(r"\d{3}")
        return len(found[0])

    def _day_first(self, found: re.Match[str]) -> int:
        text, day, month, year = (found[group] for group in ("day_first", "first", "second_number", "last"))
        if "date" in self._groups or not _is_date(year, month, day):
            return self._unknown(text)
        dash = _escaped(found["dash"])
        self._pattern.append(dash.join((r"(?P<day>\d{2})", r"(?P<month>\d{2})", r"(?P<year>\d{4})")))
        self._words.append("_")
        self._groups["date"] = f"{year}{month}{day}"
        if int(day) <= _MONTHS:
            self._notes.append(f"CHECK: {text} is read with the day first; for the month first, exchange the groups")
        return len(text)

    def _number(self, found: re.Match[str]) -> int:
        before, number = found["before"] or "", found["number"]
        start = found.start("number")
        follows_letter = start > 0 and found.string[start - 1].isalpha() and not before
        if follows_letter and not found["after"]:
            self.literal(found[0])
            return len(found[0])
        self.literal(before + (found["join"] or ""))
        if found["after"] or before.startswith(("row", "rec", "count", "line")):
            self._group("rows", number, r"\d+")
        elif self._is_row_count(number):
            self._group("rows", number, r"\d+")
            self._notes.append(
                f"CHECK: {number} is the number of rows, perhaps by accident; then write \\d+ for the group"
            )
        elif before:
            self._group("part", number, r"\d+")
        elif "date" in self._groups and len(number) <= _LONGEST_PART:
            self._short_number(number)
        elif len(number) >= _LONG_NUMBER:
            self._unknown(number)
        else:
            self.literal(number)
        self.literal(found["after"] or "")
        return len(found[0])

    def _short_number(self, number: str) -> None:
        """Add a short number as a part only if it can be the first one: other parts wait for that, possibly forever."""
        if number.startswith("0") or number == "1":
            self._group("part", number, r"\d+")
            self._notes.append(
                f"CHECK: is {number} the part of a split export? If it only numbers files, write \\d+ for the group"
            )
            return
        self._pattern.append(r"\d+")
        self._words.append("_")
        self._notes.append(
            f"CHECK: {number} is assumed to be a number that changes; for the part of a split export write "
            "(?P<part>\\d+), for the number of rows (?P<rows>\\d+)"
        )

    def _unknown(self, text: str) -> int:
        self._pattern.append(re.sub(r"\d+", r"\\d+", _escaped(text)))
        self._words.append("_")
        self._notes.append(f"{text} is not a date that starts with the year; assumed to be a number that changes")
        return len(text)

    def _is_row_count(self, number: str) -> bool:
        return self._rows is not None and len(number) > 1 and int(number) == self._rows


def _escaped(text: str) -> str:
    """Escape a text, but not the characters that `re.escape` escapes needlessly."""
    return re.sub(r"\\([-# &~])", r"\1", re.escape(text))


def _is_date(year: str, month: str, day: str) -> bool:
    try:
        datetime(int(year), int(month), int(day))  # noqa: DTZ001 - only checks that the day exists
    except ValueError:
        return False
    return True


def _is_time(found: re.Match[str]) -> bool:
    return int(found["hour"]) < 24 and int(found["minute"]) < 60 and int(found["second"] or 0) < 60
