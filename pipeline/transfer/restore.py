"""Restore a backup: everything is verified first, and what is there is set aside and not deleted.

The parts are made ready beside their places and renamed. Until the last step, warehouse and ledger do not belong
together, so that no run sends anything, and the restore can be repeated after a kill.
"""

import shutil
import sqlite3
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from pipeline.errors import PipelineError, SettingsError, WarehouseError
from pipeline.ledger import Ledger
from pipeline.orchestration.partitions import SEGMENT_DELIVERY
from pipeline.orchestration.run_locks import turn_of
from pipeline.settings import DATA_DIR, Settings
from pipeline.transfer.backup_folders import PARQUET_FILES, backup_at, flush_to_disk
from pipeline.transfer.catalogs import as_one_file, copy_sqlite, set_aside
from pipeline.transfer.copied_stores import CATALOG_FILE, DUCKDB_FILE, LEDGER_FILE, rows_by_table
from pipeline.transfer.manifest import Manifest, kind_of_warehouse
from pipeline.transfer.parquet_files import LIST, ParquetFiles
from pipeline.transfer.postgres_catalog import restore_catalog
from pipeline.transfer.restored_ledger import Deliveries, complete, new_restore, prepare, surviving
from pipeline.warehouse import Warehouse
from pipeline.warehouse.immutable_settings import check_known
from pipeline.warehouse.locks import this_process
from pipeline.warehouse.readable_copy import replace_in_turn


@dataclass(frozen=True)
class RestoredBackup:
    """A backup that was restored from `path`; `aside` is where the former stores are, for people. `put_back` Parquet
    files were missing, and were copied from the backup.
    """

    path: Path
    manifest: Manifest
    aside: list[str]
    put_back: int
    deliveries: Deliveries


def restore(settings: Settings, path: Path, now: datetime, delivered_until: datetime | None) -> RestoredBackup:
    """Restore the backup at a path, or the newest one in it. The caller prevents the runs of this machine.

    Raises:
        SettingsError: there is no backup, it is of another kind of store or of other settings, or `delivered_until` is
            in the future or not needed.
        WarehouseError: the backup is damaged, a Parquet file is missing, or a store can't be written.
        DeliveryError: the ledger can't be used.
        PipelineError: another machine delivers.
    """
    warehouse, folder = Warehouse.of(settings), backup_at(path)
    manifest = Manifest.read(folder)
    if delivered_until is not None and delivered_until > now:
        raise SettingsError(f"--delivered-until: {delivered_until:%Y-%m-%d %H:%M:%S} UTC is in the future")
    _check_kind(warehouse, manifest)
    check_known(manifest.origin, settings)
    manifest.check_hashes(folder)
    files, copies = _files_of(folder), folder.parent / PARQUET_FILES if manifest.has_files else None
    with ExitStack() as stack:
        stack.enter_context(warehouse.turn())
        _prevent_deliveries(settings, stack)
        missing = files.check(warehouse.files, copies) if warehouse.is_ducklake else []
        scratch = Path(stack.enter_context(TemporaryDirectory(dir=_data_dir(), prefix="restore_")))
        shutil.copyfile(folder / LEDGER_FILE, scratch / LEDGER_FILE)
        backup = Ledger(f"sqlite:///{scratch / LEDGER_FILE}")
        stack.callback(backup.close)
        ledger = surviving(settings, manifest)
        known = ledger or backup
        restored = new_restore(
            manifest, known.restored(), now, delivered_until, survived=ledger is not None, ledger=known
        )
        ending = f".before-restore-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
        if copies is not None:
            files.put_back(missing, copies, warehouse.files)
        if ledger is not None:
            aside = [_ledger_aside(ledger, ending)]
            ledger.note_restored(restored)
        else:
            prepare(backup, manifest, restored)
            aside = _place_ledger(backup, settings, ending)
        aside += _place_catalog(warehouse, folder, ending)
        placed = ledger or Ledger(settings.ledger)
        stack.callback(placed.close)
        with warehouse.writing_in_turn() as connection:
            deliveries = complete(
                connection, placed, backup, restored, survived=ledger is not None, stated=delivered_until is not None
            )
            _check_rows(rows_by_table(connection), manifest)
        replace_in_turn(warehouse)  # the copy for readers has what was there before
    return RestoredBackup(folder, manifest, aside, len(missing), deliveries)


def _check_kind(warehouse: Warehouse, manifest: Manifest) -> None:
    if (kind := kind_of_warehouse(warehouse)) != manifest.warehouse:
        raise SettingsError(
            f"WAREHOUSE: is {kind}, and this is a backup of {manifest.warehouse}. Restore it to one, "
            "and move it then with `python -m pipeline copy`"
        )


def _files_of(folder: Path) -> ParquetFiles:
    return ParquetFiles.of_list(folder / LIST) if (folder / LIST).exists() else ParquetFiles({})


def _data_dir() -> Path:
    DATA_DIR.mkdir(parents=True, exist_ok=True)
    return DATA_DIR


def _prevent_deliveries(settings: Settings, stack: ExitStack) -> None:
    """Hold the lock of deliveries, which other machines may have too."""
    turn, _ = turn_of(SEGMENT_DELIVERY, settings)
    stack.callback(turn.leave)
    if not turn.take(this_process("restore")):
        raise PipelineError(f"LEDGER: {turn.holder()} delivers; wait for it, and try again.")


def _ledger_aside(ledger: Ledger, ending: str) -> str:
    """Keep a copy of the present ledger, which the restore changes."""
    file = ledger.file
    copy = Path(f"{file}{ending}") if file is not None else DATA_DIR / f"ledger.sqlite{ending}"
    if file is not None:
        copy_sqlite(file, copy)
        as_one_file(copy)
    else:
        copied = Ledger(f"sqlite:///{copy}")
        ledger.copy_to(copied)
        copied.close()
        as_one_file(copy)
        Path(f"{copy}.opening").unlink(missing_ok=True)
    return str(copy)


def _place_ledger(prepared: Ledger, settings: Settings, ending: str) -> list[str]:
    """Put the prepared ledger in the place of the present one. Returns where that is now, if there is one."""
    url = sa.make_url(settings.ledger)
    if url.get_backend_name() != "sqlite":
        present = Ledger(settings.ledger)
        schema = ending.removeprefix(".").replace("-", "_").lower()
        aside = present.set_aside(schema)
        present.close()
        placed = Ledger(settings.ledger)
        prepared.copy_to(placed)
        placed.close()
        return [f"the schema {schema} of the ledger's database"] if aside else []
    assert prepared.file is not None
    prepared.close()
    as_one_file(prepared.file)
    return _swap(prepared.file, Path(str(url.database)), ending)


def _place_catalog(warehouse: Warehouse, folder: Path, ending: str) -> list[str]:
    if warehouse.catalog_file is None:
        schema = ending.removeprefix(".").replace("-", "_").lower()
        had = restore_catalog(warehouse.dsn, folder, schema)
        return [f"the schema {schema} of the catalog's database"] if had else []
    name = CATALOG_FILE if warehouse.is_ducklake else DUCKDB_FILE
    return _swap(folder / name, warehouse.catalog_file, ending)


def _swap(source: Path, place: Path, ending: str) -> list[str]:
    """Copy a database's file to its place, and set the one that is there aside."""
    ready = Path(f"{place}.restoring")
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, ready)
    flush_to_disk(ready)
    if place.suffix == ".sqlite" and place.exists():
        with suppress(sqlite3.Error, WarehouseError):  # a damaged one is set aside as it is
            as_one_file(place)
    aside = set_aside(place, ending)
    ready.rename(place)
    flush_to_disk(place.parent)
    return [str(aside)] if aside else []


def _check_rows(found: Mapping[str, int], manifest: Manifest) -> None:
    """Compare the tables that a restore does not change with the backup."""
    different = [
        name
        for name, rows in manifest.rows.items()
        if not name.startswith("delivery.") and name != "raw.origin" and found.get(name) != rows
    ]
    if different:
        raise WarehouseError(f"The restored tables differ from the backup: {', '.join(different)}")
