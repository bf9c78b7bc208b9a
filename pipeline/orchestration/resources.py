"""The warehouse, and the ledger that goes with it, as a Dagster resource.

Settings are read when a step needs them and never become Dagster config, so that no secret is shown in the UI or stored
with a run.
"""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import dagster as dg

from pipeline.ledger import Ledger
from pipeline.orchestration.instance import alive
from pipeline.settings import load_settings
from pipeline.warehouse import Warehouse


class WarehouseResource(dg.ConfigurableResource):
    """The warehouse that WAREHOUSE names. Every run has it, so that it also says that the run's process lives."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["WarehouseResource"]:
        """For a run, or for a look of a sensor or a schedule."""
        of_a_run = context.run_id is not None and context.instance is not None and context.instance.is_persistent
        with alive(str(context.run_id)) if of_a_run else nullcontext():
            yield self

    def open(self) -> Warehouse:
        """The warehouse; nothing is attached yet."""
        return Warehouse.of(load_settings())

    def ledger(self) -> Ledger:
        """The ledger that LEDGER names, which goes with the warehouse."""
        return Ledger(load_settings().ledger)
