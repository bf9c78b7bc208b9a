"""The rows of one file into the tables of `raw`: accepted, skipped, or put aside with a reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from pipeline.errors import FileRefused
from pipeline.exports.formats.csv_surroundings import framed, header_of, trailer_in
from pipeline.exports.formats.csv_swallowed_rows import swallowing_rows
from pipeline.exports.formats.relation import Source
from pipeline.exports.headers import unique_names
from pipeline.exports.layouts import Layout, key_of
from pipeline.exports.locations import LocalCopy
from pipeline.exports.matching import MatchedFile
from pipeline.exports.parsing import FileParser, Parsed, lines_of, records_of
from pipeline.exports.row_rules import event_rows, lookup_rows, missing_columns
from pipeline.exports.suppression_filter import keep_out, keep_out_unread
from pipeline.exports.transcoding import Text, texts
from pipeline.privacy.suppression import learn_contacts
from pipeline.warehouse import literal, quoted
from pipeline.warehouse.loads import Load


@dataclass(frozen=True)
class Filled:
    """What one file's rows became: `rows` = events + `skipped` + `rejected` + `suppressed`; a warning, where something
    is odd. `records` were counted another way; in `suspect_rows`, from `suspect_line` on, a value looks like rows.
    `trailer` is the last line, if it is rather one that sums up the file than a row.
    """

    rows: int = 0
    skipped: int = 0
    rejected: int = 0
    suppressed: int = 0
    records: int = 0
    suspect_rows: int = 0
    suspect_line: int | None = None
    warning: str | None = None
    trailer: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class FileRows:
    """A file that is parsed: the layout that its rows have, and its texts; `parsed` is None where there are none."""

    layout: Layout
    texts: Sequence[Text]
    parser: FileParser | None = None
    parsed: Parsed | None = None


def rows_of(
    connection: duckdb.DuckDBPyConnection,
    matched: MatchedFile,
    copy: LocalCopy,
    first_part: Sequence[Text],
    folder: Path,
) -> FileRows:
    """Parse a file; no table of `raw` is changed. `first_part` has its header, where it is a further part of an export;
    `folder` is for what is needed meanwhile.

    Raises:
        FileRefused: nothing can be made of it.
        duckdb.Error: the machine or the store failed.
    """
    found = texts(copy.path, matched.layout, folder)
    if not found:
        return FileRows(matched.layout, found)
    layout = _of_further_part(matched.layout, found, first_part)
    if layout.format == "csv":
        found = [
            framed(text, layout, folder / f"{number}.framed.txt", found[0] if number else None)
            for number, text in enumerate(found)
        ]
    parser = FileParser(connection, layout, found, folder)
    return FileRows(layout, found, parser, parser.parse())


def fill(
    connection: duckdb.DuckDBPyConnection, matched: MatchedFile, rows: FileRows, load: Load, *, suppressing: bool
) -> Filled:
    """Put a file's rows into `raw`. `suppressing`: rows of people on the list are counted and not kept.

    Raises:
        FileRefused: some of its rows are missing.
        duckdb.DataError: nothing can be computed with one of its values.
        duckdb.Error: the machine or the store failed.
    """
    if not rows.texts:
        return Filled(warning="it is an archive with no file in it")
    if rows.parsed is None or rows.parser is None:
        return Filled()
    layout, parsed = rows.layout, rows.parsed
    filler = _Filler(connection, matched, layout, rows.parser, parsed, load, suppressing)
    if matched.layout.kind == "events":
        filler.fill_events()
    else:
        filler.fill_lookups()
    filled = filler.filled
    if filled.rows != parsed.records:
        raise FileRefused(
            f"it has {parsed.records:,} rows, counted by their line breaks, but {filled.rows:,} were read; none "
            "of them is kept. Have it sent again, in files below 1 GB"
        )
    filler.look_for_swallowed_rows()
    warning = None
    if missing := missing_columns(parsed.source, matched.layout):
        warning = f"the header has no column {', '.join(map(repr, missing))}; taken as empty"
    trailer = trailer_in(rows.texts, layout, len(parsed.source.columns)) if layout.format == "csv" else None
    return replace(filler.filled, records=parsed.records, warning=warning, trailer=trailer)


def _of_further_part(layout: Layout, found: Sequence[Text], first_part: Sequence[Text]) -> Layout:
    """The layout of a part that has no header of its own: it takes its names from the first."""
    if not first_part or not found:
        return layout
    names, _ = header_of(first_part[0], layout)
    if names is None or header_of(found[0], layout)[0] == names:
        return layout
    return layout.model_copy(update={"header": unique_names(names)})


class _Filler:
    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        matched: MatchedFile,
        layout: Layout,
        parser: FileParser,
        parsed: Parsed,
        load: Load,
        suppressing: bool,
    ) -> None:
        self._connection = connection
        self._layout = layout
        self._parser = parser
        self._parsed = parsed
        self._load = load
        self._suppressing = suppressing
        self.filled = Filled()
        self._file = f"DATE '{matched.export_date}' AS export_date, {literal(matched.file.name)} AS file"
        self._export = f"{literal(matched.export)} AS export"
        self._exported_at = f"TIMESTAMPTZ '{matched.exported_at.isoformat()}' AS exported_at"
        self._loaded_at = f"TIMESTAMPTZ '{load.at.isoformat()}' AS loaded_at"
        self._export_date = matched.export_date
        self._is_file = f"export_date = DATE '{matched.export_date}' AND file = {literal(matched.file.name)}"

    def fill_events(self) -> None:
        rows = event_rows(self._parsed.rows, self._parsed.source, self._layout, self._export_date)
        rows, suppressed = keep_out(self._connection, rows) if self._suppressing else (rows, 0)
        self._connection.execute(
            f"INSERT INTO raw.events BY NAME SELECT {self._file}, {self._export}, {self._exported_at}, "
            f"{self._loaded_at}, {literal(self._layout.name)} AS layout, * FROM ({rows})"
        )
        read, skipped, rejected = self._counted(
            "SELECT count(*), count(*) FILTER (event IS NULL AND rejected_because IS NULL), count(rejected_because) "
            f"FROM raw.events WHERE {self._is_file}"
        )
        self.filled = Filled(read + suppressed, skipped, rejected, suppressed)
        text = _text_of_stored(self._parsed.source, self._layout)
        self._put_aside(
            f"SELECT row_number, rejected_because AS reason, {text} AS text FROM raw.events "
            f"WHERE {self._is_file} AND rejected_because IS NOT NULL"
        )

    def fill_lookups(self) -> None:
        rows, suppressed = lookup_rows(self._parsed.rows, self._parsed.source, self._layout), 0
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
        read, rejected = self._counted("SELECT count(*), count(rejected_because) FROM temp.lookup_rows")
        self.filled = Filled(read + suppressed, 0, rejected, suppressed)
        self._put_aside(
            "SELECT row_number, rejected_because AS reason, text FROM temp.lookup_rows "
            "WHERE rejected_because IS NOT NULL"
        )

    def look_for_swallowed_rows(self) -> None:
        """Note the rows in which a quoted value looks like several rows."""
        if self._layout.format != "csv" or self._layout.quote is None or not self._parser.has_line_breaks:
            return
        found = swallowing_rows(self._parsed.rows, self._parsed.source, self._layout)
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE swallowing_rows AS {found}")
        (rows,) = self._counted("SELECT count(*) FROM temp.swallowing_rows")
        if rows:
            self._parser.locate_lines()
            first = "SELECT min(row_number) AS row_number FROM temp.swallowing_rows"
            lines = lines_of(records_of(first, self._parsed.source.first_row_line))
            (line,) = self._counted(f"SELECT line FROM ({lines})")
            self.filled = replace(self.filled, suspect_rows=rows, suspect_line=line)

    def _counted(self, query: str) -> tuple[int, ...]:
        found = self._connection.execute(query).fetchone()
        assert found is not None  # an aggregate always has its row
        return found

    def _put_aside(self, not_understood: str) -> None:
        """What is no row, and rows that were read and not understood, as `raw.rejected_rows` has them."""
        if not self.filled.rejected and not self._parsed.unread:
            return
        self._parser.locate_lines()
        unread, withheld = self._parser.unread_rows(), 0
        if self._suppressing:
            unread, withheld = keep_out_unread(self._connection, unread)
        records = records_of(not_understood, self._parsed.source.first_row_line)
        self._connection.execute(
            f"""
            INSERT INTO raw.rejected_rows BY NAME
            SELECT
                {self._file}, line, text, {self._loaded_at},
                CASE WHEN piece IS NOT NULL THEN 'in ' || piece || ': ' ELSE '' END || reason AS reason
            FROM ({unread} UNION ALL BY NAME {lines_of(records)})
            """
        )
        self.filled = replace(
            self.filled,
            rows=self.filled.rows + self._parsed.unread,
            rejected=self.filled.rejected + self._parsed.unread - withheld,
            suppressed=self.filled.suppressed + withheld,
        )


def _text_of_stored(source: Source, layout: Layout) -> str:
    """SQL over `raw.events` for a row's text in the order of the file."""
    meanings = {key_of(column): quoted(meaning) for column, meaning in layout.columns.items()}
    if layout.format == "ndjson":
        stored_as = layout.columns | ({layout.event_column: "event_code"} if layout.event_column else {})
        mapped = ", ".join(f"{literal(column)}, {quoted(meaning)}" for column, meaning in stored_as.items())
        return (
            f"CASE WHEN json_type(extra) = 'VARCHAR' THEN extra ->> '$' "
            f"ELSE CAST(json_merge_patch(coalesce(extra, '{{}}'), json_object({mapped})) AS VARCHAR) END"
        )
    if layout.event_column:
        meanings.setdefault(key_of(layout.event_column), "event_code")
    stored = []
    for name in source.columns:
        pointer = literal("/" + name.replace("~", "~0").replace("/", "~1"))
        stored.append(f"coalesce({meanings.get(key_of(name), f'extra ->> {pointer}')}, '')")
    return f"concat_ws({literal(layout.delimiter)}, {', '.join(stored)})"
