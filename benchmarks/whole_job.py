"""The whole job: the pipeline's run from file to Segment, and the same with bare parts.

    python -m benchmarks.whole_job PORT

The bare parts are the statements of `bare`, the messages of all events as JSON in Parquet, and ready-made bodies that
are sent to the stub server. What makes bodies of the messages is not measured.
"""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
from isal import igzip

from benchmarks import bare, end_to_end
from benchmarks.processes import Clone
from benchmarks.senders import KEY, post_all
from benchmarks.stub_server import serving
from pipeline.catalog import EVENTS
from pipeline.segment.client import GZIP_LEVEL, body_of
from pipeline.segment.messages import MAX_BATCH_BYTES, MAX_BATCH_EVENTS, SEPARATOR, MessageSource
from pipeline.settings import load_settings
from pipeline.warehouse import MEMORY_LIMIT, literal

# The parts of the job, and the steps of both that belong to them.
PARTS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "load": (("raw",), ("load",)),
    "models": (("models", "staging__events__checks"), ("type, identify", "deduplicate", "split")),
    "messages and sending": (
        ("delivery__outbox", *(f"delivery__{event.table}" for event in EVENTS)),
        ("messages", "send"),
    ),
}


@dataclass(frozen=True)
class WholeJob:
    """Seconds per step and in total, processor seconds, and the peak memory of the process in MB."""

    steps: Mapping[str, float]
    seconds: float
    worked: float
    peak: int


def measure_pipeline(clone: Clone) -> WholeJob:
    """A run that delivers to a stub server; its seconds are those of the process, start-up and report included."""
    with serving() as port:
        delivering = {
            "SEGMENT_WRITE_KEY": KEY,
            "SEGMENT_ENDPOINT": f"http://127.0.0.1:{port}",
            "SEGMENT_EVENTS_PER_SECOND": "0",
        }
        run = end_to_end.measure(replace(clone, environment={**clone.environment, **delivering}))
    return WholeJob(run.steps, run.seconds, run.worked, run.peak)


def measure_bare(clone: Clone) -> WholeJob:
    """The bare parts in a new process; its seconds are the sum of its parts."""
    with serving() as port:
        finished = clone.python("benchmarks.whole_job", port)
    steps = finished.answer["steps"]
    return WholeJob(steps, sum(steps.values()), finished.answer["worked"], finished.peak)


def main(port: int) -> None:
    """Run the bare parts in the copy, and print the seconds of each."""
    settings = load_settings()
    source = MessageSource(settings.schema_name, settings.integrations)
    with TemporaryDirectory() as folder, duckdb.connect(config={"memory_limit": MEMORY_LIMIT}) as connection:
        steps = bare.run_statements(connection, settings)
        started = time.perf_counter()
        for event in EVENTS:
            query = f"SELECT {source.message(event)} AS message FROM {source.table(event)}"
            connection.execute(f"COPY ({query}) TO {literal(f'{folder}/{event.table}.parquet')} (FORMAT parquet)")
        steps["messages"] = time.perf_counter() - started
        worked = time.process_time()
        bodies = list(_bodies(connection, Path(folder)))
    worked -= time.process_time()  # without the making of the bodies
    steps["send"] = post_all(port, bodies)
    json.dump({"steps": steps, "worked": worked + time.process_time()}, sys.stdout)


def _bodies(connection: duckdb.DuckDBPyConnection, folder: Path) -> Iterator[bytes]:
    cursor = connection.execute(f"SELECT message FROM read_parquet({literal(f'{folder}/*.parquet')})")
    messages: list[str] = []
    size = 0
    while rows := cursor.fetchmany(10_000):
        for (message,) in rows:
            length = len(message.encode()) + len(SEPARATOR)
            if len(messages) == MAX_BATCH_EVENTS or size + length > MAX_BATCH_BYTES:
                yield _body(messages)
                messages, size = [], 0
            messages.append(message)
            size += length
    if messages:
        yield _body(messages)


def _body(messages: list[str]) -> bytes:
    return igzip.compress(body_of(SEPARATOR.join(messages).encode(), datetime.now(UTC)), GZIP_LEVEL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
