"""Write the rows of one file and layout into the tables of `raw`: accepted, skipped, or rejected with a reason."""

from dataclasses import dataclass, replace

import duckdb

from pipeline.errors import FileRefused
from pipeline.exports.formats.rows import FileRows
from pipeline.exports.matching import MatchedFile
from pipeline.exports.row_rules import event_rows, lookup_rows, what_is_missing
from pipeline.exports.suppression_filter import keep_out, keep_out_unread
from pipeline.privacy.suppression import learn_contacts
from pipeline.warehouse import literal, one_row
from pipeline.warehouse.loads import Load


@dataclass(frozen=True)
class WrittenRows:
    """The numbers of one file's rows: `rows` = events + `skipped` + `rejected` + `suppressed`.

    `records` is an independent count of the rows. `warning` is what to review in a loaded file.
    """

    rows: int = 0
    skipped: int = 0
    rejected: int = 0
    suppressed: int = 0
    records: int = 0
    warning: str | None = None


def write_rows(
    connection: duckdb.DuckDBPyConnection, matched: MatchedFile, rows: FileRows, load: Load, *, suppressing: bool
) -> WrittenRows:
    """Write a file's rows into `raw`; if `suppressing`, rows of people on the list are counted and not kept.

    Raises:
    FileRefused: some of its rows are missing.
    duckdb.Error: a DataError for a value that can't be computed with; others where the machine or the store failed.
    """
    writer = _RowWriter(connection, matched, rows, load, suppressing)
    if matched.layout.kind == "events":
        writer.write_events()
    else:
        writer.write_lookups()
    if writer.written.rows != rows.records:
        raise FileRefused(
            f"it has {rows.records:,} rows, counted by {rows.counted_by}, but {writer.written.rows:,} were read; none "
            "of them is kept. Have it sent again, in files below 1 GB"
        )
    return replace(writer.written, records=rows.records, warning=what_is_missing(rows, matched.layout))


class _RowWriter:
    def __init__(
        self, connection: duckdb.DuckDBPyConnection, matched: MatchedFile, rows: FileRows, load: Load, suppressing: bool
    ) -> None:
        self._connection = connection
        self._layout = matched.layout
        self._rows = rows
        self._load = load
        self._suppressing = suppressing
        self.written = WrittenRows()
        self._file = (
            f"DATE '{matched.export_date}' AS export_date, {literal(matched.file.name)} AS file, "
            f"{literal(matched.layout.name)} AS layout"
        )
        self._export = f"{literal(matched.export)} AS export"
        self._exported_at = f"TIMESTAMPTZ '{matched.exported_at.isoformat()}' AS exported_at"
        self._loaded_at = f"TIMESTAMPTZ '{load.at.isoformat()}' AS loaded_at"
        self._export_date = matched.export_date
        self._is_file = (
            f"export_date = DATE '{matched.export_date}' AND file = {literal(matched.file.name)} "
            f"AND layout = {literal(matched.layout.name)}"
        )

    def write_events(self) -> None:
        rows = event_rows(self._rows, self._layout, self._export_date)
        rows, suppressed = keep_out(self._connection, rows) if self._suppressing else (rows, 0)
        self._connection.execute(
            f"INSERT INTO raw.events BY NAME SELECT {self._file}, {self._export}, {self._exported_at}, "
            f"{self._loaded_at}, * FROM ({rows})"
        )
        read, skipped, rejected = one_row(
            self._connection,
            "SELECT count(*), count(*) FILTER (event IS NULL AND rejected_because IS NULL), count(rejected_because) "
            f"FROM raw.events WHERE {self._is_file}",
        )
        self.written = WrittenRows(read + suppressed, skipped, rejected, suppressed)
        self._write_rejected(
            f"SELECT row_number, rejected_because AS reason, {self._rows.stored_text} AS text FROM raw.events "
            f"WHERE {self._is_file} AND rejected_because IS NOT NULL"
        )

    def write_lookups(self) -> None:
        rows, suppressed = lookup_rows(self._rows, self._layout, self._export_date), 0
        if self._suppressing:
            if self._layout.kind == "contacts":
                learn_contacts(self._connection, rows, self._load.at)
            rows, suppressed = keep_out(self._connection, rows)
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE lookup_rows AS SELECT {self._file}, {self._exported_at}, "
            f"{self._loaded_at}, {self._load.number} AS load_number, {literal(self._layout.kind)} AS kind, * "
            f"FROM ({rows})"
        )
        self._connection.execute(
            "INSERT INTO raw.lookups BY NAME "
            "SELECT * EXCLUDE (text, rejected_because) FROM temp.lookup_rows WHERE rejected_because IS NULL"
        )
        read, rejected = one_row(self._connection, "SELECT count(*), count(rejected_because) FROM temp.lookup_rows")
        self.written = WrittenRows(read + suppressed, 0, rejected, suppressed)
        self._write_rejected(
            "SELECT row_number, rejected_because AS reason, text FROM temp.lookup_rows "
            "WHERE rejected_because IS NOT NULL"
        )

    def _write_rejected(self, rejected_rows: str) -> None:
        """Write the records that are not rows, and the rejected rows (SQL), into `raw.rejected_rows`."""
        if not self.written.rejected and not self._rows.unread:
            return
        rejected, withheld = self._rows.located(rejected_rows), 0
        if (unread := self._rows.unread_rows()) is not None:
            if self._suppressing:
                unread, withheld = keep_out_unread(self._connection, unread)
            rejected = f"{unread} UNION ALL BY NAME {rejected}"
        self._connection.execute(
            f"""
            INSERT INTO raw.rejected_rows BY NAME
            SELECT
                {self._file}, line, text, {self._loaded_at},
                CASE WHEN piece IS NOT NULL THEN 'in ' || piece || ': ' ELSE '' END || reason AS reason
            FROM ({rejected})
            """
        )
        self.written = replace(
            self.written,
            rows=self.written.rows + self._rows.unread,
            rejected=self.written.rejected + self._rows.unread - withheld,
            suppressed=self.written.suppressed + withheld,
        )
