"""Erase the people of the list from all tables and files, and verify that none of their data is left."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipeline.erasure import files, rows, verification
from pipeline.erasure.byte_search import ByteSearch
from pipeline.erasure.search_terms import as_bytes, make_search_terms
from pipeline.errors import SettingsError, WarehouseError
from pipeline.filesystems.destination import Destination
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_pairing import pair_up
from pipeline.orchestration.dagster_home import dagster_home
from pipeline.orchestration.instance import exclusive, opened_instance
from pipeline.privacy.addresses import rewrite_addresses
from pipeline.privacy.suppression import learn_contacts, refresh
from pipeline.privacy.suppression_list import SETTING, check
from pipeline.segment.bodies import BodyReader
from pipeline.segment.messages import MessageSource
from pipeline.settings import DBT_TARGET_DIR, DRY_RUN_DIR, REPORT_DIR, REPORT_PAGE, SPILL_DIR, Settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.readable_copy import copy_of, replace_in_turn, unfinished_copy_of


@dataclass(frozen=True)
class Location:
    """A location: how many rows or files were removed, and what a search found afterwards, in which files."""

    name: str
    removed: int
    found: int
    files: Sequence[Path] = ()


def erase(settings: Settings) -> list[Location]:
    """Erase the people of SELLIGENT_SUPPRESSED; what was removed where, and what is still found.

    Every step can be repeated, so after a kill, the next call completes the work.

    Raises:
        SettingsError: there is no list, or it can't be used; nothing was changed.
        PipelineError: a run is in progress, or the warehouse or the ledger is not usable.
    """
    if settings.selligent_suppressed is None:
        raise SettingsError(f"{SETTING}: is not set; name the list of the people to forget")
    if not check(settings.selligent_suppressed):
        raise SettingsError(f"{SETTING}: the list is empty")
    warehouse, ledger = Warehouse.of(settings), Ledger(settings.ledger)
    if not warehouse.exists():
        raise WarehouseError("There is no warehouse yet, so there are no people to forget.")
    with opened_instance() as instance, exclusive(instance), warehouse.turn():
        with warehouse.writing_in_turn() as connection:
            pair_up(connection, ledger)
            rewrite_addresses(connection, settings, DRY_RUN_DIR)  # dry runs are written again from the event tables
        removed = _remove(settings, warehouse, ledger)
        return _search(settings, warehouse, ledger, removed)


def _prepare(connection: duckdb.DuckDBPyConnection, settings: Settings) -> None:
    # One thread: with several, DuckDB rarely corrupted its memory while files were rewritten and read.
    connection.execute("SET threads = 1")
    now = datetime.now(UTC)
    refresh(connection, settings.selligent_suppressed, now)
    learn_contacts(connection, "SELECT * FROM raw.lookups WHERE kind = 'contacts'", now)
    make_search_terms(connection)


def _remove(settings: Settings, warehouse: Warehouse, ledger: Ledger) -> dict[str, int]:
    with warehouse.writing_in_turn() as connection:
        _prepare(connection, settings)
        search = ByteSearch(as_bytes(connection))
        rows.find_events(connection, settings.schema_name)
        removed = {"ledger": rows.forget_ledger(connection, ledger, datetime.now(UTC))}
        removed |= rows.forget_rows(connection, ledger, settings.schema_name)
        removed["dry run"] = files.forget_bodies(
            connection,
            BodyReader(connection, MessageSource.of(settings, connection)),
            ledger,
            DRY_RUN_DIR,
            search,
            write_again=not settings.delivers,
        )
        if warehouse.is_ducklake:
            removed["Parquet files"] = files.forget_old_snapshots(connection, warehouse.files)
    if not warehouse.is_ducklake:
        files.rewrite_duckdb(warehouse)
    elif warehouse.catalog_file is not None:
        files.compact_sqlite(warehouse.catalog_file)
    replace_in_turn(warehouse)
    ledger.compact()
    shutil.rmtree(SPILL_DIR, ignore_errors=True)  # what DuckDB spilled for processes that were killed
    for name, paths in (("dbt's files", files.files_below(DBT_TARGET_DIR)), ("report", _pages(settings))):
        for path in paths:
            if search.found_in(path):
                path.unlink()
                removed[name] = removed.get(name, 0) + 1
    return removed


def _pages(settings: Settings) -> list[Path]:
    """The report's pages on this machine: that of REPORT, and what was left in the folder that is the default. Other
    files in a folder of REPORT are not the program's.
    """
    folder = Destination(settings.report, "REPORT").folder
    page = {folder / REPORT_PAGE} if folder is not None and (folder / REPORT_PAGE).is_file() else set()
    return sorted({*files.files_below(REPORT_DIR), *page})


def _search(settings: Settings, warehouse: Warehouse, ledger: Ledger, removed: dict[str, int]) -> list[Location]:
    with warehouse.writing_in_turn() as connection:
        _prepare(connection, settings)
        found = {**verification.in_tables(connection), "ledger": verification.in_ledger(connection, ledger)}
        found["dry run"] = files.bodies_naming_people(connection, DRY_RUN_DIR)[1]
        if warehouse.is_ducklake:
            found["Parquet files"] = verification.in_parquet(connection, warehouse)
            found["catalog"] = verification.in_catalog(connection)
        search = ByteSearch(as_bytes(connection))
    ledger.close()
    searched = {
        "catalog" if warehouse.is_ducklake else "warehouse file": verification.with_companions(warehouse.catalog_file),
        "ledger": verification.with_companions(ledger.file),
        "dry run": files.files_below(DRY_RUN_DIR),
        "dbt's files": files.files_below(DBT_TARGET_DIR),
        "report": _pages(settings),
        "Dagster's files": files.files_below(dagster_home()),
    }
    if warehouse.plain_file is not None:
        copies = (copy_of(warehouse.plain_file), unfinished_copy_of(warehouse.plain_file))
        searched["copy for readers"] = [path for path in copies if path.is_file()]
    excluded = [Path(path) for path in (settings.selligent_suppressed, settings.selligent_exports) if path]
    files_with = verification.in_bytes(warehouse.reading, search, searched, excluded)
    for name, paths in files_with.items():
        found[name] = found.get(name, 0) + len(paths)
    names = [*found, *(name for name in removed if name not in found)]
    return [
        Location(name.replace('"', ""), removed.get(name, 0), found.get(name, 0), files_with.get(name, ()))
        for name in names
    ]
