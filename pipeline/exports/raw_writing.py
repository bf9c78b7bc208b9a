"""The turns of the step `raw` to write: what it does before the first one, and at the beginning of each."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
import duckdb

from pipeline.exports.discovery import KnownFiles, known_files
from pipeline.exports.layout_files import BrokenLayout
from pipeline.exports.layouts import Layout
from pipeline.exports.property_registry import contradicting, register_properties
from pipeline.orchestration.long_steps import Progress
from pipeline.orchestration.run_locks import steps_turn
from pipeline.privacy.suppression import refresh
from pipeline.privacy.suppression_list import Suppressed
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.immutable_settings import check_origin, ensure_origin
from pipeline.warehouse.loads import last_load_number
from pipeline.warehouse.up_to_date import reading_up_to_date


@dataclass
class RawWriting:
    """The turns of a step. `people` are those on the list of suppressed people, `last_load` is the number of the last
    load before its first turn, and `broken` are the layouts that contradict the tables, as far as that is known.
    """

    context: dg.AssetExecutionContext
    settings: Settings
    warehouse: Warehouse
    layouts: Sequence[Layout]
    progress: Progress
    people: Suppressed = field(default_factory=Suppressed)
    last_load: int = 0
    broken: tuple[BrokenLayout, ...] = ()
    _has_begun: bool = False

    def known_before(self) -> KnownFiles:
        """The files that are known now, without the lock of writers. `broken` is noted.

        While another process has a plain DuckDB file open, this waits: what is known decides which files are fetched.

        Raises:
            SettingsError: the warehouse was made with other settings.
            WarehouseError: it can't be opened.
        """
        with reading_up_to_date(self.warehouse) as connection:
            if connection is None:
                return {}
            check_origin(connection, self.settings)
            self.broken = tuple(contradicting(connection, self.layouts))
            return known_files(connection)

    @contextmanager
    def turn(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in a turn to write, once the step has it. It has read the list of suppressed people.

        Raises:
            DagsterExecutionInterruptedError: a signal asked the run to stop.
            LayoutError, SettingsError: a setting, a layout or the list of suppressed people can't be used.
            WarehouseError: the warehouse can't be opened.
        """
        query = self.progress.query
        self.progress.current = "waiting to write"
        with steps_turn(self.context), self.warehouse.writing() as connection:
            self.progress.current = "writing"
            self.progress.watch(connection)
            try:
                if not self._has_begun:
                    self._begin(connection)
                # Another run may have read a newer list.
                self.people = refresh(connection, self.settings.selligent_suppressed, datetime.now(UTC))
                yield connection
            finally:
                self.progress.query = query

    def _begin(self, connection: duckdb.DuckDBPyConnection) -> None:
        ensure_origin(connection, self.settings)
        self.broken = tuple(contradicting(connection, self.layouts))
        names = {layout.name for layout in self.broken}
        usable = [layout for layout in self.layouts if layout.name not in names]
        # From here on no other run can register what contradicts these layouts.
        register_properties(connection, usable, self.settings.schema_name)
        self.last_load = last_load_number(connection)
        self._has_begun = True
