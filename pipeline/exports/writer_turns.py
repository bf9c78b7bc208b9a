"""The turns in which a step writes to the warehouse; in between, others do."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Self

import duckdb


class WriterTurns:
    """A connection for writing that is there only in a turn. `turn` waits for one, and is its context manager.

    As a context manager of its own, it releases the last turn at its end.
    """

    def __init__(self, turn: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]) -> None:
        self._turn = turn
        self._held = ExitStack()
        self._connection: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def take(self) -> duckdb.DuckDBPyConnection:
        """The connection of the turn that is held, or of the next one; raises as `turn` does."""
        if self._connection is None:
            self._connection = self._held.enter_context(self._turn())
        return self._connection

    def release(self) -> None:
        """Release the turn, if one is held."""
        self._connection = None
        self._held.close()
