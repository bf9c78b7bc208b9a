"""The results of an inspection, from which the draft of a layout is made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.catalog import LOOKUPS
from pipeline.layout_drafting.column_meanings import Guess
from pipeline.layout_drafting.datetime_formats import Moments
from pipeline.layout_drafting.dialect import Table
from pipeline.layout_drafting.encoding import Decoded
from pipeline.layout_drafting.event_codes import Candidate
from pipeline.layout_drafting.file_head import Head
from pipeline.layout_drafting.file_name_pattern import NamePattern
from pipeline.layout_drafting.sample_columns import Column


@dataclass(frozen=True)
class Inspected:
    """The results of an inspection; `candidates` are the columns that may have the code of the event.

    The last four are the answers of a person to what no file contains: the time zone, whether ambiguous dates have the
    month first, the event of all rows, and the events of codes.
    """

    head: Head
    decoded: Decoded | None
    table: Table
    columns: Sequence[Column]
    nulls: Sequence[tuple[str, int]]
    code: Column | None
    candidates: Sequence[Candidate]
    guesses: Sequence[Guess]
    kind: str
    why_kind: str
    file_name: NamePattern
    timezone: str | None = None
    month_first: bool | None = None
    event: str | None = None
    codes: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def moments(self) -> Moments | None:
        """The formats of the column with the time."""
        column = self.meant("timestamp")
        return column.moments if column else None

    def meant(self, meaning: str) -> Column | None:
        """The column with this meaning."""
        pairs = zip(self.columns, self.guesses, strict=True)
        return next((column for column, guess in pairs if guess.meaning == meaning), None)

    @property
    def is_used(self) -> list[bool]:
        """For each column, whether the layout uses it: a lookup keeps its own columns only."""
        if self.kind == "events":
            return [guess.meaning is not None for guess in self.guesses]
        lookup = LOOKUPS[self.kind]
        return [guess.meaning in (*lookup.key, *lookup.values) for guess in self.guesses]

    @property
    def needs_zone(self) -> bool:
        """Whether some date-times have neither an offset nor a word for their zone, and no person has given one."""
        moments = self.moments
        return self.timezone is None and (moments is None or 0 < moments.without_offset != moments.with_word)

    @property
    def missing(self) -> list[str]:
        """The meanings without which a layout of events is refused, and that no column has."""
        if self.kind != "events":
            return []
        person = any(self.meant(meaning) for meaning in ("user_id", "email"))
        by_list = self.meant("list_id") and self.meant("selligent_user_id")
        needed = ["timestamp", *([] if person or by_list else ["user_id"])]
        return [meaning for meaning in needed if self.meant(meaning) is None]

    @property
    def is_order_open(self) -> bool:
        """Whether day and month may be exchanged, and no person has decided it."""
        return self.moments is not None and bool(self.moments.exchanged) and self.month_first is None

    def is_unnamed(self, column: Column) -> bool:
        """Whether the header has no usable name for a column."""
        return self.table.has_header and column.position in self.table.unnamed
