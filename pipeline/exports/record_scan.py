"""The number of records of a text and the length of the longest, counted from its bytes alone.

DuckDB's CSV reader can lose a record without an error: with several threads, it skips a line that is longer than its
buffer of 32 MiB. Its rows are therefore compared with this count, which shares nothing with its parse.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_CHUNK_BYTES = 1 << 20
_LINE_FEED, _CARRIAGE_RETURN = 0x0A, 0x0D
_LOOK_BYTES = 4096
_UNKNOWN = "\ufffd"
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class RecordScan:
    r"""The counts of a pass over the bytes. Records and lines end in `\n` or `\r\n`; the last one needs no end, and
    blank ones do not count.

    `records` are lines, but for line breaks inside quotes: those after an odd number of quotes. A quote inside an
    unquoted value misleads this count, and not `lines`. `longest` is the longest record in bytes, with its end;
    `unended` says whether text follows the last line feed.
    """

    carriage_returns: int
    line_feeds: int
    pairs: int
    lines: int
    records: int
    longest: int
    unended: bool
    quotes: int
    delimiters: int
    undecodable: int

    def is_faulty(self, columns: int, most: int) -> bool:
        """Whether more than so many values may be missing or superfluous in rows of so many columns, or so many rows
        not be text. Delimiters inside quotes mislead it: it decides how a text is read, and not what is read.
        """
        missing = self.records * (columns - 1) - self.delimiters
        return missing > most or -missing > max(most, 2 * self.quotes) or self.undecodable > most


def scan_records(path: Path, quote: str | None, delimiter: str | None) -> RecordScan:
    """Count the records of a text in UTF-8; `quote` is one ASCII character. None: no quotes, or no delimiter."""
    scanner = _Scanner(ord(quote) if quote is not None else None, delimiter.encode() if delimiter else None)
    with path.open("rb") as file:
        if file.read(len(_BOM)) != _BOM:
            file.seek(0)
        while chunk := file.read(_CHUNK_BYTES):
            scanner.take(chunk)
    return scanner.finish()


class _Scanner:
    def __init__(self, quote: int | None, delimiter: bytes | None) -> None:
        self._quote = quote
        self._delimiter = delimiter
        self._quotes = self._delimiters = self._undecodable = 0
        self._read = 0
        self._last = -1
        self._open = 0
        self._returns = self._feeds = self._pairs = 0
        self._lines = _Ends()
        self._records = _Ends()

    def take(self, chunk: bytes) -> None:
        data = np.frombuffer(chunk, np.uint8)
        feeds = np.flatnonzero(data == _LINE_FEED)
        before = data[feeds - 1]  # for a feed at the very start, this is the last byte
        if len(feeds) and feeds[0] == 0:
            before[0] = self._last & 0xFF
        pairs = before == _CARRIAGE_RETURN if b"\r" in chunk or self._last == _CARRIAGE_RETURN else None
        self._feeds += len(feeds)
        if pairs is not None:
            self._returns += chunk.count(b"\r")
            self._pairs += int(np.count_nonzero(pairs))
        if self._delimiter is not None:
            is_byte = len(self._delimiter) == 1
            self._delimiters += (
                int(np.count_nonzero(data == self._delimiter[0])) if is_byte else chunk.count(self._delimiter)
            )
        self._undecodable += _undecodable(chunk)
        self._lines.take(feeds + self._read, pairs)
        if self._quote is not None:
            outside = self._outside_quotes(data, feeds)
            self._records.take(feeds[outside] + self._read, pairs[outside] if pairs is not None else None)
        self._read += len(chunk)
        self._last = chunk[-1]

    def _outside_quotes(self, data: NDArray[np.uint8], feeds: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of these line feeds come after an even number of quotes: one parity a line, then their running one."""
        is_quote = (data == self._quote).view(np.uint8)
        self._quotes += int(np.count_nonzero(is_quote))
        by_line = np.bitwise_xor.reduceat(is_quote, np.concatenate(([0], feeds)))
        by_line[0] ^= self._open
        ahead: NDArray[np.uint8] = np.bitwise_xor.accumulate(by_line)
        self._open = int(ahead[-1])
        return np.equal(ahead[:-1], 0)

    def finish(self) -> RecordScan:
        lines = self._lines.finished(self._read, self._last)
        records = self._records.finished(self._read, self._last) if self._quote is not None else lines
        return RecordScan(
            self._returns,
            self._feeds,
            self._pairs,
            lines.count,
            records.count,
            records.longest,
            lines.unended,
            self._quotes,
            self._delimiters,
            self._undecodable,
        )


def _undecodable(chunk: bytes) -> int:
    """An estimate of the lines of a chunk that are not UTF-8, from its first ones."""
    lines = chunk[:_LOOK_BYTES].split(b"\n")[1:-1]
    looked_at = b"\n".join(lines)
    if not looked_at or looked_at.isascii():
        return 0
    return sum(_UNKNOWN in line.decode("utf-8", "replace") for line in lines) * len(chunk) // len(looked_at)


class _Ends:
    """The line breaks of a text, and the lines that they end."""

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0
        self.unended = False
        self._end = 0

    def take(self, feeds: NDArray[np.intp], pairs: NDArray[np.bool_] | None) -> None:
        if not len(feeds):
            return
        lengths = np.diff(feeds + 1, prepend=self._end)
        blank = lengths == 1
        if pairs is not None:
            blank |= pairs & (lengths == 2)
        self.count += len(feeds) - int(np.count_nonzero(blank))
        self.longest = max(self.longest, int(lengths.max()))
        self._end = int(feeds[-1]) + 1

    def finished(self, size: int, last: int) -> "_Ends":
        rest = size - self._end
        self.unended = rest > 0
        self.longest = max(self.longest, rest)
        self.count += rest > 1 or (rest == 1 and last != _CARRIAGE_RETURN)
        return self
