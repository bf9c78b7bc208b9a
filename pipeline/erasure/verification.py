"""Verification that people are erased: every table is queried, and every byte of every file is searched."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb

from pipeline.erasure.byte_search import ByteSearch
from pipeline.erasure.search_terms import count_extremes, count_in, count_in_parquet, longer_values, tables_of
from pipeline.ledger import Ledger
from pipeline.warehouse import CATALOG, Warehouse, one_column, quoted

Connection = duckdb.DuckDBPyConnection


def in_tables(connection: Connection) -> dict[str, int]:
    """How often search terms are found, by table of the warehouse."""
    return {table: count_in(connection, table) for table in tables_of(connection)}


def in_parquet(connection: Connection, warehouse: Warehouse) -> int:
    """How often search terms are in Parquet files, orphans included: by rows and statistics, not compressed bytes."""
    pattern = f"{warehouse.files.rstrip('/')}/**/*.parquet"
    by_table: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for path in one_column(connection, "SELECT file FROM glob(?)", [pattern]):
        by_table[tuple(path.removeprefix(warehouse.files).strip("/").split("/")[:2])].append(path)
    return sum(count_in_parquet(connection, paths) for paths in by_table.values())


def in_catalog(connection: Connection) -> int:
    """How often search terms are found in a DuckLake's catalog: in inlined rows, deleted or not, and in statistics."""
    inlined = one_column(connection, f"SELECT table_name FROM {CATALOG}.ducklake_inlined_data_tables")
    found = sum(count_in(connection, f"{CATALOG}.{quoted(table)}") for table in inlined)
    for statistics in ("ducklake_file_column_stats", "ducklake_table_column_stats"):
        found += count_extremes(
            connection,
            f"SELECT column_name, min_value, max_value FROM {CATALOG}.{statistics} "
            f"JOIN {CATALOG}.ducklake_column USING (table_id, column_id)",
        )
    return found


def in_ledger(connection: Connection, ledger: Ledger) -> int:
    """How often search terms are found in the ledger's texts."""
    connection.register("ledger_texts", ledger.texts())
    found = count_in(connection, "ledger_texts")
    connection.unregister("ledger_texts")
    return found


def in_bytes(
    connection_of: Callable[[], AbstractContextManager[Connection]],
    search: ByteSearch,
    locations: Mapping[str, list[Path]],
    excluded: list[Path],
) -> dict[str, list[Path]]:
    """By location, the files that contain a search term. `excluded` are the list and the exports.

    This process must not have a database open meanwhile: SQLite's locks are lost when its file is closed. So
    `connection_of` opens the warehouse in between, to find longer values that contain one of these.
    """
    found = {
        location: {path: search.found_in(path) for path in paths if not _is_any(path, excluded)}
        for location, paths in locations.items()
    }
    values = {value for paths in found.values() for here in paths.values() for value in here}
    if not values:
        return {location: [] for location in locations}
    with connection_of() as connection:
        longer = longer_values(connection, sorted(values))
    suspects = ByteSearch(values)
    return {
        location: [path for path, here in paths.items() if here and suspects.found_in(path, longer)]
        for location, paths in found.items()
    }


def _is_any(path: Path, others: list[Path]) -> bool:
    return any(path == other or other in path.parents for other in others)


def with_companions(path: Path | None) -> list[Path]:
    """A database's file with its write-ahead log and similar files."""
    return [] if path is None else sorted(other for other in path.parent.glob(f"{path.name}*") if other.is_file())
