"""The layouts and the export date of a file, all from its name."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from zoneinfo import ZoneInfo

import regex

from pipeline.catalog import LOOKUPS
from pipeline.export_dates import ExportDates
from pipeline.exports.file_names import escaped, unescaped
from pipeline.exports.layout_files import BrokenLayout
from pipeline.exports.layouts import Layout
from pipeline.exports.listing import ExportFile

# A pattern matches a name in microseconds, unless it tries every way to split it, as `(a|aa)+_` does: the ways double
# with every letter. This is the timeout for a name. After so many timeouts, the pattern gets the short timeout, so that
# 50,000 names still take less than a minute.
_TIMEOUT_SECONDS = 0.1
_MOST_FULL_TIMEOUTS = 20
_SHORT_TIMEOUT_SECONDS = 0.001

# The reason of a file that no layout matches.
NO_LAYOUT = "no layout matches its name; write one, or move the file elsewhere"

# Lookups before events, so that an event is known to be of a suppressed person by a contact of the same file.
_LOADING_ORDER = ("contacts", *(kind for kind in LOOKUPS if kind != "contacts"), "events")

MD5 = re.compile(r"\b[0-9a-fA-F]{32}\b")


@dataclass(frozen=True)
class Promise:
    """The content that the name of a file, or its ready marker, announces."""

    rows: int | None = None
    md5: str | None = None


@dataclass(frozen=True)
class MatchedFile:
    """A file that a layout can load: its date is known.

    `layouts` are the names of all layouts that load this file, each by a match of its own. `export` is the same for all
    parts of a split export; `first_part` is the file whose header applies to this one as well; `marker` is the file
    beside it that marks it as complete.
    """

    file: ExportFile
    layout: Layout
    export_date: date
    exported_at: datetime
    export: str
    layouts: tuple[str, ...]
    part: int | None = None
    promise: Promise = Promise()
    first_part: ExportFile | None = None
    marker: ExportFile | None = None

    @property
    def key(self) -> tuple[date, str]:
        """What identifies the file, whichever layout loads it: its export date and name."""
        return self.export_date, self.file.name

    @property
    def other_layouts(self) -> list[str]:
        """The names of the other layouts that load this file."""
        return [name for name in self.layouts if name != self.layout.name]


@dataclass(frozen=True)
class Unmatched:
    """A file that is ignored, with the reason."""

    file: ExportFile
    reason: str

    @property
    def export_date(self) -> date:
        """The date at which it is shown: that of its last modification, UTC."""
        return self.file.modified_at.date()


class PatternTimeouts:
    """Matches names with patterns, and shortens the timeout of patterns that are often slow."""

    def __init__(self) -> None:
        self._slow: Counter[str] = Counter()

    def fullmatch(self, layout: Layout | BrokenLayout, name: str) -> "regex.Match[str] | None":
        """The match of a whole name, if the layout has a pattern. Raises TimeoutError: the pattern takes too long."""
        if layout.pattern is None:
            return None
        is_slow = self._slow[layout.name] >= _MOST_FULL_TIMEOUTS
        try:
            return layout.pattern.fullmatch(name, timeout=_SHORT_TIMEOUT_SECONDS if is_slow else _TIMEOUT_SECONDS)
        except TimeoutError:
            self._slow[layout.name] += 1
            raise


def match(
    file: ExportFile, layouts: Sequence[Layout], loadable: ExportDates, timeouts: PatternTimeouts | None = None
) -> list[MatchedFile] | Unmatched:
    """The file with its dates, once for each of its layouts, in the order in which they load it; or why it is ignored:
    also for a date outside of those that are `loadable`. A file has at most one layout of each kind. All files of a
    discovery share `timeouts`.
    """
    if file.fault:
        return Unmatched(file, file.fault)
    timeouts, name = timeouts or PatternTimeouts(), unescaped(file.base_name)
    fitting: list[tuple[Layout, regex.Match[str]]] = []
    for layout in layouts:
        try:
            found = timeouts.fullmatch(layout, name)
        except TimeoutError:
            return Unmatched(
                file,
                f"the pattern of the layout {layout.name} takes too long for its name; write it without a repetition "
                "inside a repetition, such as (a|aa)+",
            )
        if found:
            fitting.append((layout, found))
    if not fitting:
        return Unmatched(file, NO_LAYOUT)
    fitting.sort(key=lambda each: _LOADING_ORDER.index(each[0].kind))
    try:
        _ensure_one_of_each_kind([layout for layout, _ in fitting])
        names = tuple(layout.name for layout, _ in fitting)
        matched = [_matched(file, layout, found, names) for layout, found in fitting]
        export_date = _common_date(matched)
    except ValueError as error:
        return Unmatched(file, str(error))
    of = "its name says" if _date_in_name(fitting[0][1]) else "it was last modified on"
    if export_date < loadable.first:
        return Unmatched(file, f"{of} {export_date}, which is before FIRST_EXPORT_DATE ({loadable.first})")
    if export_date > loadable.last:
        return Unmatched(file, f"{of} {export_date}, which is in the future; it is loaded from that day on")
    return matched


def _ensure_one_of_each_kind(layouts: Sequence[Layout]) -> None:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for layout in layouts:
        by_kind[layout.kind].append(layout.name)
    for kind, names in by_kind.items():
        if len(names) > 1:
            raise ValueError(
                f"more than one layout of {kind} matches its name ({', '.join(names)}); make their patterns stricter"
            )


def _matched(file: ExportFile, layout: Layout, found: "regex.Match[str]", layouts: tuple[str, ...]) -> MatchedFile:
    export_date, exported_at = _dates(file, layout, found)
    export, part = _export(file, layout, found)
    return MatchedFile(file, layout, export_date, exported_at, export, layouts, part, _promise(found))


def _common_date(matched: Sequence[MatchedFile]) -> date:
    """The export date that all layouts of a file give it; they differ if only some have a group for it."""
    first = matched[0]
    for other in matched[1:]:
        if other.export_date != first.export_date:
            raise ValueError(
                f"its layouts give it different export dates ({first.layout.name}: {first.export_date}, "
                f"{other.layout.name}: {other.export_date}); write the group 'date' alike in both patterns"
            )
    return first.export_date


def _export(file: ExportFile, layout: Layout, found: "regex.Match[str]") -> tuple[str, int | None]:
    """The export that a file belongs to, and the number of its part; a part without a number is the first."""
    if "part" not in layout.pattern.groupindex:
        return file.name, None
    folder = file.name.rpartition("/")[0] or "."
    if found["part"] is None:
        return f"{folder}/{file.base_name}", 0
    digits = re.sub(r"[^0-9]", "", found["part"])
    if not digits:
        raise ValueError(f"{found['part']!r} in its name is not a part number; the group 'part' is a number")
    start, end = found.span("part")
    before, after = found.string[:start], found.string[end:]
    return f"{folder}/{escaped(re.sub('[-_.]$', '', before) + after)}", int(digits)


def _promise(found: "regex.Match[str]") -> Promise:
    groups = found.groupdict()
    rows, md5 = groups.get("rows"), groups.get("md5")
    if rows is not None and not rows.isdecimal():
        raise ValueError(f"{rows!r} in its name is not a number of rows; the group 'rows' looks like 1200")
    if md5 is not None and not MD5.fullmatch(md5):
        raise ValueError(f"{md5!r} in its name is not an MD5; the group 'md5' has 32 digits from 0 to f")
    return Promise(int(rows) if rows else None, md5.lower() if md5 else None)


def promise_of_marker(content: str) -> Promise:
    """The content that a ready marker announces: a number of rows, if nothing else is in it, and an MD5 anywhere."""
    md5 = MD5.search(content)
    rest = MD5.sub("", content).strip()
    return Promise(int(rest) if rest.isdecimal() else None, md5.group().lower() if md5 else None)


def _date_in_name(found: "regex.Match[str]") -> str | None:
    """The date in a name with the year first, from the group `date` or from `year`, `month` and `day`; None without."""
    groups = found.groupdict()
    parts = [groups.get(part) for part in ("year", "month", "day")]
    return "-".join(filter(None, parts)) if all(parts) else groups.get("date")


def _dates(file: ExportFile, layout: Layout, found: "regex.Match[str]") -> tuple[date, datetime]:
    day_text, clock_text = _date_in_name(found), found.groupdict().get("time")
    if day_text is None:
        return file.modified_at.date(), file.modified_at
    try:
        day = _digits(day_text, {8: "%Y%m%d"}, "date", "20240611")
    except ValueError as error:
        if found.groupdict().get("date"):
            raise
        words = "the groups 'day', 'month' and 'year' look like 11, 06 and 2024"
        raise ValueError(f"{str(error).partition('; ')[0]}; {words}") from None
    if clock_text is None:
        return day.date(), file.modified_at
    clock = _digits(clock_text, {4: "%H%M", 6: "%H%M%S"}, "time", "071500")
    zone = ZoneInfo(layout.timezone) if layout.timezone else UTC
    local = datetime.combine(day.date(), time(clock.hour, clock.minute, clock.second), zone)
    return day.date(), local.astimezone(UTC)


def _digits(text: str, formats: Mapping[int, str], group: str, example: str) -> datetime:
    """The moment of some digits; their number decides their format."""
    digits = re.sub(r"[^0-9]", "", text)
    try:
        return _moment(digits, formats[len(digits)])
    except (KeyError, ValueError):
        raise ValueError(f"{text!r} in its name is not a {group}; the group {group!r} looks like {example}") from None


@lru_cache(maxsize=1 << 16)  # many files of a folder have the same
def _moment(digits: str, pattern: str) -> datetime:
    return datetime.strptime(digits, pattern).replace(tzinfo=UTC)
