"""Progress of steps that take long: a line each minute, in Dagster's UI and on the terminal."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dagster as dg
import duckdb
import sqlalchemy as sa

from pipeline.errors import PipelineError

_EVERY_SECONDS = 60.0
_MINUTE, _HOUR = 60, 3600
# DuckDB estimates how much of a query is done only where it would also print it.
ESTIMATED = "SET enable_progress_bar = true; SET enable_progress_bar_print = false"


class Progress:
    """What a step has done so far, in words; `current` is what it does now, and `query` returns how much of its query
    is done, in percent, or a negative number where that is not known.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.current = ""
        self.query: Callable[[], float] = lambda: -1.0
        self._clock = clock
        self._since = clock()
        self._noted = (0.0, 0, "", "")

    def note(self, share: float, done: int, unit: str, words: str) -> None:
        """Note the share of the work that is done (0 to 1), the number of units for the rate, and words for both."""
        self._noted = share, done, unit, words

    def watch(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Show how much of the connection's queries is done, by DuckDB's estimate."""
        connection.execute(ESTIMATED)
        self.query = connection.query_progress

    def __str__(self) -> str:
        share, done, unit, counted = self._noted
        seconds = self._clock() - self._since
        words = [counted] if counted else []
        if share > 0 and seconds > 0:
            words.append(f"{done / seconds:,.0f} {unit} per second")
            words.append(f"about {_time(seconds * max(1 - share, 0) / share)} left")
        else:
            words.append(f"running for {_time(seconds)}")
        current = [part for part in (self.current, self._estimate()) if part]
        return ", ".join(words) + (f"; {', '.join(current)}" if current else "")

    def _estimate(self) -> str:
        try:
            percent = self.query()
        except duckdb.Error:  # the connection has been closed
            return ""
        return f"{percent:.0f}% of its query done" if percent >= 0 else ""


def _time(seconds: float) -> str:
    if seconds < _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.1f} h"


@contextmanager
def every_minute(context: dg.AssetExecutionContext) -> Iterator[Progress]:
    """Log the progress each minute that the block takes."""
    progress, ended = Progress(), threading.Event()
    step = context.get_step_execution_context().step.key.replace("__", "/")

    def log() -> None:
        while not ended.wait(_EVERY_SECONDS):
            try:
                context.log.info(f"{step}: {progress}")
            except (OSError, PipelineError, sa.exc.SQLAlchemyError):
                return  # the log can't be written: the step's own events report why

    thread = threading.Thread(target=log, name="progress", daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        ended.set()
        thread.join()
