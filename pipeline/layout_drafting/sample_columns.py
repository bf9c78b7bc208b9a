"""The columns of a sample: their null values, and the kind of the other values."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from pipeline.layout_drafting.datetime_formats import Moments, moments_of
from pipeline.layout_drafting.dialect import Table
from pipeline.masking import example
from pipeline.warehouse.trimming import trimmed

# Null values, in lower case. The first two are written by databases and have no other meaning.
_SURE_NULLS = {"null", "\\n"}
_NULLS = _SURE_NULLS | {
    *("(null)", "<null>", "#n/a", "n/a", "n.a.", "na", "nan", "nil", "none", "undefined", "-", "--"),
    *("n.v.t.", "nvt", "geen", "onbekend", "n.b.", "k.a.", "s.o.", "unknown", "n.d.", "nd"),
}
# How often a text must occur to count as a null value.
_FREQUENT = 3
_MOSTLY = 0.9
_ADDRESS = re.compile(r"\"?[^@\s][^@]*@[^@\s]+")
_WHOLE = re.compile(r"\d+", re.ASCII)
_UUID = re.compile(r"\{?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}?", re.IGNORECASE)
# As `is_bot` is read.
_FLAGS = (
    *({"0", "1"}, {"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}),
    *({"j", "n"}, {"ja", "nee"}, {"ja", "nein"}, {"o", "n"}, {"oui", "non"}),
)
_URL = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True)
class Column:
    """One column: its name, and its values without null values. `is_nested`: some are JSON objects or arrays."""

    name: str
    position: int
    values: tuple[str, ...]
    is_nested: bool = False

    @cached_property
    def distinct(self) -> Counter[str]:
        """Each value with its count, the most frequent first."""
        return Counter(dict(Counter(self.values).most_common()))

    @cached_property
    def moments(self) -> Moments | None:
        """The date-time formats of the values, if they have any."""
        return moments_of(self.values)

    @cached_property
    def are_addresses(self) -> bool:
        """Whether the values are e-mail addresses."""
        return not self.is_nested and self._mostly(_ADDRESS)

    @cached_property
    def are_whole_numbers(self) -> bool:
        """Whether the values are ids or counts."""
        return self._mostly(_WHOLE)

    @cached_property
    def are_uuids(self) -> bool:
        """Whether the values are random ids."""
        return self._mostly(_UUID)

    @cached_property
    def are_flags(self) -> bool:
        """Whether the values are valid for `is_bot`."""
        return bool(self.values) and any({value.lower() for value in self.distinct} <= pair for pair in _FLAGS)

    @cached_property
    def are_urls(self) -> bool:
        """Whether the values are addresses of web pages."""
        return bool(self.values) and sum(_URL.match(value) is not None for value in self.values) > len(self.values) / 2

    @property
    def are_texts(self) -> bool:
        """Whether the values are plain words."""
        special = self.are_addresses or self.are_whole_numbers or self.are_uuids or self.are_urls
        return bool(self.values) and not special and self.moments is None

    @property
    def is_unique(self) -> bool:
        """Whether all values are different."""
        return len(self.values) > 1 and len(self.distinct) == len(self.values)

    def _mostly(self, pattern: re.Pattern[str]) -> bool:
        fitting = sum(pattern.fullmatch(value) is not None for value in self.values)
        return bool(self.values) and fitting >= _MOSTLY * len(self.values)


def null_values(table: Table) -> list[tuple[str, int]]:
    """Null values, as they are spelled in the sample, with their counts."""
    counts = Counter(cell for row in table.rows for cell in row if cell and cell.strip().lower() in _NULLS)
    allowed = {
        word: count
        for word, count in counts.items()
        if (count >= _FREQUENT or word.lower() in _SURE_NULLS)
        and (not table.is_delimited or (table.delimiter not in word and (not table.quote or table.quote not in word)))
    }
    return sorted(allowed.items(), key=lambda pair: -pair[1])


def columns_of(table: Table, nulls: Sequence[str]) -> list[Column]:
    """The columns of a table; those of a file without a header have no name yet."""
    names = table.names or ("",) * (len(table.rows[0]) if table.rows else 0)
    null_cells = {"", *nulls}
    return [
        Column(
            name,
            position,
            tuple(value for cell in table.cells(position) if (value := trimmed(cell)) not in null_cells),
            is_nested=position in table.nested,
        )
        for position, name in enumerate(names)
    ]


def samples(column: Column, most: int = 3) -> str:
    """Some different values of a column, to be shown beside it."""
    if not column.distinct:
        return "always empty"
    return f"e.g. {', '.join(example(value) for value in list(column.distinct)[:most])}"
