"""Texts read with DuckDB's CSV reader: rows with numbers and lines, and the lines that are not rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from pipeline.errors import FileRefused
from pipeline.exports.formats.csv_repair import MAX_ROW_BYTES, OPEN_QUOTE, TOO_LONG, Notes, repair
from pipeline.exports.formats.csv_row_grammar import FEWER, MORE, UNDECODABLE, Grammar
from pipeline.exports.formats.rows import ExportInput, FileRows, exactly, refusing_data_errors, staged
from pipeline.exports.layouts import Layout
from pipeline.exports.transcoding import CARRIAGE_RETURN, Text
from pipeline.warehouse import literal, one_value

REJECTS_TABLE = "csv_rejects"
REJECTS_SCANS = "csv_reject_scans"
# DuckDB's error types, with the reason that is shown for each.
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


@dataclass(frozen=True)
class Scan:
    """How DuckDB reads one text: the SQL, and what it yields under which expression, as in `FileRows`."""

    query: str
    columns: Mapping[str, str]
    extra: str
    text: str


@dataclass(frozen=True)
class TextTable:
    """The texts of a file as one table.

    `header` is the layout, if the first record is a header. `scan` returns how DuckDB reads a text (None where it has
    no rows at all), given whether it is a repaired one; `grammar` its grammar, given whether rows are checked by it.
    """

    texts: Sequence[Text]
    columns: int
    header: Layout | None
    scan: Callable[[Text, bool], Scan | None]
    grammar: Callable[[bool], Grammar]


@dataclass(frozen=True)
class _Lines:
    """Where the records of a file are, as SQL that any connection can read: the `marks`, as `Notes` has them; the
    `record` of each one that DuckDB rejected; and the unread records as `FileRows.unread_rows` returns them.
    """

    marks: str = "(SELECT CAST(NULL AS BIGINT) AS record, 0 AS shift, CAST(NULL AS VARCHAR) AS piece WHERE false)"
    rejected: str = "(SELECT CAST(NULL AS BIGINT) AS record WHERE false)"
    unread: str | None = None


@dataclass(frozen=True)
class TextRows(FileRows):
    """The rows of a file of text; `reading` locates them in the file, and `lines` once they are detached."""

    reading: "_Reading" = field(kw_only=True)
    lines: _Lines = field(default=_Lines(), kw_only=True)

    def detached(self, rejects: Callable[[], bool]) -> "TextRows":
        """The same rows with the lines of their records, as far as rows or unread records will have to be located."""
        return replace(self, lines=self.reading.lines(rejects))

    def located(self, rows: str) -> str:
        """SQL for some rows (a column `row_number`), with their `line` and `piece` in place of the number."""
        return _lines_of(_records_of(rows, self.reading.first_row_line, self.lines.rejected), self.lines.marks)

    def unread_rows(self) -> str | None:
        """SQL for `line`, `reason`, `text` and `piece` of the unread records; None if there are none."""
        return self.lines.unread


def read_texts(file: ExportInput, table: TextTable) -> TextRows | None:
    """Read the texts of a file; None where there is no row at all. Raises as `FileFormat.read` does."""
    with refusing_data_errors(file.layout):
        return _Reading(file, table).read()


class _Reading:
    """One reading of a file; its tables in `temp` have the lines of records and the records that are not rows."""

    def __init__(self, file: ExportInput, table: TextTable) -> None:
        self._connection = file.connection
        self._encoding = file.layout.encoding
        self._folder = file.folder
        self._kept = file.kept
        self._table = table
        self._texts = table.texts
        self._notes = Notes(file.connection)
        self._repaired = False
        self._records = self._unread = 0
        self.first_row_line = 2 if table.header else 1

    def read(self) -> TextRows | None:
        """DuckDB reads most texts as they are, and the others repaired: also those of which it loses records.

        What is longer than a row can be is never left to DuckDB, which may skip it without an error or hold each of its
        lines in memory.
        """
        text = self._texts[0]
        checked = any(each.scan.is_faulty(self._table.columns, _MOST_FAULTS) for each in self._texts)
        is_readable = len(self._texts) == 1 and text.newline is not None and text.scan.longest <= MAX_ROW_BYTES
        if is_readable and not checked:
            try:
                rows = self._scan(text)
            except duckdb.InvalidInputException:
                pass
            else:
                # As many as there are lines: then each is a record. Otherwise quotes decide.
                is_complete = self._records in (text.scan.lines, text.scan.records)
                if is_complete and not (rows and self._took_more_than_its_row()):
                    return rows
        self._repaired = True
        self._notes = Notes(self._connection)
        target = self._folder / "repaired.txt"
        self._repair(target, checked=checked)
        return self._scan(Text(target))

    def _repair(self, target: Path | None, *, checked: bool = False) -> None:
        grammar = self._table.grammar(checked)
        repair(self._texts, grammar, self._notes, target, header=self._table.header)

    def _scan(self, text: Text) -> TextRows | None:
        self._records = 0
        for table in (REJECTS_TABLE, REJECTS_SCANS):
            self._connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
        if text.path.stat().st_size == 0 and not self._notes.rejected:
            return None
        scan = self._table.scan(text, self._repaired)
        if scan is None:
            return None
        rows = staged(self._connection, scan.query, len(scan.columns), self._kept / "rows.parquet")
        read = one_value(self._connection, f"SELECT count(*) FROM {rows}")
        unread = one_value(self._connection, f"SELECT count(DISTINCT line) FROM temp.{REJECTS_TABLE}")
        self._records = read + unread + self.first_row_line - 1
        if self._repaired and read + unread != self._notes.rows:
            raise FileRefused(
                f"it has {self._notes.rows:,} rows, but {read:,} were read and {unread:,} rejected; its quotes and "
                "line breaks contradict each other. If nothing is quoted, set quote: null in the layout"
            )
        self._unread = unread + self._notes.rejected
        return TextRows(
            rows=rows,
            columns=scan.columns,
            extra=scan.extra,
            text=scan.text,
            records=self._notes.rows + self._notes.rejected if self._repaired else read + unread,
            unread=self._unread,
            reading=self,
        )

    def _took_more_than_its_row(self) -> bool:
        """Whether a fault was found after which DuckDB can't be trusted to know where the next row begins."""
        faults = "('UNQUOTED VALUE', 'LINE SIZE OVER MAXIMUM')"
        found = one_value(
            self._connection,
            f"SELECT count(*) FROM temp.{REJECTS_TABLE} WHERE CAST(error_type AS VARCHAR) IN {faults}",
        )
        return int(found) > 0

    @property
    def has_line_breaks(self) -> bool:
        """Whether some value has a line break."""
        return self._notes.breaks > 0 if self._repaired else self._texts[0].scan.lines > self._records

    def lines(self, rejects: Callable[[], bool]) -> _Lines:
        """The lines of records. To find them takes as long as to read the file, if they differ from the records'
        numbers: then only unread records and rows that `rejects` announces are worth it.
        """
        text = self._texts[0]
        is_shifted = bool(text.lines != self._records or text.lines_above or text.lines_under_header)
        if not (self._repaired or self._unread or (is_shifted and rejects())):
            return _Lines()
        if is_shifted and not self._repaired:
            self._repair(None)
        return _Lines(
            marks=self._copied("marks", "FROM temp.line_marks"),
            rejected=self._copied("rejected", f"SELECT DISTINCT record FROM ({_REJECTED_RECORDS})"),
            unread=self._copied("unread", self._unread_rows()) if self._unread else None,
        )

    def _copied(self, name: str, query: str) -> str:
        """SQL for the result of a query, which is copied to a file."""
        path = self._kept / f"{name}.parquet"
        self._connection.execute(f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet)")
        return f"(FROM read_parquet({exactly(path)}))"

    def _unread_rows(self) -> str:
        """As `TextRows.unread_rows`, once `line_marks` has the lines of records."""
        reasons = " ".join(
            f"WHEN {literal(fault)} THEN {literal(words.format(encoding=self._encoding))}"
            for fault, words in _PARSE_FAULTS.items()
        )
        return f"""
            SELECT line, reason, text, piece FROM temp.repair_rejects WHERE {self._repaired}
            UNION ALL BY NAME
            {
            _lines_of(
                f'''
                SELECT record,
                    CASE arg_min(CAST(error_type AS VARCHAR), byte_position) {reasons}
                    ELSE 'the row ' || arg_min(error_message, byte_position) END AS reason,
                    trim(any_value(csv_line), chr(13) || chr(10)) AS text
                FROM ({_REJECTED_RECORDS}) GROUP BY record
            ''',
                "temp.line_marks",
            )
        }
        """


# What DuckDB rejected, with the number of the record: of what it calls a line, blank lines count, and those inside
# quotes do not.
_REJECTED_RECORDS = f"""
    SELECT rejects.line - coalesce(line_marks.number - line_marks.record, 0) AS record,
        error_type, error_message, byte_position, csv_line
    FROM temp.{REJECTS_TABLE} AS rejects ASOF LEFT JOIN temp.line_marks ON rejects.line >= line_marks.number
"""


def _lines_of(records: str, marks: str) -> str:
    """SQL for some records (a column `record`, 1 is the first of the file), with their `line` and `piece` instead."""
    return f"""
        SELECT records.* EXCLUDE (record), records.record + coalesce(shift, 0) AS line, piece
        FROM ({records}) AS records ASOF LEFT JOIN {marks} AS line_marks ON records.record >= line_marks.record
    """


def _records_of(rows: str, first_row_line: int, rejected: str) -> str:
    """SQL for some rows with their `record` instead of `row_number`: unread records before a row move it down."""
    return f"""
        WITH gaps AS (
            SELECT record - number + 1 AS first_record, max(number) AS records
            FROM (SELECT record, row_number() OVER (ORDER BY record) AS number FROM {rejected})
            GROUP BY ALL
        ),
        rows AS (SELECT *, row_number + {first_row_line} - 1 AS read_as FROM ({rows}))
        SELECT rows.* EXCLUDE (row_number, read_as), read_as + coalesce(gaps.records, 0) AS record
        FROM rows ASOF LEFT JOIN gaps ON rows.read_as >= gaps.first_record
    """


def reading_options(text: Text) -> str:
    r"""Options of `read_csv` that are the same for all texts. Of the line ends, DuckDB reads `\r\n` rightly only when
    it detects it, and `\n` beside carriage returns inside quotes only when it is given.
    """
    newline = "new_line = '\\n', " if text.newline == "\n" else ""
    return (
        f"{newline}encoding = 'utf-8', compression = 'none', strict_mode = true, store_rejects = true, "
        f"rejects_table = {literal(REJECTS_TABLE)}, rejects_scan = {literal(REJECTS_SCANS)}"
    )


def restored(query: str, columns: Sequence[str], stand_ins: Mapping[str, str], *, repaired: bool) -> str:
    """The query with its values as they are in the file: characters that stand for others in the text (with SQL for
    the original) are replaced, and so are carriage returns in a repaired text.
    """
    replaced = {**({CARRIAGE_RETURN: "chr(13)"} if repaired else {}), **stand_ins}
    if not replaced:
        return query
    expressions = []
    for column in columns:
        expression = column
        for stand_in, original in replaced.items():
            expression = f"replace({expression}, {literal(stand_in)}, {original})"
        expressions.append(f"{expression} AS {column}")
    return f"(SELECT {', '.join(expressions)} FROM {query})"
