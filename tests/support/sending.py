"""Segment on loopback with its request bodies kept, and a clock that only sleeping moves."""

import gzip
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.requests import Request

from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.segment.bisection import Send
from pipeline.segment.circuit_breaker import CircuitBreaker
from pipeline.segment.client import Retries, SegmentClient
from pipeline.segment.delivery import DeliveryResult, History, Transport, deliver
from pipeline.segment.rate_limiter import RateLimiter
from tests.fakes.segment_rules import Batch, Refusal
from tests.fakes.segment_server import SegmentServer
from tests.support.modelled_tables import DATES, TABLES, Lake

KEY = "Wk7vQ2-write-key-secret"
START = datetime(2026, 3, 2, 6, 30, tzinfo=UTC)


class FakeTime:
    """A clock that stands still but for sleeping."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []
        self._lock = threading.Lock()

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds
            self.slept.append(seconds)


class RecordingServer(SegmentServer):
    """The strict Segment, which also keeps each request's body as it was before it was compressed."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.bodies: list[bytes] = []

    def _read(self, request: Request, wire: bytes) -> Batch | Refusal:
        with self._changed:
            self.bodies.append(gzip.decompress(wire))
        return super()._read(request, wire)

    @property
    def sent_at(self) -> list[datetime]:
        return [datetime.fromisoformat(json.loads(body)["sentAt"]) for body in self.bodies]

    @property
    def sent_ids(self) -> list[list[str]]:
        return [[message["messageId"] for message in json.loads(body)["batch"]] for body in self.bodies]

    @property
    def statuses(self) -> list[int | None]:
        return [request.status for request in self.requests]


@dataclass(frozen=True)
class Sender:
    """Delivery to one server, without real waiting."""

    lake: Lake
    ledger: Ledger
    server: RecordingServer
    time: FakeTime

    def client(self, connections: int = 1, max_attempts: int = 8, endpoint: str | None = None) -> SegmentClient:
        return client_for(endpoint or self.server.url, self.time, connections, max_attempts)

    def deliver(
        self,
        event: str = "email_opened",
        dates: ExportDates = DATES,
        *,
        send: Send | None = None,
        connections: int = 1,
        max_attempts: int = 8,
        history: History | None = None,
        progress: Callable[[int, int], None] = lambda _done, _of: None,
        **options: Any,
    ) -> DeliveryResult:
        client = self.client(connections, max_attempts)
        try:
            return deliver(
                self.lake.reader,
                self.ledger,
                event,
                dates,
                Transport(send or client.send, connections, self.time.now, history, **options),
                progress,
            )
        finally:
            client.close()

    def deliver_all(self, dates: ExportDates = DATES, connections: int = 2) -> Mapping[str, DeliveryResult]:
        return {table: self.deliver(table, dates, connections=connections) for table in TABLES.values()}

    def standing(self, event: str = "email_opened", dates: ExportDates = DATES) -> tuple[int, int, int]:
        """Delivered, waiting, dead."""
        standing = self.ledger.standing_of(event, dates)
        return standing.delivered, standing.waiting, standing.dead

    def duplicated_batches(self) -> set[str]:
        """Batches of which Segment got an event twice."""
        batch_of = {key: batch_id for batch_id, ids in self.lake.batches().items() for key in ids}
        return {batch_of[key] for key in self.server.duplicates}


def client_for(
    endpoint: str,
    time: FakeTime,
    connections: int = 1,
    max_attempts: int = 8,
    write_key: str = KEY,
    events_per_second: float = 0,
    cooldown_seconds: float = 300,
    exchange_seconds: float = 60,
    note: Callable[[str], None] = lambda _: None,
) -> SegmentClient:
    return SegmentClient(
        endpoint,
        write_key,
        connections,
        RateLimiter(events_per_second, time.clock, time.sleep),
        CircuitBreaker(time.clock, cooldown_seconds),
        Retries(max_attempts, exchange_seconds=exchange_seconds, clock=time.now, sleep=time.sleep, note=note),
    )
