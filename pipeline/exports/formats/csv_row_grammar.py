"""The grammar of a text's rows, as regular expressions over bytes that match thousands of rows at a time."""

import re
from dataclasses import dataclass

from pipeline.exports.formats.csv_long_rows import LongRows
from pipeline.exports.layouts import Layout
from pipeline.exports.transcoding import delimiter_of

FEWER = "the row has fewer columns than the header"
MORE = "the row has more columns than the header"
UNDECODABLE = "the row is not valid {encoding}"


@dataclass(frozen=True)
class Grammar:
    """The rows of a text in bytes: `run` matches many rows that end in a line break and contain none, `row` any one.
    `long_rows` finds the end of over-long rows with quotes. `checked` reports why a line is not a row, where DuckDB
    should not check that: it takes 1 kB of memory for each missing value.
    """

    run: re.Pattern[bytes]
    row: re.Pattern[bytes]
    long_rows: LongRows | None = None
    checked: "RowCheck | None" = None

    @classmethod
    def of_lines(cls, layout: Layout, *, checked: bool) -> "Grammar":
        """Rows that are lines."""
        check = RowCheck(layout.encoding) if checked else None
        return cls(re.compile(rb"(?:[^\r\n]++\r?\n)++"), re.compile(rb"(?:[^\r\n]|\r(?!\n))*+"), checked=check)

    @classmethod
    def of_delimited(cls, layout: Layout, columns: int, *, checked: bool) -> "Grammar":
        """Delimited rows with so many columns."""
        delimiter = re.escape(delimiter_of(layout).encode())
        text = (
            rb"[^" + delimiter + rb"\r\n]"
            if len(delimiter_of(layout).encode()) == 1
            else (rb"(?:(?!" + delimiter + rb")[^\r\n])")
        )
        plain, value = text + b"*+", b"(?:" + text + rb"|\r(?!\n))*+"
        long_rows = None
        if layout.quote is not None:
            quote = re.escape(layout.quote.encode())
            # As DuckDB reads it, blanks around quotes are not part of the value, unless blanks separate columns.
            blanks = b"" if delimiter_of(layout) == " " else b" *+"

            def values(inside_quotes: bytes, outside: bytes) -> bytes:
                quoted = blanks + quote + b"(?:" + inside_quotes + b"++|" + quote + quote + b")*+" + quote + blanks
                return b"(?:" + quoted + b"|(?!" + blanks + quote + b")" + outside + b")"

            line = rb"\n" + plain + b"(?:" + delimiter + plain + b"){%d}" % (columns - 1) + rb"(?=\r?\n)"
            plain = values(rb"[^" + quote + rb"\r\n]", plain)
            value = values(rb"[^" + quote + rb"]", value)
            long_rows = LongRows(
                re.compile(value), delimiter_of(layout).encode(), re.compile(line) if columns > 1 else None
            )

        def rows(value: bytes, times: bytes = b"*+") -> bytes:
            return value + b"(?:" + delimiter + value + b")" + times

        # As DuckDB reads it, an empty cell behind the last column is none.
        whole = b"{%d}" % (columns - 1) + b"(?:" + delimiter + b")?"
        run = rows(plain, whole) if checked else rows(plain)
        return cls(
            run=re.compile(rb"(?:(?!\r?\n)" + run + rb"\r?\n)++"),
            row=re.compile(rows(value)),
            long_rows=long_rows,
            checked=RowCheck(
                layout.encoding,
                re.compile(rows(value, whole)),
                re.compile(rows(value, b"{0,%d}" % (columns - 2))) if columns > 1 else None,
            )
            if checked
            else None,
        )


@dataclass(frozen=True)
class RowCheck:
    """Reports why a line is not a row. In delimited text, `whole` matches a complete row, `fewer` a shorter one."""

    encoding: str
    whole: re.Pattern[bytes] | None = None
    fewer: re.Pattern[bytes] | None = None

    def fault(self, row: bytes) -> str | None:
        """The reason to reject a row, if there is one."""
        if not self.is_text(row):
            return UNDECODABLE.format(encoding=self.encoding)
        if self.whole is None or self.whole.fullmatch(row):
            return None
        return FEWER if self.fewer is not None and self.fewer.fullmatch(row) else MORE

    @staticmethod
    def is_text(rows: bytes) -> bool:
        """Whether bytes are UTF-8, as all texts are by now."""
        try:
            rows.decode()
        except UnicodeDecodeError:
            return False
        return True
