"""What a step that takes long logs each minute."""

import logging
import re
import threading

import dagster as dg
import duckdb
import pytest

from pipeline.orchestration import long_steps
from pipeline.orchestration.long_steps import Progress, every_minute

LOGGED_SECONDS = 60  # at most; a line comes after a hundredth of a second


def test_numbers_have_a_rate_and_the_time_left() -> None:
    now = iter([0.0, 30.0, 120.0, 7200.0])
    progress = Progress(lambda: next(now))
    progress.current = "reading a.csv"
    assert str(progress) == "running for 30 s; reading a.csv"
    progress.current = ""
    progress.note(0.25, 60_000, "rows", "1 of 3 files and 60,000 rows")
    assert str(progress) == "1 of 3 files and 60,000 rows, 500 rows per second, about 6 min left"
    assert str(progress) == "1 of 3 files and 60,000 rows, 8 rows per second, about 6.0 h left"


def test_nothing_done_yet_has_no_rate() -> None:
    now = iter([0.0, 61.0])
    progress = Progress(lambda: next(now))
    progress.note(0.0, 0, "events", "0 of 5 events")
    assert str(progress) == "0 of 5 events, running for 1 min"


def test_a_long_query_has_its_share() -> None:
    """DuckDB estimates it while the query runs, and has none before and after, nor of a closed connection."""
    connection = duckdb.connect()
    progress = Progress(lambda: 0.0)
    progress.current = "reading a.csv"
    progress.watch(connection)
    assert str(progress) == "running for 0 s; reading a.csv"
    # A scan of so many rows takes longer than any test may, so it ends when it is interrupted.
    endless = threading.Thread(target=_interrupted, args=(connection,))
    connection.execute("CREATE TABLE a AS SELECT range AS n FROM range(100_000)")
    endless.start()
    try:
        while "%" not in (words := str(progress)):
            assert endless.is_alive()
    finally:
        connection.interrupt()
        endless.join()
    assert re.fullmatch(r"running for 0 s; reading a\.csv, \d+% of its query done", words)
    connection.close()
    assert str(progress) == "running for 0 s; reading a.csv"


def _interrupted(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.InterruptException):
        connection.execute("SELECT max(hash(a.n, b.n, c.n)) FROM a, a AS b, a AS c")


def test_a_long_step_logs_its_progress_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_steps, "_EVERY_SECONDS", 0.01)
    logged, words = threading.Event(), list[str]()

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            words.append(record.getMessage())
            logged.set()

    @dg.asset(key=["raw", "events"])
    def slow(context: dg.AssetExecutionContext) -> None:
        context.log.addHandler(Handler(logging.INFO))
        with every_minute(context) as progress:
            progress.current = "tracks"
            logged.clear()
            assert logged.wait(LOGGED_SECONDS)
        assert not any(thread.name == "progress" for thread in threading.enumerate())

    assert dg.materialize([slow]).success
    assert any("raw/events: running for 0 s; tracks" in line for line in words)
