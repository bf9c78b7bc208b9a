"""The names of a file's columns, for the loader and for `inspect`: which are usable, and what of them may be shown."""

import re
from collections import Counter
from collections.abc import Sequence

from pipeline.catalog import LOOKUPS
from pipeline.errors import FileRefused
from pipeline.exports.layouts import Layout, key_of
from pipeline.masking import contains_address, on_one_line
from pipeline.naming import plain
from pipeline.warehouse.trimming import trimmed

# Within the memory limit of the warehouse, with the unmapped columns of a row as JSON; 800 run out of memory.
MOST_COLUMNS = 600
_SHOWN_NAMES = 20
_SHOWN_LENGTH = 40
# Values, and no names of columns: numbers and ids, dates, and texts that end in several digits.
_VALUE = re.compile(
    r"[-+]?\d[\d.,:/ TZ+-]*|[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{16,}|[A-Za-z]{1,4}-?\d{3,}|[A-Za-z]{1,12}[_-]?\d{5,}",
    re.IGNORECASE,
)
# So many columns of counts make a daily aggregate, which has no events.
ENOUGH_COUNTS = 3

_COUNTED = re.compile(
    "^(?:nb|nr|num|number|numberof|aantal|anzahl|nombre|count|total|totaal|unique|uniq|distinct|hard|soft|sum)*(?:of)?"
    "(?:sent|send|sends|targeted|deliver(?:y|ies|ed)|verzonden|afgeleverd|open(?:s|ed)?|view(?:s|ed)?|click(?:s|ed)?|"
    "clicker(?:s)?|clics|kliks|klicks|bounce(?:s|d)?|unsub(?:s|scribe|scribes|scribed|scriptions)?|optout(?:s)?|"
    "complaint(?:s)?|spam|conversion(?:s)?|ouvertures|geopend)"
    "(?:count|total|unique|cnt|nb|num|rate|pct)?$"
)


def clean_names(cells: Sequence[str]) -> list[str]:
    """The names of a header without invisible characters around them."""
    return [trimmed(cell) for cell in cells]


def unique_names(names: Sequence[str]) -> list[str]:
    """One name for each column; a name that repeats another gets its position as a suffix."""
    unique: list[str] = []
    taken: set[str] = set()
    for position, name in enumerate(names, 1):
        candidate = name
        while candidate.lower() in taken:
            candidate = f"{candidate or 'column'}_{position}"
        unique.append(candidate)
        taken.add(candidate.lower())
    return unique


def unusable(names: Sequence[str]) -> set[str]:
    """Names, in lower case, that occur more than once, so that a layout can't refer to them."""
    counted = Counter(name.lower() for name in names)
    return {name for name, times in counted.items() if name and times > 1}


def looks_like_a_row(names: Sequence[str]) -> bool:
    """Whether a header is probably the first row of a file without one: it contains an address, an id or a date."""
    return any(contains_address(name) or _VALUE.fullmatch(name) for name in names)


def is_count(name: str) -> bool:
    """Whether a column's name is that of a number of events, as in daily aggregates."""
    return _COUNTED.search(plain(name)) is not None


def shown(names: Sequence[str]) -> str:
    """Names for a message: quoted, masked, on one line, and not too many."""
    listed = [f"'{on_one_line(name, _SHOWN_LENGTH)}'" for name in names[:_SHOWN_NAMES]]
    rest = len(names) - len(listed)
    return ", ".join(listed) + (f" and {rest:,} more" if rest else "")


def used_columns(layout: Layout) -> list[str]:
    """The names of the columns that the layout reads, JSON pointers included."""
    return [*layout.columns, *([layout.event_column] if layout.event_column else [])]


def usable_names(cells: Sequence[str], layout: Layout, line: int) -> list[str]:
    """The names of a header, each of them once. Raises FileRefused as `refuse_unusable` does."""
    names = clean_names(cells)
    refuse_unusable(names, layout, line)
    sources = {key_of(source) for source in layout.declared}
    repeated = unusable(names) & sources - {key_of(column) for column in used_columns(layout)}
    # None of them is the property's column: which one is meant is not clear.
    return unique_names(
        [f"{name}_{position}" if name.lower() in repeated else name for position, name in enumerate(names, 1)]
    )


def refuse_unusable(names: Sequence[str], layout: Layout, line: int | None = None) -> None:
    """Raise FileRefused for names that the layout can't be read with: too many, missing, or repeated ones."""
    refuse_too_many(names, line)
    where, owner = ("", "file") if line is None else (f"line {line}: ", "header")
    keys = [key_of(name) for name in names]
    for column in _required(layout):
        if key_of(column) not in keys and not layout.is_pointer(column):
            raise FileRefused(f"{where}{_lacking(column, names, owner)}")
    repeated = unusable(names)
    for column in used_columns(layout):
        if key_of(column) in repeated:
            remedy = "rename one of them" if line is None else "list the names under header:"
            raise FileRefused(
                f"{where}the column {column!r} is in the {owner} more than once, so it is not clear which one "
                f"is meant; {remedy}"
            )


def refuse_too_many(names: Sequence[str], line: int | None = 1) -> None:
    """Raise FileRefused for more columns than can be read."""
    if len(names) > MOST_COLUMNS:
        where = f"line {line}: " if line is not None else ""
        raise FileRefused(f"{where}it has {len(names):,} columns, and at most {MOST_COLUMNS:,} are read")


def _required(layout: Layout) -> list[str]:
    if layout.kind != "events":
        keys = LOOKUPS[layout.kind].key
        return [column for column, meaning in layout.columns.items() if meaning in keys]
    required = [column for column, meaning in layout.columns.items() if meaning == "timestamp"]
    return required + ([layout.event_column] if layout.event_column else [])


def _lacking(column: str, names: Sequence[str], owner: str) -> str:
    if owner == "header" and looks_like_a_row(names):
        return (
            f"the header has no column {column!r}; the line looks like a row, not a header: if the file has none, "
            "list the names under header:"
        )
    counts = [name for name in names if is_count(name)]
    aggregate = f"; {shown(counts)} are counts, so it may be an aggregate, not an export of events"
    return f"the {owner} has no column {column!r}; it has {shown(names)}" + (
        aggregate if len(counts) >= ENOUGH_COUNTS else ""
    )


def is_header_of(cells: Sequence[str], names: Sequence[str], layout: Layout) -> bool:
    """Whether a row is the header that a layout lists: each used column has its name at the listed position."""
    listed = {key_of(name): position for position, name in enumerate(names)}
    positions = [(listed[key_of(column)], column) for column in used_columns(layout) if key_of(column) in listed]
    found = clean_names(cells)
    return len(positions) > 1 and all(
        position < len(found) and found[position].lower() == key_of(column) for position, column in positions
    )
