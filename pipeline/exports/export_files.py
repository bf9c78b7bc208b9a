"""The rows of `raw.export_files`: the status of each file."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from pipeline.exports.matching import MatchedFile, Unmatched
from pipeline.warehouse.loads import Load

Connection = duckdb.DuckDBPyConnection


@dataclass(frozen=True)
class LoadedFile:
    """The status of one file and layout. `rows` = events + `skipped` + `rejected` + `suppressed` (lookups: rows + the
    last two); `records` as in `WrittenRows`, suspect rows as in `ParsedFile`.
    """

    name: str
    export_date: date
    kind: str | None
    status: str
    rows: int = 0
    skipped: int = 0
    rejected: int = 0
    suppressed: int = 0
    reason: str | None = None
    records: int = 0
    suspect_rows: int = 0
    suspect_line: int | None = None
    layout: str | None = None


def record_file(
    connection: Connection, matched: MatchedFile, sha256: str | None, result: LoadedFile, load: Load
) -> None:
    """Insert the row of the file and its layout. Rows of former bytes, and of layouts that no longer match it, stay as
    `replaced`: models compute their span of time anew.
    """
    # A file that no layout matched may be recorded at another date: that of its modification.
    connection.execute(
        "UPDATE raw.export_files SET status = 'replaced' "
        "WHERE name = $1 AND (status = 'unmatched' OR export_date = $2 AND status <> 'replaced' "
        "AND NOT list_contains($3::VARCHAR[], coalesce(layout, ''))"
        + (" AND status <> 'loaded')" if result.status == "refused" else ")"),
        [matched.file.name, matched.export_date, matched.other_layouts],
    )
    values = vars(result) | {
        "size": matched.file.size,
        "sha256": sha256,
        "modified_at": matched.file.modified_at,
        "layout": matched.layout.name,
        "layout_fingerprint": matched.layout.fingerprint,
        "kind": matched.layout.kind,
        "exported_at": matched.exported_at,
        "loaded_at": load.at,
        "load_number": load.number,
    }
    connection.execute(
        f"""
        INSERT INTO raw.export_files BY NAME
        SELECT {", ".join(f"${name} AS {name}" for name in values)}, first_event_at, last_event_at
        FROM (
            SELECT min(occurred_at) AS first_event_at, max(occurred_at) AS last_event_at
            FROM raw.events
            WHERE export_date = $export_date AND file = $name AND layout = $layout AND event IS NOT NULL
        )
        """,
        values,
    )


def record_time(connection: Connection, matched: MatchedFile) -> None:
    """Record the newer time of unchanged bytes, so that the next discovery need not read them."""
    connection.execute(
        "UPDATE raw.export_files SET modified_at = ?, size = ? "
        "WHERE export_date = ? AND name = ? AND layout = ? AND status = 'loaded'",
        [matched.file.modified_at, matched.file.size, matched.export_date, matched.file.name, matched.layout.name],
    )


def record_unmatched(connection: Connection, unmatched: Sequence[Unmatched], load: Load) -> None:
    """Record all ignored files at once: a folder can contain tens of thousands. Rows that a file had while a layout
    matched it stay, and so does the row of their load.
    """
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE unmatched AS
        SELECT unnest($1::DATE[]) AS export_date, unnest($2::VARCHAR[]) AS name, unnest($3::BIGINT[]) AS size,
            unnest($4::TIMESTAMPTZ[]) AS modified_at, unnest($5::VARCHAR[]) AS reason
        """,
        [
            [each.export_date for each in unmatched],
            [each.file.name for each in unmatched],
            [each.file.size for each in unmatched],
            [each.file.modified_at for each in unmatched],
            [each.reason for each in unmatched],
        ],
    )
    connection.execute(
        """
        UPDATE raw.export_files SET status = 'replaced'
        WHERE status NOT IN ('replaced', 'loaded') AND (
            (export_date, name) IN (SELECT (export_date, name) FROM temp.unmatched)
            OR status = 'unmatched' AND name IN (SELECT name FROM temp.unmatched)
        )
        """
    )
    connection.execute(
        """
        INSERT INTO raw.export_files BY NAME
        SELECT *, 'unmatched' AS status, 0 AS rows, 0 AS skipped, 0 AS rejected, 0 AS suppressed, $1 AS loaded_at,
            $2 AS load_number
        FROM temp.unmatched
        """,
        [load.at, load.number],
    )
