"""Where the tables are kept: the one place that knows how storage is attached."""

from pipeline.warehouse.sql import ALIAS, CATALOG, literal, quoted, transaction
from pipeline.warehouse.tables import RAW_TABLES, has_table
from pipeline.warehouse.warehouse import BUSY_TIMEOUT_MS, MEMORY_LIMIT, NO_WAREHOUSE, Warehouse

__all__ = [
    "ALIAS",
    "BUSY_TIMEOUT_MS",
    "CATALOG",
    "MEMORY_LIMIT",
    "NO_WAREHOUSE",
    "RAW_TABLES",
    "Warehouse",
    "has_table",
    "literal",
    "quoted",
    "transaction",
]
