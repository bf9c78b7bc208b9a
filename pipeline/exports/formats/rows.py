"""The rows of one export file as SQL: every value is text, and every row has its number."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.errors import FileRefused
from pipeline.exports.headers import used_columns
from pipeline.exports.layouts import Layout, key_of
from pipeline.masking import on_one_line
from pipeline.warehouse import literal, quoted

# A row group of a third of DuckDB's size takes a sixth less time: it stays in the processor's cache.
_USUAL = ", row_group_size 40960"
# DuckDB's Parquet writer takes 1 MB a column for its dictionary pages, and keeps whole row groups.
_WIDE_COLUMNS = 100
_WIDE = ", row_group_size 10240, string_dictionary_page_size_limit 16384"
_SHOWN_LENGTH = 300
# DuckDB's errors that are due to the data; when a disk or the memory is full, it raises others.
_OF_THE_DATA = (duckdb.DataError, duckdb.ProgrammingError, duckdb.NotSupportedError)


@dataclass(frozen=True)
class ExportInput:
    """A file to read: its layout, its path on this machine, and a folder for temporary files.

    `kept` is a folder for the files that its rows are read from, which outlives the file, the other folder and the
    connection. `first_part` opens the first part of a split export, if this file is a later one.
    """

    connection: duckdb.DuckDBPyConnection
    layout: Layout
    path: Path
    folder: Path
    kept: Path
    first_part: Callable[[], AbstractContextManager[Path]] | None = None


@dataclass(frozen=True)
class FileRows:
    """The rows of a file.

    `rows` is SQL for them, each with its `row_number`. `columns` maps the file's column names to SQL expressions over
    `rows`; so are `extra` (JSON of the columns without a meaning), `text` (the row as text) and `fault` (why a row
    can't be read). `stored_text` is SQL for `text` over `raw.events`. `records` is a count that shares nothing with
    DuckDB's reading of `rows`, and `counted_by` its source; it includes the `unread` records, which are not rows.
    `suspect_rows` is SQL for the `row_number` of rows with a value that looks like several rows. `trailer` is a last
    line that may be a summary.
    """

    rows: str
    columns: Mapping[str, str]
    extra: str
    text: str
    records: int
    stored_text: str = "''"
    unread: int = 0
    fault: str = "NULL"
    suspect_rows: str | None = None
    trailer: str | None = None
    counted_by: str = "their line breaks"

    def detached(self, rejects: Callable[[], bool]) -> "FileRows":
        """The same rows, for which only the folder `kept` is needed from now on, and which any connection can read.
        `rejects` is asked, where it matters, whether any of them will have to be located.
        """
        return self

    def located(self, rows: str) -> str:
        """SQL for some rows (a column `row_number`), with their `line` and `piece` in place of the number."""
        return f"SELECT * EXCLUDE (row_number), row_number AS line, CAST(NULL AS VARCHAR) AS piece FROM ({rows})"

    def unread_rows(self) -> str | None:
        """SQL for `line`, `reason`, `text` and `piece` of the unread records; None if there are none."""
        return None


def staged(connection: duckdb.DuckDBPyConnection, query: str, columns: int, path: Path) -> str:
    """Write the result of a query to a Parquet file, and return SQL for its rows, each with its `row_number`.

    A Parquet file has row numbers. `row_number() OVER ()` between the export and the table would keep every later
    step on one core: half as slow again on two cores, and worse on more.
    """
    options = "FORMAT parquet" + (_WIDE if columns > _WIDE_COLUMNS else _USUAL)
    connection.execute(f"COPY (FROM {query}) TO {literal(str(path))} ({options})")
    return numbered(path)


def numbered(path: Path) -> str:
    """SQL for the rows of a Parquet file, each with its `row_number`."""
    return (
        "(SELECT file_row_number + 1 AS row_number, * EXCLUDE (file_row_number) "
        f"FROM read_parquet({exactly(path)}, file_row_number = true))"
    )


def unmapped(columns: Mapping[str, str], layout: Layout) -> str:
    """SQL for the `extra` of a row: a JSON object of the columns that the layout doesn't use."""
    used = {key_of(column) for column in used_columns(layout)}
    rest = {name: expression for name, expression in columns.items() if key_of(name) not in used}
    pairs = ", ".join(f"{literal(name)}, {expression}" for name, expression in rest.items())
    return f"json_object({pairs})" if rest else "CAST(NULL AS JSON)"


def stored_as_json(layout: Layout) -> str:
    """SQL over `raw.events` for a row as a JSON object."""
    stored_as = layout.columns | ({layout.event_column: "event_code"} if layout.event_column else {})
    # The objects into which JSON pointers point are in `extra` as they were.
    mapped = ", ".join(
        f"{literal(column)}, {quoted(meaning)}"
        for column, meaning in stored_as.items()
        if not layout.is_pointer(column)
    )
    return (
        f"CASE WHEN json_type(extra) = 'VARCHAR' THEN extra ->> '$' "
        f"ELSE CAST(json_merge_patch(coalesce(extra, '{{}}'), json_object({mapped})) AS VARCHAR) END"
    )


def without_nulls(value: str, layout: Layout) -> str:
    """SQL for a value, which is NULL where it is one of the layout's `null_values`."""
    nulls = ", ".join(literal(null) for null in layout.null_values)
    return f"CASE WHEN {value} IN ({nulls}) THEN NULL ELSE {value} END" if nulls else value


@contextmanager
def refusing_data_errors(layout: Layout) -> Iterator[None]:
    """Turn DuckDB's errors over the data of a file into a FileRefused with the first line of their message."""
    try:
        yield
    except _OF_THE_DATA as error:
        raise FileRefused(unreadable(layout, error)) from None


def unreadable(layout: Layout, error: duckdb.Error) -> str:
    """The reason to refuse a file after an error of DuckDB's, which repeats values of the file."""
    line = str(error).strip().partition("\n")[0]
    return f"can't be read as {layout.format}: {on_one_line(line, _SHOWN_LENGTH)}"


def exactly(path: Path) -> str:
    """A path as SQL without patterns: DuckDB would expand `*`, `?` and `[`."""
    return literal(re.sub(r"([*?\[])", r"[\1]", str(path)))
