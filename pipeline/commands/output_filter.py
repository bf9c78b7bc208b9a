"""Makes the result of a query safe for a terminal or a spreadsheet, which would interpret some of its values.

As a program it is the pager of DuckDB's prompt: `python -m pipeline.commands.output_filter [csv|json]`.
"""

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator
from typing import IO, TextIO

from pipeline.masking import printable

# What a spreadsheet takes for a formula (OWASP, "CSV Injection"), but for numbers, which may begin the same way.
_FORMULA = re.compile(r"[=+\-@\t\r]")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def lines_of(stream: IO[bytes]) -> TextIO:
    """DuckDB's output as text with its line ends unchanged."""
    return io.TextIOWrapper(stream, "utf-8", errors="replace", newline="")


def pass_on(lines: TextIO, output: str | None, to: TextIO = sys.stdout) -> None:
    """Copy a result line by line. JSON itself escapes all that a terminal would interpret."""
    if output == "csv":
        csv.field_size_limit(sys.maxsize)
        csv.writer(to, lineterminator="\n").writerows(map(_safe_row, csv.reader(lines)))
    else:
        to.writelines(lines if output == "json" else safe_lines(lines))
    to.flush()


def _safe_row(row: list[str]) -> list[str]:
    return [printable(cell if _is_harmless(cell) else f"'{cell}", kept="\n\r\t") for cell in row]


def _is_harmless(cell: str) -> bool:
    return _FORMULA.match(cell) is None or _NUMBER.fullmatch(cell) is not None


def safe_lines(lines: Iterable[str]) -> Iterator[str]:
    """Lines with escapes in place of what a terminal would interpret."""
    return (printable(line, kept="\n") for line in lines)


if __name__ == "__main__":
    pass_on(lines_of(sys.stdin.buffer), sys.argv[1] if len(sys.argv) > 1 else None)
