"""Move a warehouse, and its ledger, to other stores.

The original is only read until everything was copied and compared. A copy has a mark until then, and the original has
one afterwards, so that at any time one of them is usable.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import duckdb

from pipeline.errors import SettingsError, WarehouseError
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_pairing import check_pair, pairing_of
from pipeline.models.dbt import run_dbt, variables
from pipeline.settings import Settings
from pipeline.transfer.tables import SOURCE, copy_origin, copy_table, is_empty, tables_of
from pipeline.warehouse import Warehouse, transaction
from pipeline.warehouse.declared_properties import as_environment, declared_properties
from pipeline.warehouse.immutable_settings import INCOMPLETE_COPY, MOVED_TO, check_origin


@dataclass(frozen=True)
class Moved:
    """What was copied and compared: tables, their rows, and the ledger's batches (None: it stayed where it is)."""

    tables: int
    rows: int
    batches: int | None


def move(settings: Settings, new: Settings, progress: Callable[[str, int], None]) -> Moved:
    """Copy everything from the stores of `settings` to those of `new`; `progress` gets tables, and rows copied.

    The caller prevents runs meanwhile.

    Raises:
        NoWarehouse: there is nothing to move.
        SettingsError: the new stores are these, or contain another warehouse or its batches.
        WarehouseError: a table can't be copied, or differs afterwards.
        DeliveryError: the ledger can't be copied, or differs afterwards.
    """
    source, copy = Warehouse.of(settings), Warehouse.of(new)
    ledger, copied_ledger = Ledger(settings.ledger), Ledger(new.ledger)
    if source.location == copy.location:
        raise SettingsError("--to: is the warehouse itself; name another one")
    with source.turn():
        with source.reading() as connection:
            check_origin(connection, settings)
            check_pair(connection, ledger)
            declared, pair = declared_properties(connection), pairing_of(connection).pair
        moves_ledger = new.ledger != settings.ledger
        if moves_ledger:
            ledger.check_copy(copied_ledger)
        with copy.writing() as connection:
            _mark_as_copy(connection, pair)
        _create_models(copy, new, as_environment(declared))
        with copy.writing() as connection:
            source.attach_beside(connection, SOURCE)
            tables = tables_of(connection)
            rows = 0
            for table in tables:
                name = f"{table.schema}.{table.name}"
                rows += copy_table(connection, table, partial(progress, name)).rows
            batches = ledger.copy_to(copied_ledger) if moves_ledger else None
            copy_origin(connection)
        with source.writing_in_turn() as connection, transaction(connection):
            connection.execute("INSERT INTO raw.origin VALUES (?, ?)", [MOVED_TO, copy.shown])
    return Moved(len(tables), rows, batches)


def _mark_as_copy(connection: duckdb.DuckDBPyConnection, pair: str | None) -> None:
    """Mark a new warehouse, or an earlier or incomplete copy of this one, as an incomplete copy."""
    known = dict(connection.execute("SELECT name, value FROM raw.origin").fetchall())
    if INCOMPLETE_COPY in known and known[INCOMPLETE_COPY] == (pair or ""):
        return
    if not is_empty(connection) and (pair is None or pairing_of(connection).pair != pair):
        raise SettingsError("--to: contains another warehouse; name a new one")
    connection.execute("INSERT INTO raw.origin VALUES (?, ?)", [INCOMPLETE_COPY, pair or ""])


def _create_models(copy: Warehouse, settings: Settings, declared: Mapping[str, str]) -> None:
    """Create the tables of the models, empty, with their partitions and comments, and the views."""
    os.environ.update(declared)
    arguments = ["--quiet", "run", "--vars", json.dumps(variables(settings))]
    done = run_dbt(copy, arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise WarehouseError(f"The tables of the copy can't be created: {' '.join(done.stdout.split())[-500:]}")
