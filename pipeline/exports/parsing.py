"""From the texts of a file to rows with numbers and lines; what is no row is put aside with its line."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from pipeline.errors import FileRefused
from pipeline.exports.formats.csv import csv_source
from pipeline.exports.formats.csv_repair import MAX_ROW_BYTES, OPEN_QUOTE, TOO_LONG, Notes, mend
from pipeline.exports.formats.csv_row_grammar import FEWER, MORE, UNDECODABLE
from pipeline.exports.formats.csv_surroundings import header_of
from pipeline.exports.formats.ndjson import ndjson_scan, note_keys, with_keys
from pipeline.exports.formats.relation import REJECTS_SCANS, REJECTS_TABLE, Source, parse
from pipeline.exports.layouts import Layout
from pipeline.exports.transcoding import Text
from pipeline.masking import on_one_line
from pipeline.warehouse import literal

# DuckDB's words for a row that it can't parse, in a marketer's words.
_PARSE_FAULTS = {
    "MISSING COLUMNS": FEWER,
    "TOO MANY COLUMNS": MORE,
    "UNQUOTED VALUE": OPEN_QUOTE,
    "INVALID ENCODING": UNDECODABLE,
    "LINE SIZE OVER MAXIMUM": TOO_LONG,
}
# DuckDB holds about 1 kB for each value that a row lacks until the file is read: with 500 columns, 5,000 rows that
# break off would fill the memory. From so many on, they are found before.
_MOST_FAULTS = 100_000
# What DuckDB raises where it can't make rows of a text; when a disk or the memory is full, it raises others.
_SHOWN_LENGTH = 300
_OF_THE_TEXT = (duckdb.DataError, duckdb.ProgrammingError, duckdb.NotSupportedError)


@dataclass(frozen=True)
class Parsed:
    """A file's rows, as SQL with their `row_number`, and what its columns are. `unread` of its records are no rows;
    `records` were counted without DuckDB, header not included.
    """

    rows: str
    source: Source
    unread: int
    records: int


class FileParser:
    """The parsing of one file; its tables in `temp` tell of lines and of what is no row."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, layout: Layout, texts: Sequence[Text], folder: Path
    ) -> None:
        self._connection = connection
        self._layout = layout
        self._texts = texts
        self._folder = folder
        self._notes = Notes(connection)
        self._mended = self._checked = False
        self._records = 0
        self._located = False

    def parse(self) -> Parsed | None:
        """Parse; None where there is no row at all.

        Raises:
            FileRefused: its header is of no use, or DuckDB can't read it, mended or not.
            duckdb.Error: the machine failed.
        """
        try:
            parsed = self._parse_or_mend()
            if parsed is not None and self._layout.format == "ndjson":
                note_keys(self._connection, parsed.rows, parsed.unread)
                rows, source = with_keys(self._connection, parsed.rows, parsed.source, self._layout)
                return replace(parsed, rows=rows, source=source)
            return parsed
        except _OF_THE_TEXT as error:
            raise FileRefused(f"can't be read as {self._layout.format}: {first_line(error)}") from None

    def _parse_or_mend(self) -> Parsed | None:
        """DuckDB reads most texts as they are, and the rest mended: also those of which it loses records.

        What is longer than a row can be is never left to DuckDB, which may skip it without an error or hold each of its
        lines in memory.
        """
        text = self._texts[0] if len(self._texts) == 1 else None
        self._checked = self._is_faulty()
        self._mended = self._checked or text is None or text.newline is None or text.scan.longest > MAX_ROW_BYTES
        if self._mended:
            return self._parse(self._mend())
        try:
            parsed = self._parse(self._texts[0])
        except duckdb.InvalidInputException:
            pass
        else:
            scan = self._texts[0].scan
            # As many as there are lines: then each is a record. Otherwise quotes decide.
            if self._records in (scan.lines, scan.records) and not (parsed and self._took_more_than_its_row()):
                return parsed
        self._mended = True
        return self._parse(self._mend())

    def _is_faulty(self) -> bool:
        """Whether so many rows may be none that DuckDB is not to find them."""
        columns = 1
        if self._layout.format == "csv":
            names = self._layout.header if self._layout.header is not True else None
            columns = len(names or header_of(self._texts[0], self._layout)[0] or [""])
        return any(text.scan.is_faulty(columns, _MOST_FAULTS) for text in self._texts)

    def _mend(self) -> Text:
        self._notes = Notes(self._connection)
        target = self._folder / "mended.txt"
        mended = mend(self._texts, self._layout, self._notes, target, checked=self._checked)
        assert mended is not None  # there is a target
        return mended

    def _parse(self, text: Text) -> Parsed | None:
        self._records = 0
        for table in (REJECTS_TABLE, REJECTS_SCANS):
            self._connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        if text.path.stat().st_size == 0 and not self._notes.rejected:
            return None
        if self._layout.format == "csv":
            source = csv_source(text, self._layout, mended=self._mended)
        else:
            source = ndjson_scan(text, self._layout, mended=self._mended)
        if source is None:
            return None
        rows = parse(self._connection, source, self._folder / "rows.parquet")
        read = _number(self._connection, f"SELECT count(*) FROM {rows}")
        unread = _number(self._connection, f"SELECT count(DISTINCT line) FROM temp.{REJECTS_TABLE}")
        self._records = read + unread + source.first_row_line - 1
        if self._mended and read + unread != self._notes.rows:
            raise FileRefused(
                f"it has {self._notes.rows:,} rows, but {read:,} were read and {unread:,} rejected; its quotes and "
                "line breaks contradict each other. Where nothing is quoted, put quote: null into the layout"
            )
        records = self._notes.rows + self._notes.rejected if self._mended else self._records - source.first_row_line + 1
        return Parsed(rows, source, unread + self._notes.rejected, records)

    def _took_more_than_its_row(self) -> bool:
        """Whether a fault was found after which DuckDB can't be trusted to know where the next row begins."""
        faults = "('UNQUOTED VALUE', 'LINE SIZE OVER MAXIMUM')"
        return (
            _number(
                self._connection,
                f"SELECT count(*) FROM temp.{REJECTS_TABLE} WHERE CAST(error_type AS VARCHAR) IN {faults}",
            )
            > 0
        )

    @property
    def has_line_breaks(self) -> bool:
        """Whether some value holds one."""
        return self._notes.breaks > 0 if self._mended else self._texts[0].scan.lines > self._records

    def locate_lines(self) -> None:
        """See that `line_marks` tells the lines of records; only needed where some row is put aside."""
        text = self._texts[0]
        is_shifted = text.lines != self._records or text.lines_above or text.lines_under_header
        if not self._mended and not self._located and is_shifted:
            self._located = True
            mend(self._texts, self._layout, self._notes, None)

    def unread_rows(self) -> str:
        """SQL for `line`, `reason`, `text` and `piece` of what is no row; `locate_lines` comes before."""
        reasons = " ".join(
            f"WHEN {literal(fault)} THEN {literal(words.format(encoding=self._layout.encoding))}"
            for fault, words in _PARSE_FAULTS.items()
        )
        return f"""
            SELECT line, reason, text, piece FROM temp.mended_rejects WHERE {self._mended}
            UNION ALL BY NAME
            {
            lines_of(f'''
                SELECT record,
                    CASE arg_min(CAST(error_type AS VARCHAR), byte_position) {reasons}
                    ELSE 'the row ' || arg_min(error_message, byte_position) END AS reason,
                    trim(any_value(csv_line), chr(13) || chr(10)) AS text
                FROM ({_REJECTED_RECORDS}) GROUP BY record
            ''')
        }
        """


def first_line(error: duckdb.Error) -> str:
    """What an error of DuckDB's says; it repeats values of the file."""
    return on_one_line(str(error).strip().partition("\n")[0], _SHOWN_LENGTH)


# What DuckDB rejected, with the number of the record: of what it calls a line, blank lines count, and those inside
# quotes do not.
_REJECTED_RECORDS = f"""
    SELECT rejects.line - coalesce(line_marks.number - line_marks.record, 0) AS record,
        error_type, error_message, byte_position, csv_line
    FROM temp.{REJECTS_TABLE} AS rejects ASOF LEFT JOIN temp.line_marks ON rejects.line >= line_marks.number
"""


def lines_of(records: str) -> str:
    """SQL for some records (a column `record`, 1 is the first of the file), with their `line` and `piece` instead."""
    return f"""
        SELECT records.* EXCLUDE (record), records.record + coalesce(shift, 0) AS line, piece
        FROM ({records}) AS records ASOF LEFT JOIN temp.line_marks ON records.record >= line_marks.record
    """


def records_of(rows: str, first_row_line: int) -> str:
    """SQL for some rows (a column `row_number`), with their `record` instead: rows are numbered as they were read, so
    every record that could not be read and stands before one moves it down by one.
    """
    return f"""
        WITH gaps AS (
            SELECT record - number + 1 AS first_record, max(number) AS records
            FROM (SELECT record, row_number() OVER (ORDER BY record) AS number FROM
                (SELECT DISTINCT record FROM ({_REJECTED_RECORDS})))
            GROUP BY ALL
        ),
        rows AS (SELECT *, row_number + {first_row_line} - 1 AS read_as FROM ({rows}))
        SELECT rows.* EXCLUDE (row_number, read_as), read_as + coalesce(gaps.records, 0) AS record
        FROM rows ASOF LEFT JOIN gaps ON rows.read_as >= gaps.first_record
    """


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    found = connection.execute(query).fetchone()
    assert found is not None  # an aggregate always has its row
    return int(found[0])
