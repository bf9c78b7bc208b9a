"""Readers of a warehouse that an earlier version of the program may have made."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import duckdb

from pipeline.errors import EarlierWarehouse
from pipeline.warehouse.warehouse import Warehouse


@contextmanager
def reading_up_to_date(warehouse: Warehouse) -> Iterator[duckdb.DuckDBPyConnection | None]:
    """As `reading_if_any`; the tables of an earlier version are migrated first."""
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(warehouse.reading_if_any())
        except EarlierWarehouse:
            warehouse.bring_up_to_date()
            connection = stack.enter_context(warehouse.reading_if_any())
        yield connection
