r"""The lines around the rows of a delimited text: blank lines, Excel's `sep=;` line and a header above
them, a line of dashes under the header (sqlcmd), a footer such as `(3 rows affected)` and Ctrl-Z below.

If a text has any of these lines, a copy without them is made. A line that looks like a row in any way is kept, and
rejected as a row.
"""

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import FileRefused
from pipeline.exports.formats.csv_repair import MAX_ROW_BYTES, header_reader
from pipeline.exports.headers import clean_names, is_header_of
from pipeline.exports.layouts import Layout
from pipeline.exports.transcoding import CHUNK_BYTES, Text, delimiter_of
from pipeline.warehouse.trimming import trimmed

_SEP = re.compile(rb'"?sep=[^\r\n]{1,5}"?', re.IGNORECASE)
_NOTHING = b" \t\r\n\v\f\x00"
_TAIL_BYTES = 4096
_END_MARKER = re.compile(r"\W*(?:trailer|trl|tlr|footer|eof|total|end)(?![a-z])", re.IGNORECASE)
# A number by itself: no part of an id, a date or a time.
_NUMBER = re.compile(r"(?<![\d.@-])(?<!\d:)\d+(?![\d:@-])")
_GROUPED = re.compile(r"(?<!\d)\d{1,3}(?:[.,' ]\d{3})+(?!\d)")
# DOS and mainframes end a text with Ctrl-Z, and some systems pad it with NULs.
_CTRL_Z = re.compile(rb"\x1a[\x1a\x00\r\n]*\Z")
_FOOTER = re.compile(
    rb"\(\d[\d.,]* [^()|;,\t]{1,40}(\([a-z]{1,2}\)[^()|;,\t]{0,40})?\)"
    rb"|\d[\d.,]* (?:row|record|line)(?:s|\(s\))? (?:selected|affected|returned|fetched|exported|copied)\.?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class _Frame:
    """The offsets of a text's header and rows, and the numbers of lines above both and between them."""

    start: int
    header_end: int
    rows_start: int
    end: int | None
    above: int = 0
    under: int = 0


def framed(text: Text, layout: Layout, path: Path, first: Text | None = None) -> Text:
    """The text without the lines around its rows; a copy at `path`, if there are any. `first` is the first text of the
    file, if that is another one: a later text has a header only if it repeats that of the first.
    """
    with text.path.open("rb") as file:
        head = file.read(MAX_ROW_BYTES)
    # Where the layout lists the names, the first row may be any row, even one that Python's reader refuses.
    names = header_of(first, layout)[0] if first is not None and layout.header is True else None
    frame = _frame(text, head, layout, names, is_first=first is None)
    doubled = _first_line(head[frame.start :]).endswith(b"\r\r\n")
    is_bare = frame.above == frame.under == 0 and frame.end is None and frame.rows_start == frame.header_end
    if is_bare and not doubled:
        return text
    _copy(text, frame, path, doubled=doubled)
    return replace(text, path=path, lines_above=frame.above, lines_under_header=frame.under)


def header_of(text: Text, layout: Layout) -> tuple[list[str] | None, int]:
    """The cells of the first row of a text (None: no row), and its line. Raises FileRefused: it can't be read."""
    with text.path.open("rb") as file:
        head = file.read(MAX_ROW_BYTES)
    start, above = _above(head, layout, is_first=True)
    line = text.lines_above + above + 1
    try:
        cells, _ = _first_record(head[start:], layout)
    except csv.Error as error:
        is_mixed = "universal-newline" in str(error)  # advice for programmers
        why = "it contains single carriage returns, so it may not be a text file" if is_mixed else error
        raise FileRefused(f"line {line}: the header can't be read: {why}") from None
    return cells, line


def _frame(text: Text, head: bytes, layout: Layout, names: list[str] | None, *, is_first: bool) -> _Frame:
    start, above = _above(head, layout, is_first=is_first)
    header_end = rows_start = start
    under = 0
    try:
        cells, length = _first_record(head[start:], layout)
    except csv.Error:
        cells, length = None, 0
    if cells is not None and isinstance(layout.header, list) and is_header_of(cells, layout.header, layout):
        above += head[start : start + length].count(b"\n")
        start = header_end = rows_start = start + length
        under = _dashes(head[start:], layout, len(cells))
        above += under
        start = header_end = rows_start = start + _lines_length(head[start:], under)
        under = 0
    elif cells is not None and layout.header is True and (is_first or cells == names):
        header_end = start + length
        under = _dashes(head[header_end:], layout, len(cells))
        rows_start = header_end + _lines_length(head[header_end:], under)
    return _Frame(start, header_end, rows_start, _end(text, layout, rows_start), above, under)


def _above(head: bytes, layout: Layout, *, is_first: bool) -> tuple[int, int]:
    """The offset of the first line with content, and the number of lines above it."""
    at, lines = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0, 0
    while (end := head.find(b"\n", at)) >= 0:
        line = head[at:end]
        if not (_is_blank(line, layout, is_first) or (lines == 0 and _SEP.fullmatch(line.rstrip(b"\r")))):
            break
        at, lines = end + 1, lines + 1
    return at, lines


def _is_blank(line: bytes, layout: Layout, is_first: bool) -> bool:
    content = line.replace(codecs.BOM_UTF8, b"")
    delimiter = delimiter_of(layout).encode()
    if layout.header is True and is_first:  # a row of empty cells is not a header
        content = content.replace(delimiter, b"")
    elif delimiter in content:  # a row, even if it is nothing but tabs
        return False
    return not content.strip(_NOTHING)


def _first_line(content: bytes) -> bytes:
    line, end, _ = content.partition(b"\n")
    return line + end


def _first_record(content: bytes, layout: Layout) -> tuple[list[str] | None, int]:
    """The cells of the first record, and how many bytes it has, its line break included."""
    lines = io.StringIO(content.decode("utf-8", "surrogateescape"), newline="\n").readlines()
    taken: list[str] = []

    def noted() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    cells = next(header_reader(noted(), layout), None)
    length = sum(len(line.encode("utf-8", "surrogateescape")) for line in taken)
    if cells is None:
        return None, length
    return clean_names([cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for cell in cells]), length


def _dashes(content: bytes, layout: Layout, columns: int) -> int:
    """1 if the next line has only dashes in each column, as under a header of sqlcmd, else 0."""
    delimiter = delimiter_of(layout)
    if "-" in delimiter:
        return 0
    line = _first_line(content).decode("utf-8", "replace").rstrip("\r\n")
    ways = (line.split(delimiter), line.split("+"))  # psql puts a plus between the columns' dashes
    return int(any(len(cells) == columns and are_dashes(cells) for cells in ways))


def are_dashes(cells: Sequence[str]) -> bool:
    """Whether a row is the line under a header; a one-character column has a single dash, so one cell needs three."""
    return any("---" in cell for cell in cells) and all(re.fullmatch(r" *-+ *", cell) for cell in cells)


def without_surroundings(lines: Sequence[str]) -> list[str]:
    """The lines of a text without those above its header and below its last row; for `inspect`, which has no layout."""
    inner = [line.replace("\r\r\n", "\r\n") for line in lines]
    while inner and (not trimmed(inner[0]) or _SEP.fullmatch(inner[0].strip().encode())):
        del inner[0]
    while inner and (not trimmed(inner[-1]) or _FOOTER.fullmatch(inner[-1].strip().encode())):
        del inner[-1]
    return [*inner[:-1], inner[-1].rstrip("\x1a")] if inner else []


def _lines_length(content: bytes, lines: int) -> int:
    return sum(len(line) + 1 for line in content.split(b"\n", lines)[:lines])


def _end(text: Text, layout: Layout, rows_start: int) -> int | None:
    """The end of the rows, if lines that are not rows follow."""
    size = text.path.stat().st_size
    with text.path.open("rb") as file:
        file.seek(max(rows_start, size - _TAIL_BYTES))
        base = file.tell()
        tail = file.read()
    ended = _CTRL_Z.search(tail)
    rest = tail[: ended.start()] if ended else tail
    delimiter = delimiter_of(layout).encode()
    while True:
        line = rest.rstrip(_NOTHING).rpartition(b"\n")[2].strip()
        if not line or delimiter in line or not _FOOTER.fullmatch(line):
            break
        rest = rest[: rest.rstrip(_NOTHING).rfind(b"\n") + 1]
    return base + len(rest) if len(rest) != len(tail) else None


def _copy(text: Text, frame: _Frame, path: Path, *, doubled: bool) -> None:
    end = frame.end if frame.end is not None else text.path.stat().st_size
    with text.path.open("rb") as source, path.open("wb") as target:
        for start, stop in ((frame.start, frame.header_end), (frame.rows_start, end)):
            source.seek(start)
            rest = b""
            while (left := stop - source.tell()) > 0 and (chunk := source.read(min(CHUNK_BYTES, left))):
                if not doubled:
                    target.write(chunk)
                    continue
                # A line end may lie across the border of two chunks.
                whole = (rest + chunk).replace(b"\r\r\n", b"\r\n")
                cut = len(whole) - len(re.search(rb"\r{0,2}\Z", whole).group())  # type: ignore[union-attr]
                target.write(whole[:cut])
                rest = whole[cut:]
            target.write(rest)


def trailer_in(texts: Sequence[Text], layout: Layout, columns: int) -> str | None:
    """The last line of a file, if it has fewer columns than the rows, or only its first two are filled."""
    if not texts:
        return None
    with texts[-1].path.open("rb") as file:
        file.seek(max(0, texts[-1].path.stat().st_size - _TAIL_BYTES))
        line = file.read().rstrip(_NOTHING).rpartition(b"\n")[2].decode("utf-8", "replace")
    cells = line.split(delimiter_of(layout))
    return line if len(cells) < columns or not any(trimmed(cell) for cell in cells[2:]) else None


def is_end_marker(trailer: str) -> bool:
    """Whether a line begins with a word such as TRAILER, so that it is not a row, whatever the number of rows."""
    return _END_MARKER.match(trailer) is not None


def states_row_count(trailer: str, promised: int) -> bool:
    """Whether a line contains the promised number of rows, even with leading zeros or thousands separators."""
    found = [*_NUMBER.findall(trailer), *(re.sub(r"\D", "", number) for number in _GROUPED.findall(trailer))]
    return any(int(number) == promised for number in found)
