"""A plain DuckDB file kept for this process while other code attaches it."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.warehouse.warehouse import Warehouse


@contextmanager
def reserved(warehouse: Warehouse) -> Iterator[None]:
    """Let no other process open a plain file until the block, or whatever attaches the file in it, closes it. Others
    then wait; dbt, which attaches the file itself, would fail. No effect on a DuckLake.

    The caller holds the writer's lock. Raises as `writing_in_turn` does.
    """
    if warehouse.plain_file is None:
        yield
        return
    # The lock is DuckDB's own, of the process: DuckDB takes it once more, and gives it up for all when it closes.
    with warehouse.plain_file.open("rb+") as file:
        while True:
            with warehouse.writing_in_turn():
                pass  # waits for its holder
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # a reader was faster
                continue
            break
        yield
