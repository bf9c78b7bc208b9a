r"""Repair of texts that DuckDB's CSV reader can't parse: all rows end alike, and no quote stays open.

DuckDB's CSV reader is strict or lenient for a whole file. In strict mode, one line with a different line ending fails
the whole file, and an unclosed quote swallows the following rows; in lenient mode, it accepts malformed rows. So the
rows are separated here first: well-formed rows are copied, thousands at a time, with `\n` at their end; a line that
can't be a row is left out and noted. A regular expression finds the longest run of plain rows, and Python checks
the others one by one.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import duckdb

from pipeline.errors import FileRefused
from pipeline.exports.formats.csv_row_grammar import Grammar
from pipeline.exports.headers import clean_names
from pipeline.exports.layouts import Layout
from pipeline.exports.transcoding import CARRIAGE_RETURN, CHUNK_BYTES, UNIT_SEPARATOR, Text, delimiter_of

# DuckDB's limit for one row.
MAX_ROW_BYTES = 2_000_000
_NOTES_AT_A_TIME = 20_000
_SHOWN_BYTES = 10_000
# Each open quote costs a scan over the longest possible row; above this number the file is refused.
_MOST_OPEN_QUOTES = 1_000

_MARK_COLUMNS = ("record", "shift", "number", "piece")

OPEN_QUOTE = "the row has an unclosed quote, or an unescaped (not doubled) quote inside a value"
TOO_LONG = "the row is longer than 2 MB"

NOTES_TABLES = """
    CREATE OR REPLACE TEMP TABLE line_marks (record BIGINT, shift BIGINT, number BIGINT, piece VARCHAR);
    CREATE OR REPLACE TEMP TABLE repair_rejects (line BIGINT, reason VARCHAR, text VARCHAR, piece VARCHAR);
"""


@dataclass
class Notes:
    """The lines of a file's records, and the lines that are not rows; kept in DuckDB, since there can be any number.

    The line of a record is its number (1 for the first one of a file, header or not) plus the `shift` of the last mark
    in `line_marks` at or before it; `number` is the record's number with blank lines counted, which DuckDB calls its
    line. `repair_rejects` has the lines that are not rows. `rows` counts records without headers, and `breaks` the line
    breaks inside them.
    """

    connection: duckdb.DuckDBPyConnection
    rows: int = 0
    rejected: int = 0
    breaks: int = 0
    _marks: list[tuple[int, int, int, str | None]] = field(default_factory=list)
    _rejects: list[tuple[int, str, str, str | None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection.execute(NOTES_TABLES)

    def mark(self, record: int, shift: int, number: int, piece: str | None) -> None:
        """Set the shift from this record on."""
        if self._marks and self._marks[-1][0] == record:
            self._marks.pop()
        self._marks.append((record, shift, number, piece))
        if len(self._marks) > _NOTES_AT_A_TIME:
            self._write("line_marks", _MARK_COLUMNS, self._marks[:-1])
            del self._marks[:-1]

    def reject(self, line: int, reason: str, row: bytes, piece: str | None) -> None:
        """Note a line that is not a row."""
        self.rejected += 1
        text = row[:_SHOWN_BYTES].decode("utf-8", "replace").rstrip("\r\n")
        self._rejects.append((line, reason, text, piece))
        if len(self._rejects) > _NOTES_AT_A_TIME:
            self._write("repair_rejects", ["line", "reason", "text", "piece"], self._rejects)
            self._rejects.clear()

    def finish(self) -> None:
        """Write the buffered notes."""
        self._write("line_marks", _MARK_COLUMNS, self._marks)
        self._write("repair_rejects", ["line", "reason", "text", "piece"], self._rejects)

    def _write(self, table: str, columns: Sequence[str], rows: Sequence[tuple[object, ...]]) -> None:
        if rows:
            import pandas as pd  # here, since few files need a repair, and its import takes as long as loading many

            frame = pd.DataFrame(rows, columns=list(columns))
            self.connection.register("noted", frame)
            self.connection.execute(f"INSERT INTO temp.{table} SELECT * FROM noted")
            self.connection.unregister("noted")


def repair(
    texts: Sequence[Text], grammar: Grammar, notes: Notes, target: Path | None, *, header: Layout | None
) -> None:
    """Write the well-formed rows of some texts into one, and note the others; without a target, only note.

    The first record is the header, if a layout for reading it is given (FileRefused: it is no row); further texts may
    repeat it.
    """
    repairer = _Repairer(grammar, notes, header, counts_blanks=target is None)
    if target is None:
        repairer.take(texts, None)
        return
    with target.open("wb") as out:
        repairer.take(texts, out)


class _Repairer:
    def __init__(self, grammar: Grammar, notes: Notes, header: Layout | None, *, counts_blanks: bool) -> None:
        self._grammar = grammar
        self._notes = notes
        self._header = header
        self._has_header = header is not None
        self._counts_blanks = counts_blanks
        self._blanks = 0
        self._searched_to = 0
        self._open_quotes = 0
        self._records = 0
        self._shift = 0
        self._piece: str | None = None
        self._under_header = 0

    def take(self, texts: Sequence[Text], out: IO[bytes] | None) -> None:
        header: list[str] | None = None
        for text in texts:
            self._piece = text.name
            self._move(to=text.lines_above - self._records)
            self._under_header = text.lines_under_header if self._has_header else 0
            buffer = _Buffer(text.path)
            self._searched_to = 0
            if self._header is not None:
                first = _first_row(buffer.head(), self._header)
                if header is None:
                    header = first
                elif first is not None and clean_names(first) == clean_names(header):
                    self._skip_header(buffer)
                    self._leave_header()
            self._copy(buffer, out)
        self._notes.rows = self._records - (1 if self._has_header and self._records else 0)
        self._notes.finish()

    def _move(self, *, by: int = 0, to: int | None = None) -> None:
        """Change the shift between records and lines from the next record on."""
        self._shift = self._shift + by if to is None else to
        record = self._records + 1
        self._notes.mark(record, self._shift, record + self._blanks, self._piece)

    @property
    def _line(self) -> int:
        return self._records + 1 + self._shift

    def _copy(self, buffer: "_Buffer", out: IO[bytes] | None) -> None:
        while buffer.fill(MAX_ROW_BYTES + 2):
            # Lines under the header were left out: the header is taken alone, and the lines after it are counted anew.
            run = b"" if self._under_header else buffer.take_run(self._grammar.run)
            if run:
                self._take_run(run.replace(b"\r\n", b"\n"), out)
            elif (row := buffer.take_row(self._grammar.row)) is not None:
                self._take_row(row, out)
            elif self._has_header and self._records == 0:
                raise FileRefused("line 1: the header can't be read: a quote in it is not closed or not doubled")
            else:
                self._skip_unreadable(buffer)

    def _take_run(self, run: bytes, out: IO[bytes] | None) -> None:
        """Many rows, each of them a line."""
        check = self._grammar.checked
        if check is None or check.is_text(run):
            self._records += run.count(b"\n")
            self._write(out, run)
            return
        for row in run.split(b"\n")[:-1]:
            self._take_row(row + b"\n", out)

    def _take_row(self, row: bytes, out: IO[bytes] | None) -> None:
        """A row with a line break or a carriage return inside, or without an end; or a blank line."""
        content = row.removesuffix(b"\n").removesuffix(b"\r")
        if not content.strip(b"\r"):
            self._blanks += self._counts_blanks
            self._move(by=1)
            return
        is_header = self._has_header and self._records == 0
        if self._grammar.checked and not is_header and (fault := self._grammar.checked.fault(content)):
            self._notes.reject(self._line, fault, content, self._piece)
            self._move(by=1 + content.count(b"\n"))
            return
        self._write(out, content.replace(b"\r", CARRIAGE_RETURN.encode()) + b"\n")
        self._records += 1
        if breaks := content.count(b"\n"):
            self._notes.breaks += breaks
            self._move(by=breaks)
        self._leave_header()

    def _skip_header(self, buffer: "_Buffer") -> None:
        """A header that a further text repeats, with the blank lines before it."""
        while (row := buffer.take_row(self._grammar.row)) is not None:
            self._move(by=row.count(b"\n"))
            if row.strip(b"\r\n"):
                return

    def _leave_header(self) -> None:
        """Count the lines under the header, which are not rows and are left out of the text already."""
        if self._under_header:
            self._move(by=self._under_header)
            self._under_header = 0

    def _skip_unreadable(self, buffer: "_Buffer") -> None:
        """A row that is too long, with all of its lines; or the one line that is not a row."""
        start = buffer.position
        if self._grammar.long_rows is not None:
            if start >= self._searched_to:
                end = self._grammar.long_rows.end_of(buffer.path, start)
                self._searched_to = end.position
            else:  # an earlier search already went past this position, so no over-long row starts here
                end = self._grammar.long_rows.end_of(buffer.path, start, MAX_ROW_BYTES)
            is_long = end.position - start >= MAX_ROW_BYTES
            if is_long and end.is_row:
                self._notes.reject(self._line, TOO_LONG, buffer.skip_to(end.position), self._piece)
                self._move(by=1 + end.breaks)
                return
            self._open_quotes += is_long
            if self._open_quotes > _MOST_OPEN_QUOTES:
                raise FileRefused(
                    f"line {self._line:,}: unbalanced quotes: {_MOST_OPEN_QUOTES:,} earlier rows have a quote that "
                    "is not closed within 2 MB. If nothing is quoted, set quote: null in the layout"
                )
        line, whole = buffer.take_line()
        self._notes.reject(self._line, OPEN_QUOTE if whole else TOO_LONG, line, self._piece)
        self._move(by=1)

    @staticmethod
    def _write(out: IO[bytes] | None, data: bytes) -> None:
        if out is not None:
            out.write(data)


class _Buffer:
    """A window over a file, always longer than the longest row."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._chunks = _chunks(path)
        self._offset = 0
        self._data = b""
        self._at = 0
        self._ended = False
        if self.fill(len(codecs.BOM_UTF8)) and self._data.startswith(codecs.BOM_UTF8):
            self._at = len(codecs.BOM_UTF8)

    def head(self) -> bytes:
        """The first bytes, without moving on."""
        self.fill(MAX_ROW_BYTES)
        return self._data[self._at : self._at + MAX_ROW_BYTES]

    def fill(self, size: int) -> bool:
        """Buffer `size` bytes ahead, or all that are left; return whether there are any."""
        while len(self._data) - self._at < size and not self._ended:
            chunk = next(self._chunks, b"")
            self._ended = not chunk
            self._data = self._data[self._at :] + chunk
            self._offset += self._at
            self._at = 0
        return self._at < len(self._data)

    @property
    def position(self) -> int:
        """The offset in the file."""
        return self._offset + self._at

    def skip_to(self, position: int) -> bytes:
        """Move on to a position; returns the start of the skipped bytes."""
        start = self._data[self._at : self._at + _SHOWN_BYTES]
        while self._offset + len(self._data) < position and not self._ended:
            self._at = len(self._data)
            self.fill(1)
        self._at = position - self._offset
        return start

    def take_run(self, pattern: re.Pattern[bytes]) -> bytes:
        """The lines that match here, up to one that is too long; there may be none."""
        found = pattern.match(self._data, self._at)
        if found is None:
            return b""
        end, checked = found.end(), self._at
        while end - checked > MAX_ROW_BYTES:
            line_break = self._data.rfind(b"\n", checked, checked + MAX_ROW_BYTES)
            if line_break < 0:
                end = checked
            else:
                checked = line_break + 1
        run = self._data[self._at : end]
        self._at = end
        return run

    def take_row(self, pattern: re.Pattern[bytes]) -> bytes | None:
        """The row that begins here, with its line break; None where none does."""
        found = pattern.match(self._data, self._at, self._at + MAX_ROW_BYTES)
        if found is None:
            return None
        end = found.end()
        for line_break in (b"\r\n", b"\n"):
            if self._data.startswith(line_break, end):
                end += len(line_break)
                break
        else:
            if not (self._ended and end == len(self._data)):
                return None
        row = self._data[self._at : end]
        self._at = end
        return row

    def take_line(self) -> tuple[bytes, bool]:
        """The line up to the next line feed, or its start, and whether it is within the limit of a row."""
        start, begin = self._data[self._at : self._at + _SHOWN_BYTES], self.position
        while (end := self._data.find(b"\n", self._at)) < 0 and not self._ended:
            self._at = len(self._data)
            self.fill(MAX_ROW_BYTES)
        self._at = end + 1 if end >= 0 else len(self._data)
        return start.partition(b"\n")[0], self.position - begin <= MAX_ROW_BYTES


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(4 * CHUNK_BYTES):
            yield chunk


def _first_row(head: bytes, layout: Layout) -> list[str] | None:
    lines = io.StringIO(head.decode("utf-8", "replace"), newline="")
    try:
        return next(header_reader(lines, layout), None)
    except csv.Error:
        return None


def header_reader(lines: Iterable[str], layout: Layout) -> "Iterator[list[str]]":
    """The rows of some lines, read by Python; only for headers."""
    rows = csv.reader(
        lines,
        delimiter=delimiter_of(layout),
        quotechar=layout.quote,
        quoting=csv.QUOTE_NONE if layout.quote is None else csv.QUOTE_MINIMAL,
    )
    for row in rows:
        if row:  # a blank line has no columns
            yield [name.replace(UNIT_SEPARATOR, layout.delimiter).replace(CARRIAGE_RETURN, "\r") for name in row]
