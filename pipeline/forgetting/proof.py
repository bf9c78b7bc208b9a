"""Whether the people are gone: every table is asked, and every byte of every file is looked at."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

import duckdb

from pipeline.errors import WarehouseError
from pipeline.forgetting.files import files_below, naming_bodies, naming_files
from pipeline.forgetting.sought import PERSON_COLUMNS, SOUGHT, count_in, tables_of
from pipeline.segment.ledger import Ledger
from pipeline.warehouse import CATALOG, Warehouse, literal, quoted

Connection = duckdb.DuckDBPyConnection


def in_tables(connection: Connection) -> dict[str, int]:
    """By table of the warehouse, how often a value is found."""
    return {table: count_in(connection, table) for table in tables_of(connection)}


def in_parquet(connection: Connection, warehouse: Warehouse) -> int:
    """How often a value is found in Parquet files, whether or not the catalog knows them; pages are packed, so the
    files are read.
    """
    pattern = f"{warehouse.files.rstrip('/')}/**/*.parquet"
    by_table: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for (path,) in connection.execute("SELECT file FROM glob(?)", [pattern]).fetchall():
        by_table[tuple(path.removeprefix(warehouse.files).strip("/").split("/")[:2])].append(path)
    found = 0
    for paths in by_table.values():
        listed = ", ".join(literal(path) for path in paths)
        found += count_in(connection, f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)")
    return found


def in_catalog(connection: Connection) -> int:
    """How often a value is found in a DuckLake's catalog: in rows that lie there, live or not, and in statistics."""
    inlined = connection.execute(f"SELECT table_name FROM {CATALOG}.ducklake_inlined_data_tables").fetchall()
    found = sum(count_in(connection, f"{CATALOG}.{quoted(table)}") for (table,) in inlined)
    people = ", ".join(literal(name) for name in PERSON_COLUMNS)
    for statistics in ("ducklake_file_column_stats", "ducklake_table_column_stats"):
        found += connection.execute(
            f"SELECT count(*) FROM {CATALOG}.{statistics} AS extremes "
            f"JOIN {CATALOG}.ducklake_column AS columns USING (table_id, column_id) "
            f"WHERE EXISTS (SELECT 1 FROM {SOUGHT} AS sought WHERE lower(sought.value) IN "
            "(lower(extremes.min_value), lower(extremes.max_value)) "
            f"AND (sought.naming OR columns.column_name IN ({people})))"
        ).fetchall()[0][0]
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


def in_bytes(values: list[bytes], places: Mapping[str, list[Path]], left_alone: list[Path]) -> dict[str, int]:
    """By place, how many of its files have a value among their bytes. `left_alone` are the list and the exports.

    Nobody of this process may have a database open: SQLite's locks go when anybody closes its file.
    """

    def ours(path: Path) -> bool:
        return not any(path == other or other in path.parents for other in left_alone)

    return {place: sum(1 for _ in naming_files(filter(ours, paths), values)) for place, paths in places.items()}


def local_files(warehouse: Warehouse) -> list[Path]:
    """The files of the warehouse on this machine, but for the catalog."""
    if not warehouse.is_ducklake or "://" in warehouse.files:
        return []
    return files_below(Path(warehouse.files))


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
