"""A strict Segment on loopback: the HTTP tracking API as its documentation describes it, and no kinder.

Every event of a request that was taken is, in the end, exactly one of received, duplicate or dropped. What
Segment would drop without a word (it answers 200 all the same) is counted here under Segment's own discard
codes where it has them, so that a test can assert that nothing was.

For trying things by hand: `python -m tests.fakes.segment_server --port 8765`.
"""

import argparse
import base64
import json
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tests.fakes.segment_faults import CloseBeforeReading, Fault, HangUp, Message, Misbehaviour, Pouring
from tests.fakes.segment_rules import MAX_BATCH_EVENTS, Batch, Refusal, discard_code, read_batch, sent_at_code
from tests.fakes.serving import Uvicorn

HEADERS_OF_INTEREST = (
    "host",
    "user-agent",
    "content-type",
    "content-encoding",
    "content-length",
    "x-retry-count",
)
Region = Literal["us", "eu"]


@dataclass(frozen=True)
class RequestRecord:
    """One request as the server saw it; `status` and `events` are None where there was none or none known."""

    number: int
    time: datetime
    path: str
    status: int | None
    events: int | None
    bytes: int
    headers: Mapping[str, str]
    fault: Fault | None
    refused_because: str | None


@dataclass(frozen=True)
class Dropped:
    """An event that got a 200 and is lost."""

    code: str
    message: Any


class SegmentServer(Misbehaviour):
    """Segment's `POST /v1/batch` on 127.0.0.1, while the `with` block lasts.

    What it saw can be read from any thread, at any time, also after the block: every property hands out a
    copy. A second `with` block brings the same server back at the same address, as after an outage.
    """

    url: str

    def __init__(
        self,
        write_key: str = "test-key",
        *,
        port: int = 0,
        region: Region = "us",
        source_region: Region | None = None,
        strict_auth: bool = False,
        too_large_status: int = 400,
        keep_messages: bool = True,
        counting_only: bool = False,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`region` is the endpoint's, `source_region` that of the write key's workspace (default: the same).

        `keep_messages=False` remembers ids only. `counting_only` reads, counts requests and bytes, answers
        200, and looks at nothing: for benchmarks.
        """
        super().__init__()
        self._authorization = "Basic " + base64.b64encode(f"{write_key}:".encode()).decode()
        self._port = port
        self._wrong_region = source_region not in (None, region)
        self._strict_auth = strict_auth
        self._too_large_status = too_large_status
        self._keep_messages = keep_messages
        self._counting_only = counting_only
        self._clock = clock
        self._arrivals = 0
        self._messages: dict[str, Message] = {}
        self._received_ids: set[str] = set()
        self._duplicates: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._dropped_messages: list[Dropped] = []
        self._requests: list[RequestRecord] = []

    def __enter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        self._uvicorn = Uvicorn(Starlette(routes=[Route("/{path:path}", self._respond, methods=methods)]))
        self._thread = threading.Thread(target=self._uvicorn.run, args=([listening],), daemon=True)
        self._thread.start()
        if not self._uvicorn.up.wait(timeout=30):
            raise RuntimeError("the Segment server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._uvicorn.stop()
        self._thread.join()

    @property
    def messages(self) -> dict[str, Message]:
        """The received messages by id, each as it came first."""
        with self._changed:
            return dict(self._messages)

    @property
    def received_ids(self) -> set[str]:
        """The ids of the events that Segment has."""
        with self._changed:
            return set(self._received_ids)

    @property
    def duplicates(self) -> Counter[str]:
        """How often each id came again.

        Segment docs, duplicate data: a `messageId` is deduplicated for at least 24 hours; here, for ever.
        """
        with self._changed:
            return Counter(self._duplicates)

    @property
    def dropped(self) -> Counter[str]:
        """Events lost after a 200, by code; only `empty_batch` counts requests."""
        with self._changed:
            return Counter(self._dropped)

    @property
    def dropped_messages(self) -> list[Dropped]:
        """The events lost after a 200, in the order they came."""
        with self._changed:
            return list(self._dropped_messages)

    @property
    def requests(self) -> list[RequestRecord]:
        """Every request, each recorded before its answer leaves."""
        with self._changed:
            return list(self._requests)

    def wait_for_requests(self, count: int, *, timeout: float = 30) -> None:
        """Until so many requests are recorded: for a sender that did not wait for its answer."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._requests) >= count, timeout):
                raise TimeoutError(f"{len(self._requests)} of {count} requests came within {timeout} seconds")

    def wait_until_idle(self, *, timeout: float = 30) -> None:
        """Until every connection is closed and what came over it is recorded: for a sender that was killed."""
        self._uvicorn.drain(timeout)

    def summary(self) -> dict[str, Any]:
        """All of it in numbers, fit for JSON."""
        with self._changed:
            return {
                "received": len(self._received_ids),
                "duplicates": self._duplicates.total(),
                "dropped": dict(self._dropped),
                "requests": dict(Counter(str(request.status or "no answer") for request in self._requests)),
                "bytes": sum(request.bytes for request in self._requests),
            }

    @property
    def arrivals(self) -> int:
        """Requests that came, answered or not."""
        with self._changed:
            return self._arrivals

    async def _respond(self, request: Request) -> Response:
        with self._changed:
            self._arrivals += 1
            number = self._arrivals
            fault = self._fault_on_arrival()
        wire = b""
        if isinstance(fault, CloseBeforeReading):
            batch: Batch | Refusal = Refusal(400, "the body was not read")
        else:
            try:
                wire = await request.body()
                batch = self._read(request, wire)
            except ClientDisconnect:
                batch = Refusal(400, "the sender hung up before the end of its body")
        messages = [m for m in batch.messages if isinstance(m, dict)] if isinstance(batch, Batch) else []
        if fault is None:
            fault = self._fault_after_reading(number, messages)
        elif not fault.applies(messages):
            fault = None

        if isinstance(batch, Refusal):
            body = json.dumps({"success": False, "message": batch.reason})
            answer = Response(body, batch.status, media_type="application/json")
        else:
            answer = Response('{"success": true}', media_type="application/json")
        if fault is not None:
            answer = fault.answer(answer)
        record = RequestRecord(
            number=number,
            time=self._clock(),
            path=request.url.path,
            status=None if isinstance(answer, HangUp | Pouring) else answer.status_code,
            events=len(batch.messages) if isinstance(batch, Batch) and not self._counting_only else None,
            bytes=len(wire),
            headers={name: request.headers[name] for name in HEADERS_OF_INTEREST if name in request.headers},
            fault=fault,
            refused_because=batch.reason if isinstance(batch, Refusal) else None,
        )
        with self._changed:
            if isinstance(batch, Batch) and (fault is None or fault.keeps) and not self._counting_only:
                self._take(batch, authorized=self._authorized(request))
            self._requests.append(record)
            self._changed.notify_all()
        return answer

    def _authorized(self, request: Request) -> bool:
        """Segment docs, HTTP API, authentication: HTTP Basic, the write key as user, an empty password."""
        return request.headers.get("authorization") == self._authorization

    def _read(self, request: Request, wire: bytes) -> Batch | Refusal:
        """Segment docs, HTTP API: batches go to `POST /v1/batch`. An unknown write key is no error there."""
        if request.url.path != "/v1/batch":
            return Refusal(404, "not found")
        if request.method != "POST":
            return Refusal(405, "only POST is allowed")
        if self._strict_auth and not self._authorized(request):
            return Refusal(401, "the write key is not known")
        if self._counting_only:
            return Batch([], [], None)
        return read_batch(request.headers, wire, too_large_status=self._too_large_status)

    def _take(self, batch: Batch, *, authorized: bool) -> None:
        """Sorts the events of a request that got its 200 into received, duplicate and dropped.

        Segment docs, HTTP API: at most 2,500 events a batch, the rest is lost. Regional Segment: so is what
        goes to the wrong region's endpoint.
        """
        if not batch.messages:
            self._dropped["empty_batch"] += 1
        of_all = sent_at_code(batch.sent_at, self._clock())
        if self._wrong_region:
            of_all = "wrong_region"
        if not authorized:
            of_all = "unknown_write_key"
        for position, (message, size) in enumerate(zip(batch.messages, batch.sizes, strict=True)):
            surplus = "too_many_events" if position >= MAX_BATCH_EVENTS else None
            if code := of_all or surplus or discard_code(message, size):
                self._dropped[code] += 1
                if self._keep_messages:
                    self._dropped_messages.append(Dropped(code, message))
            elif (message_id := message["messageId"]) in self._received_ids:
                self._duplicates[message_id] += 1
            else:
                self._received_ids.add(message_id)
                if self._keep_messages:
                    self._messages[message_id] = message


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves until SIGINT or SIGTERM, or for an hour, and prints what came."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes.segment_server", description=__doc__)
    parser.add_argument("--port", type=int, default=8765)
    parser.add_argument("--write-key", default="test-key")
    parser.add_argument("--region", choices=("us", "eu"), default="us", help="which endpoint this one stands for")
    parser.add_argument("--source-region", choices=("us", "eu"), help="the write key's, default: the same")
    parser.add_argument("--counting-only", action="store_true", help="look at nothing: for benchmarks")
    parser.add_argument("--forever", action="store_true", help="do not stop after an hour")
    chosen = parser.parse_args(arguments)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    server = SegmentServer(
        chosen.write_key,
        port=chosen.port,
        region=chosen.region,
        source_region=chosen.source_region,
        keep_messages=False,
        counting_only=chosen.counting_only,
    )
    with server:
        print(server.url, flush=True)
        stopped.wait(None if chosen.forever else 3600)
    print(json.dumps(server.summary(), indent=2), flush=True)


if __name__ == "__main__":
    main()
