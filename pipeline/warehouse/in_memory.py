"""DuckDB without a warehouse, to read files with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from pipeline.settings import SPILL_DIR
from pipeline.warehouse.warehouse import MEMORY_LIMIT


@contextmanager
def in_memory(spill: Path = SPILL_DIR, threads: int | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory, which spills to a folder. It uses all cores, or so many threads."""
    spill.parent.mkdir(parents=True, exist_ok=True)  # DuckDB makes the last part only
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(spill)}) as connection:
        if threads is not None:
            connection.execute(f"SET threads = {threads}")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_external_file_cache = false")  # the system caches local files
        yield connection
