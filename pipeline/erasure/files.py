"""Erasure from files: deleted rows leave no bytes behind for those who read files instead of tables."""

import sqlite3
from pathlib import Path

import duckdb

from pipeline.catalog import CALLS_BY_TABLE
from pipeline.erasure.byte_search import ByteSearch
from pipeline.erasure.search_terms import count_in_parquet, naming
from pipeline.errors import WarehouseError
from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Ledger
from pipeline.privacy.digests import is_suppressed
from pipeline.segment.bodies import BodyReader
from pipeline.segment.dry_run import write_requests
from pipeline.warehouse import ALIAS, BUSY_TIMEOUT_MS, Warehouse, find_orphans, literal, remove_files, transaction

Connection = duckdb.DuckDBPyConnection
# SQL for whether a message belongs to a suppressed person. A message may lack the address that identifies the person;
# but then the outbox has its event no longer.
_IS_ERASED = "(payload ->> '$.messageId') NOT IN (SELECT id FROM delivery.outbox)"
_OF_SUPPRESSED = is_suppressed(
    "(payload ->> '$.userId')",
    "(payload ->> '$.context.traits.email')",
    "(payload ->> '$.context.selligent.list_id')",
    "(payload ->> '$.context.selligent.user_id')",
)
# Later than the time of any snapshot or file, whatever its clock.
_FAR_FUTURE = "TIMESTAMPTZ '9999-12-31'"


def files_below(folder: Path) -> list[Path]:
    """Every file below a folder; none where there is no folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


def bodies_naming_people(connection: Connection, folder: Path) -> tuple[list[Path], int]:
    """Request bodies of the dry run with messages of these people, and the number of these messages."""
    bodies = [str(path) for path in files_below(folder) if path.suffix == ".json"]
    if not bodies:
        return [], 0
    listed = ", ".join(literal(body) for body in bodies)
    messages = (
        "(SELECT filename, CAST(payload AS VARCHAR) AS payload FROM (SELECT filename, unnest(batch) AS payload "
        f"FROM read_json([{listed}], columns = {{batch: 'JSON[]'}}, filename = true)))"
    )
    names_people = naming(connection, "naming_messages", messages, "payload")
    rows = connection.execute(
        f"SELECT filename, count(*) FROM {messages} "
        f"WHERE {_OF_SUPPRESSED} OR {_IS_ERASED} OR {names_people} GROUP BY filename"
    ).fetchall()
    return [Path(name) for name, _ in rows], sum(count for _, count in rows)


def forget_bodies(
    connection: Connection, reader: BodyReader, ledger: Ledger, folder: Path, search: ByteSearch, *, write_again: bool
) -> int:
    """Delete request bodies that name these people, and rewrite the remaining messages. Returns their number."""
    of_them, messages = bodies_naming_people(connection, folder)
    for path in files_below(folder):
        if path in of_them or search.found_in(path):
            path.unlink()
    if write_again and folder.is_dir():
        for table in CALLS_BY_TABLE:
            write_requests(reader, ledger, folder, table, EVERY_DATE)
    return messages


def forget_old_snapshots(connection: Connection, files: str) -> int:
    """Rewrite a DuckLake's files without deleted rows, and remove the old files. Returns their number.

    All old snapshots expire, since they keep deleted rows. Orphans below `files` are removed if they are of its tables.
    """
    expire = f"CALL ducklake_expire_snapshots('{ALIAS}', older_than => {_FAR_FUTURE})"
    connection.execute(expire)
    # The catalog itself contains inlined rows, deleted ones too.
    with transaction(connection):
        connection.execute(f"CALL ducklake_flush_inlined_data('{ALIAS}')")
    with transaction(connection):
        connection.execute(f"CALL ducklake_rewrite_data_files('{ALIAS}', delete_threshold => 0)")
    connection.execute(expire)
    old = connection.execute(f"CALL ducklake_cleanup_old_files('{ALIAS}', cleanup_all => true)").fetchall()
    # Files of a killed process that no catalog refers to.
    orphans = find_orphans(connection, files, older_than=_FAR_FUTURE)
    theirs = [path for path in orphans.ours if _is_cut_off(connection, path) or count_in_parquet(connection, [path])]
    remove_files(theirs)
    return len(old) + len(theirs)


def _is_cut_off(connection: Connection, path: str) -> bool:
    """Whether a Parquet file is truncated by a kill or a full disk: unreadable, it may still contain data of people."""
    try:
        connection.execute("SELECT 1 FROM parquet_file_metadata(?)", [path])
    except duckdb.InvalidInputException:
        return True
    return False


def rewrite_duckdb(warehouse: Warehouse) -> None:
    """Rewrite a plain DuckDB file: in the old one, deleted rows stay in unreferenced blocks."""
    file = Path(warehouse.location)
    fresh = file.with_name(f"{file.name}.forgetting")
    fresh.unlink(missing_ok=True)
    with warehouse.writing_in_turn() as connection:
        connection.execute(f"ATTACH {literal(str(fresh))} AS fresh")
        connection.execute(f"COPY FROM DATABASE {ALIAS} TO fresh")
        connection.execute("DETACH fresh")
    fresh.replace(file)


def compact_sqlite(path: Path) -> None:
    """Rewrite a SQLite file, which keeps deleted rows; WarehouseError where another process keeps reading it."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT_MS / 1000)
        try:
            connection.execute("VACUUM")
            blocked = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.OperationalError as error:
        raise WarehouseError(
            f"{path} can't be rewritten ({error}); stop the processes that read it, and try again"
        ) from None
    if blocked:
        raise WarehouseError(f"{path} can't be rewritten: another process reads it; stop it, and try again")
