"""dbt's queries end when a signal comes."""

import threading

import duckdb
import pytest
from dbt_common.exceptions import DbtRuntimeError

from pipeline.models.dbt_plugin import Interrupt


def test_a_query_in_progress_is_interrupted_and_none_begins_after_it() -> None:
    interrupt, begun = Interrupt(), threading.Event()
    with duckdb.connect() as connection:
        cursor = connection.cursor()
        interrupt.add(cursor)
        connection.create_function("begin", lambda: begun.set() or 1, [], "INTEGER", side_effects=True)

        def stop() -> None:
            begun.wait()
            interrupt.set()

        stopping = threading.Thread(target=stop)
        stopping.start()
        with pytest.raises(duckdb.InterruptException):
            cursor.execute("SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b WHERE begin() = 1")
        stopping.join()
        with pytest.raises(DbtRuntimeError, match="interrupted"):
            interrupt.add(connection.cursor())
        interrupt.clear()
        interrupt.add(connection.cursor())
