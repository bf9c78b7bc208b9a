"""Back up the warehouse and the ledger while runs go on."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import duckdb

from pipeline.errors import SettingsError, WarehouseError
from pipeline.finding import counted, some
from pipeline.ledger import Ledger
from pipeline.settings import Settings
from pipeline.transfer.backup_folders import PARQUET_FILES, backups_in, new_backup, remove_all_but
from pipeline.transfer.copied_stores import copy_stores
from pipeline.transfer.manifest import FORMAT, Manifest, hashes_of, kind_of_ledger, kind_of_warehouse
from pipeline.transfer.parquet_files import LIST, ParquetFiles, remove_unlisted
from pipeline.warehouse import Warehouse


@dataclass(frozen=True)
class BackedUp:
    """A new backup in `path`. `copied` is the number of Parquet files that were copied for it, and `removed` that of
    earlier backups that were removed.
    """

    path: Path
    manifest: Manifest
    copied: int
    removed: int


def back_up(settings: Settings, folder: Path, now: datetime, *, with_files: bool, keep: int | None) -> BackedUp:
    """Write a backup of the warehouse and the ledger to a folder of backups, and remove all but the newest `keep`.

    Raises:
        NoWarehouse: there is nothing to back up yet.
        SettingsError: warehouse and ledger do not belong together, or the folder is in that of the Parquet files.
        WarehouseError: the warehouse can't be read, or lacks a file.
        DeliveryError: the ledger can't be read.
    """
    warehouse, ledger = Warehouse.of(settings), Ledger(settings.ledger)
    if (
        warehouse.is_ducklake
        and not warehouse.is_in_s3
        and folder.resolve().is_relative_to(Path(warehouse.files).resolve())
    ):
        raise SettingsError(f"{folder}: is inside of WAREHOUSE_FILES, where upkeep removes unknown files; name another")
    copied = 0
    with new_backup(folder, now) as unfinished:
        stores = copy_stores(warehouse, ledger, unfinished.path)
        if missing := stores.files.missing_in(warehouse.files):
            raise WarehouseError(
                f"WAREHOUSE_FILES: lacks {counted(len(missing), 'Parquet file')} that its catalog refers to: "
                f"{some(missing)}. Nothing was backed up; copy them back, or restore an earlier backup"
            )
        if with_files:
            copied = stores.files.copy(warehouse.files, folder / PARQUET_FILES)
        manifest = Manifest(
            format=FORMAT,
            created_at=now,
            duckdb=duckdb.__version__,
            warehouse=kind_of_warehouse(warehouse),
            ledger=kind_of_ledger(settings),
            pair=stores.pairing.pair,
            warehouse_generation=stores.pairing.generation,
            ledger_generation=stores.ledger_generation,
            origin=stores.origin,
            rows=stores.rows,
            batches=stores.batches,
            parquet_files=len(stores.files.sizes),
            parquet_bytes=stores.files.bytes,
            has_files=with_files,
            sha256=hashes_of(unfinished.path),
        )
        manifest.write(unfinished.path)
        finished = unfinished.finish()
        removed = remove_all_but(folder, keep) if keep is not None else []
        if removed:
            listed = [ParquetFiles.of_list(path / LIST) for path in backups_in(folder) if (path / LIST).exists()]
            remove_unlisted(folder / PARQUET_FILES, listed)
    return BackedUp(finished, manifest, copied, len(removed))
