"""An export file as a relation: DuckDB parses it, and every value stays text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.exports.layouts import Layout
from pipeline.exports.transcoding import CARRIAGE_RETURN, UNIT_SEPARATOR, Text, delimiter_of
from pipeline.warehouse import literal

REJECTS_TABLE = "csv_rejects"
REJECTS_SCANS = "csv_reject_scans"
# DuckDB's Parquet writer takes 1 MB a column for its dictionary pages, and keeps whole row groups.
_WIDE_COLUMNS = 100
_WIDE = ", row_group_size 10240, string_dictionary_page_size_limit 16384"


@dataclass(frozen=True)
class Source:
    """A file as a relation: the SQL that parses it, and what stands in it under which expression.

    `columns` maps the names in the file to SQL expressions over the relation's columns and those of `derived`;
    `first_row_line` is the line of the first data row; `fault` is SQL for why a row can't be read at all (NULL where
    it can).
    """

    scan: str
    columns: Mapping[str, str]
    extra: str
    text: str
    first_row_line: int
    fault: str = "NULL"
    derived: str = ""


def parse(connection: duckdb.DuckDBPyConnection, source: Source, path: Path) -> str:
    """Parse a file, and return SQL for its rows, each with its `row_number`; they lie in Parquet at `path`.

    A Parquet file knows the numbers of its rows. `row_number() OVER ()` on the way from the text to the table would
    keep everything behind it on one core, which takes half as long again on two, and the longer the more there are.
    """
    options = "FORMAT parquet" + (_WIDE if len(source.columns) > _WIDE_COLUMNS else "")
    connection.execute(f"COPY (FROM {source.scan}) TO {literal(str(path))} ({options})")
    return (
        f"(SELECT file_row_number + 1 AS row_number, * EXCLUDE (file_row_number){source.derived} "
        f"FROM read_parquet({exactly(path)}, file_row_number = true))"
    )


def reading_options(text: Text) -> str:
    r"""Options that are the same for all texts. Of the line ends, DuckDB reads `\r\n` rightly only when it finds out
    by itself, and `\n` beside carriage returns inside quotes only when told.
    """
    newline = "new_line = '\\n', " if text.newline == "\n" else ""
    return (
        f"{newline}encoding = 'utf-8', compression = 'none', strict_mode = true, store_rejects = true, "
        f"rejects_table = {literal(REJECTS_TABLE)}, rejects_scan = {literal(REJECTS_SCANS)}"
    )


def restoring(layout: Layout, *, mended: bool) -> Callable[[str], str] | None:
    """SQL for a value as it stood in the file, where characters stand for others in the text."""
    stand_ins = {}
    if mended:
        stand_ins[CARRIAGE_RETURN] = "chr(13)"
    if delimiter_of(layout) != layout.delimiter:
        stand_ins[UNIT_SEPARATOR] = literal(layout.delimiter)
    if not stand_ins:
        return None

    def restored(expression: str) -> str:
        for stand_in, original in stand_ins.items():
            expression = f"replace({expression}, {literal(stand_in)}, {original})"
        return expression

    return restored


def exactly(path: Path) -> str:
    """A path as SQL, in which no character stands for others: DuckDB takes `*`, `?` and `[` for a pattern."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))
