"""Whether the people are gone: every table is asked, and every byte of every file is looked at."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

import duckdb

from pipeline.erasure.byte_search import ByteSearch
from pipeline.erasure.files import naming_bodies
from pipeline.erasure.search_terms import count_extremes, count_in, count_in_parquet, longer_values, tables_of
from pipeline.errors import WarehouseError
from pipeline.ledger import Ledger
from pipeline.warehouse import CATALOG, Warehouse, quoted

Connection = duckdb.DuckDBPyConnection


def in_tables(connection: Connection) -> dict[str, int]:
    """By table of the warehouse, how often a value is found."""
    return {table: count_in(connection, table) for table in tables_of(connection)}


def in_parquet(connection: Connection, warehouse: Warehouse) -> int:
    """How often a value is found in Parquet files, whether or not the catalog knows them: in their rows, and among
    the least and greatest values that they note. Their bytes are packed, so a search among those would tell nothing.
    """
    pattern = f"{warehouse.files.rstrip('/')}/**/*.parquet"
    by_table: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for (path,) in connection.execute("SELECT file FROM glob(?)", [pattern]).fetchall():
        by_table[tuple(path.removeprefix(warehouse.files).strip("/").split("/")[:2])].append(path)
    found = 0
    for paths in by_table.values():
        found += count_in_parquet(connection, paths)
    return found


def in_catalog(connection: Connection) -> int:
    """How often a value is found in a DuckLake's catalog: in rows that lie there, live or not, and in statistics."""
    inlined = connection.execute(f"SELECT table_name FROM {CATALOG}.ducklake_inlined_data_tables").fetchall()
    found = sum(count_in(connection, f"{CATALOG}.{quoted(table)}") for (table,) in inlined)
    for statistics in ("ducklake_file_column_stats", "ducklake_table_column_stats"):
        found += count_extremes(
            connection,
            f"SELECT column_name, min_value, max_value FROM {CATALOG}.{statistics} "
            f"JOIN {CATALOG}.ducklake_column USING (table_id, column_id)",
        )
    return found


def in_ledger(connection: Connection, ledger: Ledger) -> int:
    """How often a value is found in the ledger's texts."""
    connection.register("ledger_texts", ledger.texts())
    found = count_in(connection, "ledger_texts")
    connection.unregister("ledger_texts")
    return found


def in_bodies(connection: Connection, folder: Path) -> int:
    """Messages of these people in the bodies of the dry run."""
    return naming_bodies(connection, folder)[1]


def in_bytes(
    connection_of: Callable[[], AbstractContextManager[Connection]],
    search: ByteSearch,
    places: Mapping[str, list[Path]],
    left_alone: list[Path],
) -> dict[str, list[Path]]:
    """By place, those of its files that have a value among their bytes. `left_alone` are the list and the exports.

    Nobody of this process may have a database open meanwhile: SQLite's locks go when anybody closes its file. So
    `connection_of` opens the warehouse in between, to learn whose other values hold one of these.
    """
    found = {
        place: {path: search.found_in(path) for path in paths if not _is_any(path, left_alone)}
        for place, paths in places.items()
    }
    values = {value for paths in found.values() for here in paths.values() for value in here}
    if not values:
        return {place: [] for place in places}
    with connection_of() as connection:
        longer = longer_values(connection, sorted(values))
    suspects = ByteSearch(values)
    return {
        place: [path for path, here in paths.items() if here and suspects.found_in(path, longer)]
        for place, paths in found.items()
    }


def _is_any(path: Path, others: list[Path]) -> bool:
    return any(path == other or other in path.parents for other in others)


def with_companions(path: Path | None) -> list[Path]:
    """A database's file, with its write-ahead log and the like."""
    return [] if path is None else sorted(other for other in path.parent.glob(f"{path.name}*") if other.is_file())


def refuse_what_is_missing(warehouse: Warehouse) -> None:
    """Nothing can be proved of a warehouse that isn't there.

    Raises:
        WarehouseError: there is none.
    """
    if not warehouse.exists():
        raise WarehouseError("There is no warehouse yet, and so nobody to forget.")
