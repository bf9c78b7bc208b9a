"""A trial of a new layout: its file in a throw-away warehouse, and the tables that become of it."""

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb

from pipeline.catalog import EVENTS
from pipeline.errors import ModelsFailed
from pipeline.export_dates import ExportDates
from pipeline.exports.discovery import discover
from pipeline.exports.layouts import Layout
from pipeline.exports.loading import load
from pipeline.exports.locations import ExportLocation
from pipeline.filesystems.temporary_files import temporary_folder
from pipeline.finding import counted
from pipeline.layout_drafting.file_head import whole_file
from pipeline.masking import on_one_line
from pipeline.models.dbt import run_dbt, variables
from pipeline.openpgp import SecretKey
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse, has_table, one_value, quoted

_ROWS = 10
_CELL = 40
_ANY_DATE = ExportDates(date.min, date.max)
# Columns of the event tables that say nothing about a layout.
_LEFT_OUT = ("id", "received_at", "sent_at", "original_timestamp", "event", "event_text", "uuid_ts")
_OF_PROGRAMS = ("context_integration_", "context_library_")


@dataclass(frozen=True)
class TrialTable:
    """The first rows of a table as texts, with addresses masked; columns without any value are left out."""

    name: str
    rows_in_all: int
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Trial:
    """What became of the file: a sentence, and the tables that have rows."""

    sentence: str
    tables: Sequence[TrialTable]


def trial(file: str, layout: Layout, settings: Settings, key: Callable[[], SecretKey | None] = lambda: None) -> Trial:
    """Load a file, a path or a URL, with a layout into a warehouse that exists only meanwhile, and build the models.

    Raises:
        ModelsFailed: dbt failed.
        WarehouseError: the machine failed.
    """
    with temporary_folder() as folder:
        exports = folder / "exports"
        exports.mkdir()
        name = file.rpartition("/")[2]
        copy = whole_file(file, exports / name)
        if copy.parent != exports:
            (exports / name).symlink_to(copy.resolve())
        warehouse = Warehouse(str(folder / "trial.duckdb"), "")
        with warehouse.writing() as connection, ExportLocation(str(exports), follow_links=True) as location:
            seen = discover(location, [layout], _ANY_DATE)
            loaded = load(connection, location, seen, key=key())
            reasons = [f"{one.status}: {one.reason}" for one in loaded.files if one.status != "loaded"]
            reasons += [one.reason for one in seen.waiting]
            counts = [
                f"{counted(one.rows, 'row')}, {one.skipped:,} skipped, {one.rejected:,} rejected"
                for one in loaded.files
            ]
        if not reasons and layout.kind == "events":
            _build(warehouse, folder, settings)
        with warehouse.reading() as connection:
            tables = list(_tables(connection, settings.schema_name))
    return Trial("; ".join(reasons or counts), tables)


def _build(warehouse: Warehouse, folder: Path, settings: Settings) -> None:
    arguments = ["--quiet", "--no-use-colors", "run", "--vars", json.dumps(dict(variables(settings)))]
    done = run_dbt(warehouse, arguments, target=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise ModelsFailed(done.stdout)


def _tables(connection: duckdb.DuckDBPyConnection, schema: str) -> Iterator[TrialTable]:
    for table in (event.table for event in EVENTS):
        if has_table(connection, schema, table):
            yield from _table(connection, schema, table, "timestamp")
    yield from _table(connection, "raw", "lookups", "row_number")
    yield from _table(connection, "raw", "rejected_rows", "line")


def _table(connection: duckdb.DuckDBPyConnection, schema: str, table: str, order: str) -> Iterator[TrialTable]:
    source = f"{quoted(schema)}.{quoted(table)}"
    found = connection.execute(f"SELECT * FROM {source} ORDER BY {order} LIMIT {_ROWS}")
    names = [column[0] for column in found.description or ()]
    rows = found.fetchall()
    used = [
        position
        for position, name in enumerate(names)
        if name not in _LEFT_OUT
        and not name.startswith(_OF_PROGRAMS)
        and any(row[position] is not None for row in rows)
    ]
    if not rows:
        return
    yield TrialTable(
        table,
        int(one_value(connection, f"SELECT count(*) FROM {source}")),
        [names[position] for position in used],
        [["" if row[at] is None else on_one_line(str(row[at]), _CELL) for at in used] for row in rows],
    )
