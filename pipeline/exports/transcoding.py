"""The texts of an export file for DuckDB: on this machine, unpacked, in UTF-8.

A file that is so already is read in place; any other is copied, chunk by chunk.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import IO

from pipeline.errors import FileRefused
from pipeline.exports.archives import Piece, is_packed, pieces
from pipeline.exports.file_signatures import PARQUET_MAGIC
from pipeline.exports.layouts import Layout
from pipeline.exports.record_scan import RecordScan, scan_records

CHUNK_BYTES = 1 << 20

# Replaces a delimiter of several characters. Unicode has it for this: the information separator one.
UNIT_SEPARATOR = "\x1f"
# Replaces a carriage return inside a row. Unicode reserves it for internal use by programs.
CARRIAGE_RETURN = "\ufdd0"

BOMS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # begins as UTF-16's does, so it is tried first
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# The sample for the positions of zero bytes, and its minimum.
_ZEROS_BYTES = 64 * 1024
_FEWEST_BYTES = 16
_RARELY, _MOSTLY = 0.05, 0.5
# The encodings without their byte order mark; Windows writes the low byte first.
_WITHOUT_MARK = {"utf-8-sig": "utf-8", "ascii": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}


# Invalid in UTF-8, so that DuckDB rejects the row.
_INVALID = b"\xff"
_UNDECODABLE = "\udcff"


def _mark(error: UnicodeError) -> tuple[str | bytes, int]:
    if isinstance(error, UnicodeDecodeError):
        return _UNDECODABLE, error.end
    if isinstance(error, UnicodeEncodeError):
        return _INVALID * (error.end - error.start), error.end
    raise error


codecs.register_error("invalid_utf8", _mark)


@dataclass(frozen=True)
class Text:
    """A text in UTF-8. `name` is that of its piece, if a file has several; `quote` and `delimiter` are those of its
    values, if it has columns. `lines_above` and `lines_under_header` are lines of the file that it leaves out: before
    its first line, and after its header.
    """

    path: Path
    name: str | None = None
    quote: str | None = None
    delimiter: str | None = None
    lines_above: int = 0
    lines_under_header: int = 0

    @property
    def newline(self) -> str | None:
        r"""The line end: `\n`, `\r\n` or `\r`; None for mixed line ends."""
        scan = self.scan
        if scan.carriage_returns == 0:
            return "\n"
        if scan.line_feeds == 0:
            return "\r"
        return "\r\n" if scan.carriage_returns == scan.line_feeds == scan.pairs else None

    @property
    def lines(self) -> int:
        """The number of lines in an editor; the last one needs no end."""
        return self.scan.line_feeds + self.scan.unended

    @cached_property
    def scan(self) -> RecordScan:
        """The count of its records from its bytes."""
        return scan_records(self.path, self.quote, self.delimiter)


def delimiter_of(layout: Layout) -> str:
    """The character that separates columns in the texts of this layout."""
    return layout.delimiter if len(layout.delimiter) == 1 else UNIT_SEPARATOR


def texts(
    path: Path, layout: Layout, folder: Path, *, quote: str | None = None, delimiter: str | None = None
) -> list[Text]:
    """The texts of a file in UTF-8; copies are made in `folder`. Raises FileRefused: no text, or can't be unpacked."""
    found = pieces(path)
    is_long = delimiter is not None and len(delimiter) > 1
    marks = (quote, UNIT_SEPARATOR if is_long else delimiter)
    if not is_packed(path) and not is_long and _encoding(found[0], layout) == "utf-8":
        read = [Text(path, None, *marks)]
    else:
        read = []
        for number, piece in enumerate(found):
            text = Text(folder / f"{number}.txt", piece.name, *marks)
            _copy(piece, layout, text.path, delimiter if is_long else None)
            read.append(text)
    return [_with_line_feeds(text, folder / f"{number}.lf.txt") for number, text in enumerate(read)]


def _with_line_feeds(text: Text, path: Path) -> Text:
    if text.newline != "\r":
        return text
    with text.path.open("rb") as source, path.open("wb") as target:
        target.writelines(chunk.replace(b"\r", b"\n") for chunk in _chunks(source))
    return replace(text, path=path)


def _copy(piece: Piece, layout: Layout, path: Path, long_delimiter: str | None) -> None:
    encoding = _encoding(piece, layout)
    with piece.open() as source, path.open("wb") as target:
        chunks = _chunks(source)
        if encoding != "utf-8":
            chunks = _recoded(chunks, encoding)
        if long_delimiter is not None:
            chunks = _replaced(chunks, long_delimiter.encode(), UNIT_SEPARATOR.encode())
        first = next(chunks, b"")
        target.write(first.removeprefix(codecs.BOM_UTF8))
        target.writelines(chunks)


def _encoding(piece: Piece, layout: Layout) -> str:
    """The encoding by the byte order mark, else that of the layout; FileRefused where it contradicts the bytes."""
    with piece.open() as stream:
        head = stream.read(_ZEROS_BYTES)
    if head.startswith(PARQUET_MAGIC):
        raise FileRefused("is a Parquet file; its layout needs format: parquet")
    for mark, encoding in BOMS.items():
        if head.startswith(mark):
            return encoding
    name = codecs.lookup(layout.encoding).name
    encoding = _WITHOUT_MARK.get(name, name)
    likely = wide_encoding(head)
    if likely is not None and likely != encoding:
        raise FileRefused(
            f"is read as {encoding}, but looks like {likely} without a byte order mark; if it is, its layout needs "
            f"encoding: {likely}"
        )
    return encoding


def wide_encoding(head: bytes) -> str | None:
    """UTF-16 or UTF-32 without byte order mark: of each two or four bytes, nearly always the same are zero."""
    if len(head) < _FEWEST_BYTES:
        return None
    first, second, third, fourth = (head[offset::4].count(0) * 4 / len(head) for offset in range(4))
    if max(first, third) < _RARELY and min(second, fourth) > _MOSTLY:
        return "utf-16-le"
    if max(second, fourth) < _RARELY and min(first, third) > _MOSTLY:
        return "utf-16-be"
    if first < _RARELY and min(second, third, fourth) > _MOSTLY:
        return "utf-32-le"
    if fourth < _RARELY and min(first, second, third) > _MOSTLY:
        return "utf-32-be"
    return None


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _recoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(encoding)("invalid_utf8")
    for chunk in chunks:
        if text := decoder.decode(chunk):
            yield text.encode("utf-8", "invalid_utf8")
    yield decoder.decode(b"", True).encode("utf-8", "invalid_utf8")


def _replaced(chunks: Iterator[bytes], old: bytes, new: bytes) -> Iterator[bytes]:
    """The chunks with one text replaced by another, also across their borders."""
    rest = b""
    for chunk in chunks:
        done = (rest + chunk).replace(old, new)
        cut = max(len(done) - len(old) + 1, 0)
        rest = done[cut:]
        yield done[:cut]
    yield rest
