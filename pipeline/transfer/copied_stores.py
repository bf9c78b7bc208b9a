"""A consistent copy of a warehouse's catalog and of its ledger, made while runs go on."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from pipeline.errors import NoWarehouse, WarehouseError
from pipeline.ledger import Ledger, Pairing
from pipeline.ledger.warehouse_pairing import check_pair, is_pair, pairing_of
from pipeline.transfer.catalogs import as_one_file, copy_duckdb_file, copy_sqlite
from pipeline.transfer.parquet_files import LIST, ParquetFiles, list_files
from pipeline.transfer.postgres_catalog import copy_catalog
from pipeline.transfer.tables import tables_in
from pipeline.warehouse import ALIAS, CATALOG, Warehouse, are_checked, one_value
from pipeline.warehouse.catalog_file import is_empty

# The names of the copies in a backup.
CATALOG_FILE, DUCKDB_FILE, LEDGER_FILE = "catalog.sqlite", "warehouse.duckdb", "ledger.sqlite"
# Between the copies of the catalog and the ledger, a run may cut batches and register them.
_TRIES = 5


@dataclass(frozen=True)
class Copied:
    """What the copies contain: the pairing of the warehouse, the generation of the ledger, the settings that the
    warehouse was made with, rows by table, batches, and the Parquet files that the catalog refers to.
    """

    pairing: Pairing
    ledger_generation: int
    origin: Mapping[str, str]
    rows: Mapping[str, int]
    batches: int
    files: ParquetFiles


def copy_stores(warehouse: Warehouse, ledger: Ledger, folder: Path) -> Copied:
    """Copy the catalog of a warehouse, then its ledger, into a folder; both are a pair.

    The ledger is copied last, so that it has every delivery of what the copied catalog contains. No run waits, unless
    the warehouse is a DuckDB file, which can only be read between two steps.

    Raises:
        NoWarehouse: there is nothing to copy yet.
        EarlierWarehouse: an earlier version of the program created it.
        WarehouseError: the catalog can't be read.
        DeliveryError: the ledger can't be read.
        SettingsError: they do not belong together.
    """
    if warehouse.catalog_file is not None and is_empty(warehouse.catalog_file):
        raise NoWarehouse
    for attempt in range(_TRIES):
        with ExitStack() as turn:
            if not warehouse.is_ducklake:
                turn.enter_context(warehouse.turn())
            snapshot = _copy_catalog(warehouse, folder)
            _copy_ledger(ledger, folder / LEDGER_FILE)
        copied_ledger = Ledger(f"sqlite:///{folder / LEDGER_FILE}")
        with _reading(warehouse, folder, snapshot) as connection:
            if not is_pair(connection, copied_ledger) and attempt < _TRIES - 1:
                copied_ledger.close()
                continue
            check_pair(connection, copied_ledger)
            copied = _described(connection, copied_ledger, warehouse, folder)
        copied_ledger.close()
        break
    _tidy(folder)
    return copied


def _copy_catalog(warehouse: Warehouse, folder: Path) -> int | None:
    """Copy the catalog, or the DuckDB file. Returns the snapshot of a catalog on a server, whose copy can't be read."""
    if warehouse.catalog_file is None:
        return copy_catalog(warehouse.dsn, folder)
    if warehouse.is_ducklake:
        copy_sqlite(warehouse.catalog_file, folder / CATALOG_FILE)
        return None
    copy_duckdb_file(warehouse.catalog_file, folder / DUCKDB_FILE)
    try:
        duckdb.connect(str(folder / DUCKDB_FILE)).close()  # moves the log into the file
    except duckdb.Error as error:
        raise WarehouseError(f"WAREHOUSE: {warehouse.shown} can't be copied: {str(error).splitlines()[0]}") from None
    return None


def _copy_ledger(ledger: Ledger, copy: Path) -> None:
    if ledger.file is not None:
        copy_sqlite(ledger.file, copy)
        return
    copy.unlink(missing_ok=True)
    copied = Ledger(f"sqlite:///{copy}")
    ledger.copy_to(copied)
    copied.close()


@contextmanager
def _reading(warehouse: Warehouse, folder: Path, snapshot: int | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the copy, or to the snapshot of the original that was copied."""
    if snapshot is None:
        location = f"ducklake:sqlite:{folder / CATALOG_FILE}" if warehouse.is_ducklake else str(folder / DUCKDB_FILE)
        with Warehouse(location, warehouse.files).reading() as connection:
            yield connection
        return
    unsigned = are_checked(warehouse.extensions)
    with closing(duckdb.connect(config={"allow_unsigned_extensions": unsigned})) as connection:
        for statement in warehouse.attach_statements(read_only=True, snapshot=snapshot):
            connection.execute(statement)
        yield connection


def _described(connection: duckdb.DuckDBPyConnection, ledger: Ledger, warehouse: Warehouse, folder: Path) -> Copied:
    files = ParquetFiles({})
    if warehouse.is_ducklake:
        if warehouse.catalog_file is None:
            files = ParquetFiles.of_list(folder / LIST)
        else:
            files = list_files(connection, CATALOG, folder / LIST)
    return Copied(
        pairing=pairing_of(connection),
        ledger_generation=ledger.pairing().generation,
        origin=dict(connection.execute("SELECT name, value FROM raw.origin").fetchall()),
        rows=rows_by_table(connection),
        batches=len(ledger.batch_ids()),
        files=files,
    )


def rows_by_table(connection: duckdb.DuckDBPyConnection) -> Mapping[str, int]:
    """The number of rows of each table of the warehouse."""
    return {
        f"{table.schema}.{table.name}": int(one_value(connection, f"SELECT count(*) FROM {ALIAS}.{table.path}"))
        for table in tables_in(connection, ALIAS)
    }


def _tidy(folder: Path) -> None:
    """Leave the copies as one file each, without locks and logs."""
    for path in sorted(folder.iterdir()):
        if path.suffix == ".sqlite":
            as_one_file(path)
        elif path.suffix in (".lock", ".opening"):
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
