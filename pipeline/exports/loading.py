"""Export files → `raw`: each file once, by its bytes; each date in one transaction."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipeline.dates import ExportDates
from pipeline.errors import FileRefused
from pipeline.exports.intake import FileKey, KnownFile, Look, is_known, known_files
from pipeline.exports.layouts import Layout
from pipeline.exports.locations import ExportLocation, LocalCopy
from pipeline.exports.matching import Landed, Unmatched
from pipeline.exports.reading import (
    REJECTS_SCANS,
    REJECTS_TABLE,
    Source,
    csv_source,
    event_rows,
    lookup_rows,
    missing_columns,
    ndjson_source,
    parse,
)
from pipeline.warehouse import literal, quoted, transaction

Connection = duckdb.DuckDBPyConnection

# DuckDB's words for a row that it can't parse, in a marketer's words.
PARSE_FAULTS = {
    "MISSING COLUMNS": "has fewer columns than the header",
    "TOO MANY COLUMNS": "has more columns than the header",
    "UNQUOTED VALUE": "has a quote that is not closed, or a quote inside a value that is not doubled",
    "INVALID ENCODING": "is not valid utf-8",
    "LINE SIZE OVER MAXIMUM": "is longer than 2 MB",
}


@dataclass(frozen=True)
class LoadedFile:
    """What became of one file. `rows` = events + `skipped` + `rejected` (lookups: rows + rejected)."""

    name: str
    export_date: date
    kind: str | None
    status: str
    rows: int = 0
    skipped: int = 0
    rejected: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class Loaded:
    """What became of the files of some dates."""

    files: Sequence[LoadedFile]
    unchanged: int

    def count(self, status: str) -> int:
        """Files with this status."""
        return sum(file.status == status for file in self.files)

    def total(self, number: str, *, lookups: bool = False) -> int:
        """Sum of `rows`, `skipped` or `rejected` over the files of events (or of lookups)."""
        return sum(getattr(file, number) for file in self.files if (file.kind != "events") == lookups)


@dataclass
class _Loader:
    connection: Connection
    location: ExportLocation
    now: datetime
    known: Mapping[FileKey, KnownFile]
    reload: bool
    log: Callable[[str], None]
    unchanged: int = 0
    refused: dict[FileKey, str] = field(default_factory=dict)


def load(
    connection: Connection,
    location: ExportLocation,
    look: Look,
    dates: ExportDates,
    *,
    reload: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    log: Callable[[str], None] = lambda _: None,
) -> Loaded:
    """Bring `raw` up to the files of these dates. A file whose bytes and layout are known is left alone, unless
    `reload`; a file that is gone from the location keeps its rows, and so does one whose new bytes are refused.
    """
    loader = _Loader(connection, location, clock(), known_files(connection), reload, log)
    by_date: dict[date, list[Landed]] = defaultdict(list)
    for seen in look.landed:
        if seen.export_date in dates:
            by_date[seen.export_date].append(seen)
    files: list[LoadedFile] = []
    for day in sorted(by_date):
        files += _load_date(loader, by_date[day])
    # Of whatever date they are: nobody asks for a run of a file that nothing can be made of.
    files += _note_unmatched(loader, look.unmatched)
    return Loaded(files, loader.unchanged)


def _load_date(loader: _Loader, landed: Sequence[Landed]) -> list[LoadedFile]:
    """All files of a date in one transaction; one that turns out unreadable is refused and the date begun again."""
    while True:
        unchanged = loader.unchanged
        try:
            with transaction(loader.connection):
                return [file for seen in landed if (file := _load_file(loader, seen)) is not None]
        except _Unreadable as error:
            loader.unchanged = unchanged
            loader.refused[error.key] = error.reason


class _Unreadable(Exception):
    def __init__(self, key: FileKey, reason: str) -> None:
        super().__init__(reason)
        self.key = key
        self.reason = reason


def _load_file(loader: _Loader, seen: Landed) -> LoadedFile | None:
    key = (seen.export_date, seen.file.name)
    before = loader.known.get(key)
    if not loader.reload and is_known(seen, loader.known):
        loader.unchanged += 1
        return None
    try:
        with loader.location.local(seen.file) as copy:
            return _take(loader, seen, copy, before)
    except FileNotFoundError:
        loader.log(f"{seen.file.name} went away before it was read")
        return None


def _take(loader: _Loader, seen: Landed, copy: LocalCopy, before: KnownFile | None) -> LoadedFile | None:
    key = (seen.export_date, seen.file.name)
    if key in loader.refused:
        result = LoadedFile(seen.file.name, seen.export_date, None, "refused", reason=loader.refused[key])
        _remember(loader, seen, copy, result)
        return result
    if not loader.reload and before is not None and before.has_bytes(copy.sha256, seen.layout):
        loader.unchanged += 1
        _touch(loader, seen)
        return None
    loader.log(f"reading {seen.file.name} ({seen.file.size / 1e6:.1f} MB) as {seen.layout.name}")
    try:
        result = _replace(loader, seen, copy)
    except FileRefused as error:
        raise _Unreadable(key, str(error)) from None
    except duckdb.Error as error:
        raise _Unreadable(key, f"can't be read as {seen.layout.format}: {str(error).splitlines()[0]}") from None
    _remember(loader, seen, copy, result)
    return result


def _replace(loader: _Loader, seen: Landed, copy: LocalCopy) -> LoadedFile:
    """The file's rows instead of those of its former bytes."""
    name, day = seen.file.name, seen.export_date
    for table in ("raw.events", "raw.rejected_rows", "raw.lookups"):
        loader.connection.execute(f"DELETE FROM {table} WHERE export_date = ? AND file = ?", [day, name])
    source = _source(copy, seen.layout)
    if source is None:
        return LoadedFile(name, day, seen.layout.kind, "loaded")
    warning = None
    if missing := missing_columns(source, seen.layout):
        warning = f"the header has no column {', '.join(map(repr, missing))}; taken as empty"
    for table in (REJECTS_TABLE, REJECTS_SCANS):
        loader.connection.execute(f"DROP TABLE IF EXISTS temp.{quoted(table)}")
    fill = _fill_events if seen.layout.kind == "events" else _fill_lookups
    with TemporaryDirectory() as folder:
        parsed = parse(loader.connection, source, Path(folder) / "rows.parquet")
        rows, skipped, rejected = fill(loader, seen, source, parsed)
    return LoadedFile(name, day, seen.layout.kind, "loaded", rows, skipped, rejected, warning)


def _source(copy: LocalCopy, layout: Layout) -> Source | None:
    if copy.path.stat().st_size == 0:
        return None
    return csv_source(copy, layout) if layout.format == "csv" else ndjson_source(copy, layout)


def _which_file(loader: _Loader, seen: Landed) -> str:
    """SQL columns that are the same in every row of a file."""
    return (
        f"DATE '{seen.export_date}' AS export_date, {literal(seen.file.name)} AS file, "
        f"TIMESTAMPTZ '{seen.exported_at.isoformat()}' AS exported_at, "
        f"TIMESTAMPTZ '{loader.now.isoformat()}' AS loaded_at"
    )


def _fill_events(loader: _Loader, seen: Landed, source: Source, parsed: str) -> tuple[int, int, int]:
    loader.connection.execute(
        f"INSERT INTO raw.events BY NAME SELECT {_which_file(loader, seen)}, "
        f"{literal(seen.layout.name)} AS layout, * FROM ({event_rows(parsed, source, seen.layout, seen.export_date)})"
    )
    place = [seen.export_date, seen.file.name]
    counted = loader.connection.execute(
        "SELECT count(*), count(*) FILTER (event IS NULL AND rejected_because IS NULL), count(rejected_because) "
        "FROM raw.events WHERE export_date = ? AND file = ?",
        place,
    ).fetchone()
    assert counted is not None  # an aggregate always has its row
    unread = _note_unread(loader, seen)
    if counted[2]:
        text = _text_of_stored(source, seen.layout)
        _note_rejected(
            loader,
            seen,
            source,
            f"SELECT row_number, rejected_because, {text} AS text FROM raw.events "
            f"WHERE export_date = DATE '{seen.export_date}' AND file = {literal(seen.file.name)} "
            "AND rejected_because IS NOT NULL",
        )
    return counted[0] + unread, counted[1], counted[2] + unread


def _text_of_stored(source: Source, layout: Layout) -> str:
    """SQL over `raw.events` for a row's text in the order of the file."""
    meanings = {column.lower(): quoted(meaning) for column, meaning in layout.columns.items()}
    if layout.format == "ndjson":
        stored_as = layout.columns | ({layout.event_column: "event_code"} if layout.event_column else {})
        mapped = ", ".join(f"{literal(column)}, {quoted(meaning)}" for column, meaning in stored_as.items())
        return (
            f"CASE WHEN json_type(extra) = 'VARCHAR' THEN extra ->> '$' "
            f"ELSE CAST(json_merge_patch(coalesce(extra, '{{}}'), json_object({mapped})) AS VARCHAR) END"
        )
    if layout.event_column:
        meanings.setdefault(layout.event_column.lower(), "event_code")
    stored = []
    for name in source.columns:
        pointer = literal("/" + name.replace("~", "~0").replace("/", "~1"))
        stored.append(f"coalesce({meanings.get(name.lower(), f'extra ->> {pointer}')}, '')")
    return f"concat_ws({literal(layout.delimiter)}, {', '.join(stored)})"


def _fill_lookups(loader: _Loader, seen: Landed, source: Source, parsed: str) -> tuple[int, int, int]:
    loader.connection.execute(
        f"CREATE OR REPLACE TEMP TABLE lookup_rows AS SELECT {_which_file(loader, seen)}, "
        f"{literal(seen.layout.kind)} AS kind, * FROM ({lookup_rows(parsed, source, seen.layout)})"
    )
    loader.connection.execute(
        "INSERT INTO raw.lookups BY NAME "
        "SELECT * EXCLUDE (text, rejected_because) FROM temp.lookup_rows WHERE rejected_because IS NULL"
    )
    counted = loader.connection.execute("SELECT count(*), count(rejected_because) FROM temp.lookup_rows").fetchone()
    assert counted is not None  # an aggregate always has its row
    unread = _note_unread(loader, seen)
    _note_rejected(
        loader,
        seen,
        source,
        "SELECT row_number, rejected_because, text FROM temp.lookup_rows WHERE rejected_because IS NOT NULL",
    )
    return counted[0] + unread, 0, counted[1] + unread


def _note_unread(loader: _Loader, seen: Landed) -> int:
    """Rows that CSV parsing gave up on, with DuckDB's line and our words; how many there were."""
    reasons = " ".join(f"WHEN {literal(fault)} THEN {literal(words)}" for fault, words in PARSE_FAULTS.items())
    inserted = loader.connection.execute(
        f"INSERT INTO raw.rejected_rows BY NAME SELECT DATE '{seen.export_date}' AS export_date, "
        f"{literal(seen.file.name)} AS file, line, "
        f"'the row ' || CASE arg_min(CAST(error_type AS VARCHAR), byte_position) {reasons} "
        "ELSE arg_min(error_message, byte_position) END AS reason, "
        f"trim(any_value(csv_line), chr(13) || chr(10)) AS text, TIMESTAMPTZ '{loader.now.isoformat()}' AS loaded_at "
        f"FROM temp.{REJECTS_TABLE} GROUP BY line"
    ).fetchone()
    return int(inserted[0]) if inserted else 0


def _note_rejected(loader: _Loader, seen: Landed, source: Source, rows: str) -> None:
    """Rows that were read and not understood. Their line: rows are numbered as they were read, so every line that
    could not be read and stands before one moves it down by one.
    """
    loader.connection.execute(
        f"""
        INSERT INTO raw.rejected_rows BY NAME
        WITH shifts AS (
            SELECT line - number + 1 AS first_line, max(number) AS lines
            FROM (SELECT line, row_number() OVER (ORDER BY line) AS number FROM
                (SELECT DISTINCT line FROM temp.{REJECTS_TABLE}))
            GROUP BY ALL
        ),
        rejected AS (SELECT *, row_number + {source.first_row_line} - 1 AS read_line FROM ({rows}))
        SELECT
            DATE '{seen.export_date}' AS export_date, {literal(seen.file.name)} AS file,
            read_line + coalesce(shifts.lines, 0) AS line, rejected_because AS reason, text,
            TIMESTAMPTZ '{loader.now.isoformat()}' AS loaded_at
        FROM rejected ASOF LEFT JOIN shifts ON rejected.read_line >= shifts.first_line
        """
    )


def _remember(loader: _Loader, seen: Landed | Unmatched, copy: LocalCopy | None, result: LoadedFile) -> None:
    """The file's row in `raw.export_files`. Rows of former bytes stay as `replaced`: they tell which span of time
    the models have to look at again.
    """
    place = [seen.export_date, seen.file.name]
    loader.connection.execute(
        "UPDATE raw.export_files SET status = 'replaced' WHERE export_date = ? AND name = ? AND status <> 'replaced'"
        + (" AND status <> 'loaded'" if result.status == "refused" else ""),
        place,
    )
    # A file that no layout matched was noted at another date perhaps: that of its modification.
    loader.connection.execute(
        "UPDATE raw.export_files SET status = 'replaced' WHERE name = ? AND status = 'unmatched'", [seen.file.name]
    )
    layout = seen.layout if isinstance(seen, Landed) else None
    loader.connection.execute(
        """
        INSERT INTO raw.export_files BY NAME
        SELECT
            ? AS export_date, ? AS name, ? AS size, ? AS sha256, ? AS modified_at, ? AS layout,
            ? AS layout_fingerprint, ? AS kind, ? AS exported_at, ? AS status, ? AS reason, ? AS rows, ? AS skipped,
            ? AS rejected, first_event_at, last_event_at, ? AS loaded_at
        FROM (
            SELECT min(occurred_at) AS first_event_at, max(occurred_at) AS last_event_at
            FROM raw.events WHERE export_date = ? AND file = ? AND event IS NOT NULL
        )
        """,
        [
            *place,
            seen.file.size,
            copy.sha256 if copy else None,
            seen.file.modified_at,
            layout.name if layout else None,
            layout.fingerprint if layout else None,
            layout.kind if layout else None,
            seen.exported_at if isinstance(seen, Landed) else None,
            result.status,
            result.reason,
            result.rows,
            result.skipped,
            result.rejected,
            loader.now,
            *place,
        ],
    )


def _touch(loader: _Loader, seen: Landed) -> None:
    """Same bytes, newer time: only the time is noted, so that the next look needs no reading."""
    loader.connection.execute(
        "UPDATE raw.export_files SET modified_at = ?, size = ? "
        "WHERE export_date = ? AND name = ? AND status = 'loaded'",
        [seen.file.modified_at, seen.file.size, seen.export_date, seen.file.name],
    )


def _note_unmatched(loader: _Loader, strangers: Sequence[Unmatched]) -> list[LoadedFile]:
    new = [seen for seen in strangers if not is_known(seen, loader.known)]
    loader.unchanged += len(strangers) - len(new)
    results = [LoadedFile(seen.file.name, seen.export_date, None, "unmatched", reason=seen.reason) for seen in new]
    if new:
        with transaction(loader.connection):
            for seen, result in zip(new, results, strict=True):
                _remember(loader, seen, None, result)
    return results
