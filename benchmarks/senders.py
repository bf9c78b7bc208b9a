"""Ways to send events to Segment, each measured in a process of its own, in a copy of the project.

    python -m benchmarks.senders KIND PORT EVENTS [SECONDS]

SECONDS is the longest duration of an exchange of `pipeline`.

- copy: writes all messages to a Parquet file by one bare COPY: the work that a cut would be measured against.
- cut: weighs all messages and fills the outbox, in a process of its own so that its memory doesn't count as delivery's.
- pipeline: delivers the outbox.
- official: Segment's Python client with its defaults, except for a queue that drops nothing and no limit of requests.
  Events are read from the table row by row.
- naive: the obvious first version: rows as dictionaries, `requests.post(json=…)` of a hundred at a time.
- ready: sends prepared bodies over as many connections as `pipeline`: the upper limit of a sender based on `requests`.
"""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime
from tempfile import TemporaryDirectory
from typing import Any

import requests
from isal import igzip
from requests.adapters import HTTPAdapter

from benchmarks.processes import Clone
from benchmarks.stub_server import serving
from pipeline.catalog import EVENTS, EVENTS_BY_TABLE
from pipeline.export_dates import ExportDates
from pipeline.http.session import EXCHANGE_SECONDS
from pipeline.ledger import Ledger
from pipeline.segment.bodies import BodyReader, stretches
from pipeline.segment.client import GZIP_LEVEL, Retries, SegmentClient, body_of
from pipeline.segment.delivery import Transport, deliver
from pipeline.segment.enqueue import register
from pipeline.segment.messages import MessageSource
from pipeline.segment.outbox import cut, cut_batches
from pipeline.segment.rate_limiter import RateLimiter
from pipeline.settings import load_settings
from pipeline.warehouse import Warehouse

DAY = date(2024, 6, 11)
DATES = ExportDates(DAY, DAY)
CONNECTIONS = 8
EVENT = "email_opened"
NAIVE_BATCH = 100
KEY = "benchmark"

# One email, opened by all recipients.
_STAGED = """
    CREATE SCHEMA staging;
    CREATE TABLE staging.events AS
    SELECT
        CAST(md5(CAST(n AS VARCHAR)) AS UUID) AS id, DATE '2024-06-11' AS export_date, 'Email Opened' AS event_text,
        TIMESTAMPTZ '2024-06-10 00:00:00+00' + to_milliseconds(n) AS timestamp,
        'C-' || right(CAST(id AS VARCHAR), 8) AS user_id, right(CAST(id AS VARCHAR), 8) || '@example.com' AS email,
        '12' AS list_id, left(CAST(id AS VARCHAR), 8) AS selligent_user_id
    FROM range({events}) AS numbers(n);
    CREATE SCHEMA {schema};
    CREATE TABLE {schema}.email_opened AS
    SELECT
        CAST(id AS VARCHAR) AS id, timestamp, user_id,
        CAST(NULL AS VARCHAR) AS anonymous_id, event_text, 'Selligent Marketing Cloud' AS context_integration_name,
        '1' AS context_integration_version, 'selligent-to-segment' AS context_library_name,
        '1.0.0' AS context_library_version, email AS context_traits_email,
        list_id AS context_selligent_list_id, selligent_user_id AS context_selligent_user_id,
        CAST(NULL AS VARCHAR) AS context_selligent_send_id, false AS context_selligent_is_bot,
        CAST(NULL AS VARCHAR) AS context_ip, CAST(NULL AS VARCHAR) AS context_user_agent, '7743' AS email_id,
        'Zoë & Åsa | onze zomerfavorieten' AS email_subject, '5120' AS campaign_id, 'NL_2024_06' AS campaign_name
    FROM staging.events
"""
_OTHER_TABLES = "CREATE TABLE {schema}.{table} AS SELECT *{more} FROM {schema}.email_opened WHERE false"


def prepare(events: int) -> None:
    """Create the tables that dbt would create, with this many events."""
    settings = load_settings()
    with Warehouse.of(settings).writing() as connection:
        for statement in _STAGED.format(events=events, schema=settings.schema_name).split(";"):
            connection.execute(statement)
        for event in EVENTS:
            if event.table != EVENT:
                names = [name for name in event.properties if name.startswith(("link", "list"))]
                more = "".join(f", CAST(NULL AS VARCHAR) AS {name}" for name in names)
                connection.execute(_OTHER_TABLES.format(schema=settings.schema_name, table=event.table, more=more))


def copy_messages(_port: int, _events: int) -> dict[str, float]:
    """Write all messages, without batches or a warehouse."""
    event = EVENTS_BY_TABLE[EVENT]
    with Warehouse.of(load_settings()).reading() as connection:
        source = MessageSource.of(load_settings(), connection)
        started = time.perf_counter()
        with TemporaryDirectory() as folder:
            connection.execute(
                f"COPY (SELECT {source.message(event)} AS message FROM {source.table(event)}) "
                f"TO '{folder}/messages.parquet'"
            )
        return {"seconds": time.perf_counter() - started}


def fill_outbox(_port: int, _events: int) -> dict[str, float]:
    """Cut all events into batches."""
    settings, now = load_settings(), datetime.now(UTC)
    started = time.perf_counter()
    with Warehouse.of(settings).writing() as connection:
        cut(connection, settings.schema_name, DATES, now)
        register(connection, Ledger(settings.ledger), DATES, now)
    return {"seconds": time.perf_counter() - started}


def deliver_outbox(port: int, _events: int, exchange_seconds: float = EXCHANGE_SECONDS) -> dict[str, float]:
    """Deliver the batches in the outbox."""
    ledger = Ledger(load_settings().ledger)
    retries = Retries(exchange_seconds=exchange_seconds)
    client = SegmentClient(f"http://127.0.0.1:{port}", KEY, CONNECTIONS, RateLimiter(0), retries=retries)
    started = time.perf_counter()
    with Warehouse.of(load_settings()).reading() as connection:
        reader = BodyReader(connection, MessageSource.of(load_settings(), connection))
        sent = deliver(reader, ledger, EVENT, DATES, Transport(client.send, CONNECTIONS))
    assert sent.stopped_by is None
    return {"seconds": time.perf_counter() - started, "batches": sent.batches}


def official(port: int, events: int) -> dict[str, float]:
    """Send with Segment's own client."""
    from segment.analytics.client import Client

    client = Client(KEY, host=f"http://127.0.0.1:{port}", max_queue_size=events + 1, gzip=True, on_error=_fail)
    started = time.perf_counter()
    for row in _rows(events):
        client.track(
            user_id=row["user_id"],
            event=row["event_text"],
            properties={name: row[name] for name in ("email_id", "email_subject", "campaign_id", "campaign_name")},
            context={"traits": {"email": row["context_traits_email"]}},
            timestamp=row["timestamp"],
            message_id=row["id"],
        )
    client.flush()
    client.shutdown()
    return {"seconds": time.perf_counter() - started}


def naive(port: int, events: int) -> dict[str, float]:
    """Send dictionaries in a loop."""
    started = time.perf_counter()
    messages: list[dict[str, Any]] = []
    with requests.Session() as session:

        def send() -> None:
            answer = session.post(f"http://127.0.0.1:{port}/v1/batch", json={"batch": messages}, auth=(KEY, ""))
            answer.raise_for_status()
            messages.clear()

        for row in _rows(events):
            messages.append(
                {
                    "type": "track",
                    "messageId": row["id"],
                    "userId": row["user_id"],
                    "event": row["event_text"],
                    "timestamp": row["timestamp"].isoformat(),
                    "properties": {n: row[n] for n in ("email_id", "email_subject", "campaign_id", "campaign_name")},
                    "context": {"traits": {"email": row["context_traits_email"]}},
                }
            )
            if len(messages) == NAIVE_BATCH:
                send()
        if messages:
            send()
    return {"seconds": time.perf_counter() - started}


def ready(port: int, _events: int) -> dict[str, float]:
    """Send bodies that were prepared from the outbox."""
    with Warehouse.of(load_settings()).reading() as connection:
        reader = BodyReader(connection, MessageSource.of(load_settings(), connection))
        ready_made = [
            igzip.compress(body_of(body.messages, datetime.now(UTC)), GZIP_LEVEL)
            for stretch in stretches(cut_batches(connection, DATES))
            for body in reader.bodies(stretch, [])
        ]
    return {"seconds": post_all(port, ready_made)}


def post_all(port: int, bodies: Sequence[bytes]) -> float:
    """Post compressed bodies over as many connections as the pipeline has; the seconds."""
    session = requests.Session()
    session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS, pool_block=True))
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}

    def send(body: bytes) -> None:
        session.post(f"http://127.0.0.1:{port}/v1/batch", data=body, headers=headers, auth=(KEY, "")).raise_for_status()

    started = time.perf_counter()
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for _ in pool.map(send, bodies):
            pass
    return time.perf_counter() - started


def _rows(events: int) -> Iterator[dict[str, Any]]:
    with Warehouse.of(load_settings()).reading() as connection:
        cursor = connection.execute(f"SELECT * FROM {load_settings().schema_name}.{EVENT} LIMIT {events}")
        names = [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(10_000):
            for row in rows:
                yield dict(zip(names, row, strict=True))


def _fail(error: object, _batch: object) -> None:
    raise SystemExit(f"the official client failed: {error}")


KINDS = {
    "copy": copy_messages,
    "cut": fill_outbox,
    "pipeline": deliver_outbox,
    "official": official,
    "naive": naive,
    "ready": ready,
}


@dataclass(frozen=True)
class SenderRun:
    """Seconds for a number of events, the number of batches (`pipeline` only), and the process's peak memory in MB."""

    events: int
    seconds: float
    batches: int
    peak: int


def measure(clone: Clone, kind: str, events: int, response_seconds: float = 0) -> SenderRun:
    """Measure one sender in a new process, against a server of its own."""
    with serving(response_seconds) as port:
        finished = clone.python("benchmarks.senders", kind, port, str(events))
    return SenderRun(events, finished.answer["seconds"], finished.answer.get("batches", 0), finished.peak)


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        prepare(int(sys.argv[2]))
    elif len(sys.argv) > 4:
        deliver_outbox(int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
    else:
        json.dump(KINDS[sys.argv[1]](int(sys.argv[2]), int(sys.argv[3])), sys.stdout)
