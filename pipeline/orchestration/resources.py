"""The warehouse and its ledger as a Dagster resource.

Settings are read when a step needs them and never become Dagster config, so that no secret is shown in the UI or stored
with a run.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import dagster as dg

from pipeline.ledger import Ledger
from pipeline.orchestration.process_locks import process_lock
from pipeline.settings import load_settings
from pipeline.warehouse import Warehouse
from pipeline.warehouse.attached import keep_attached


class WarehouseResource(dg.ConfigurableResource):
    """The warehouse of WAREHOUSE. Every run has it, so it also holds the lock of the run's process."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["WarehouseResource"]:
        """For a run, or for a tick of a sensor or a schedule."""
        of_a_run = context.run_id is not None and context.instance is not None and context.instance.is_persistent
        with process_lock(str(context.run_id)) if of_a_run else nullcontext(), keep_attached():
            yield self

    def open(self) -> Warehouse:
        """The warehouse; nothing is attached yet."""
        return Warehouse.of(load_settings())

    def ledger(self) -> Ledger:
        """The ledger of LEDGER, which is paired with the warehouse."""
        return Ledger(load_settings().ledger)
