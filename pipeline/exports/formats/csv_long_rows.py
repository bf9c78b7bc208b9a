"""The ends of rows with quoted values that are longer than the limit, found without loading them into memory."""

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

# A quote that is not closed within this is not the start of a long row.
_LONGEST_BYTES = 256_000_000
# More than the most columns of a file.
_MOST_VALUES = 20_000


@dataclass(frozen=True)
class RowEnd:
    """The end of a row: the `position` after it if it `is_row`, else where the search stopped; with `breaks` inside."""

    position: int
    is_row: bool
    breaks: int = 0


@dataclass(frozen=True)
class LongRows:
    """Finds the end of a row. `value` matches one value; `line` matches a whole line with the right number of columns,
    from the line break before it; None if every line has it.
    """

    value: re.Pattern[bytes]
    delimiter: bytes
    line: re.Pattern[bytes] | None

    def end_of(self, path: Path, start: int, most: int = _LONGEST_BYTES) -> RowEnd:
        """The end of the row that starts there, within `most` bytes.

        If half of the lines inside the row are rows themselves, it is not a row: its quote was not closed.
        """
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            limit = min(len(data), start + most)
            at = start
            for _ in range(_MOST_VALUES):
                found = self.value.match(data, at, limit)
                if found is None:  # a quote is open
                    return RowEnd(limit, False)
                at = found.end()
                if at == limit:
                    return self._judged(data, start, at, at) if at == len(data) else RowEnd(limit, False)
                for line_break in (b"\r\n", b"\n"):
                    if data[at : at + len(line_break)] == line_break:
                        return self._judged(data, start, at, at + len(line_break))
                if data[at : at + len(self.delimiter)] != self.delimiter:
                    return RowEnd(at, False)
                at += len(self.delimiter)
            return RowEnd(at, False)

    def _judged(self, data: mmap.mmap, start: int, end: int, next_row: int) -> RowEnd:
        breaks = sum(data[at : min(at + (1 << 20), end)].count(b"\n") for at in range(start, end, 1 << 20))
        if self.line is not None and breaks:
            whole = sum(1 for _ in self.line.finditer(data, start, end))
            if 2 * whole >= breaks:
                return RowEnd(next_row, False)
        return RowEnd(next_row, True, breaks)
