"""The storage of the tables: attached, read and written here only."""

from pipeline.warehouse.orphans import find_orphans, remove_files
from pipeline.warehouse.readable_copy import readable
from pipeline.warehouse.schema.tables import RAW_TABLES, has_table
from pipeline.warehouse.sql import (
    ALIAS,
    CATALOG,
    has_rows,
    literal,
    one_column,
    one_row,
    one_value,
    quoted,
    transaction,
)
from pipeline.warehouse.warehouse import BUSY_TIMEOUT_MS, MEMORY_LIMIT, ONE_SNAPSHOT, Warehouse, are_checked

__all__ = [
    "ALIAS",
    "BUSY_TIMEOUT_MS",
    "CATALOG",
    "MEMORY_LIMIT",
    "ONE_SNAPSHOT",
    "RAW_TABLES",
    "Warehouse",
    "are_checked",
    "find_orphans",
    "has_rows",
    "has_table",
    "literal",
    "one_column",
    "one_row",
    "one_value",
    "quoted",
    "readable",
    "remove_files",
    "transaction",
]
