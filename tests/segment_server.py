"""A strict Segment on loopback: the HTTP tracking API as its documentation describes it, and no kinder.

Every event of a request that was taken is, in the end, exactly one of received, duplicate or dropped. What
Segment would drop without a word (it answers 200 all the same) is counted here under Segment's own discard
codes where it has them, so that a test can assert that nothing was.

For trying things by hand: `python -m tests.segment_server --port 8765`.
"""

import argparse
import asyncio
import base64
import contextlib
import gzip
import json
import re
import signal
import socket
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NoReturn, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from uvicorn.protocols.http.h11_impl import H11Protocol

from tests.segment_faults import CloseBeforeReading, Fault, HangUp, Message, Misbehaviour

MAX_BATCH_BYTES = 500 * 1000
MAX_BATCH_EVENTS = 2_500
MAX_EVENT_BYTES = 32 * 1000
MESSAGE_ID_LIMIT = 100
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)
HEADERS_OF_INTEREST = (
    "host",
    "user-agent",
    "content-type",
    "content-encoding",
    "content-length",
    "x-retry-count",
)
TYPES = ("identify", "track", "page", "screen", "group", "alias")
REQUIRED_BY_TYPE = {"group": "groupId", "alias": "previousId"}
IDS = ("userId", "anonymousId", "groupId", "previousId")
OBJECTS = ("properties", "traits", "context", "integrations")
ISO_8601 = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
JSON_SPACE = re.compile(r"[ \t\n\r]*")

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


@dataclass(frozen=True)
class Batch:
    """What a valid request carries; `sizes` are the bytes of each event as it was written."""

    messages: Sequence[Any]
    sizes: Sequence[int]
    sent_at: Any


@dataclass(frozen=True)
class Refusal:
    """A request that is refused as a whole."""

    status: int
    reason: str


def read_batch(headers: Mapping[str, str], wire: bytes, *, too_large_status: int = 400) -> Batch | Refusal:
    """Segment docs, HTTP API, headers and errors: JSON, gzip accepted, 500 KB uncompressed, else 400."""
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return Refusal(400, "Content-Type is not application/json")
    try:
        match headers.get("content-encoding", "identity").strip().lower():
            case "gzip":
                body = gzip.decompress(wire)
            case "identity":
                body = wire
            case other:
                return Refusal(400, f"Content-Encoding {other!r} is not known")
        if len(body) > MAX_BATCH_BYTES:
            return Refusal(too_large_status, f"{len(body)} bytes are more than {MAX_BATCH_BYTES}")
        text = body.decode("utf-8")
        envelope = json.loads(text, parse_constant=_refuse_constant)
    except (OSError, EOFError, zlib.error, ValueError, RecursionError) as error:
        return Refusal(400, f"{type(error).__name__}: {error}")
    if not isinstance(envelope, dict) or not isinstance(envelope.get("batch"), list):
        return Refusal(400, "the body is not an object with a list 'batch'")
    return Batch(envelope["batch"], _sizes_as_sent(text), envelope.get("sentAt"))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _sizes_as_sent(text: str) -> list[int]:
    r"""The size of each event in the text of a valid envelope: blanks and `\u` escapes count too."""
    decode = json.JSONDecoder().raw_decode

    def after_space(position: int) -> int:
        return JSON_SPACE.match(text, position).end()  # type: ignore[union-attr]  # matches anywhere

    at = after_space(after_space(0) + 1)
    while True:
        key, at = decode(text, at)
        at = after_space(after_space(at) + 1)
        if key == "batch":
            break
        at = after_space(after_space(decode(text, at)[1]) + 1)
    sizes = []
    at = after_space(at + 1)
    while text[at] != "]":
        end = decode(text, at)[1]
        sizes.append(len(text[at:end].encode()))
        at = after_space(end)
        if text[at] == ",":
            at = after_space(at + 1)
    return sizes


def iso_8601(value: Any) -> datetime | None:
    """Segment docs, common fields: dates are ISO 8601 strings. One without an offset is taken as UTC."""
    if not isinstance(value, str) or not ISO_8601.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def sent_at_code(sent_at: Any, now: datetime) -> str | None:
    """Segment docs, common fields: `timestamp = receivedAt - (sentAt - originalTimestamp)`.

    Segment itself would keep the events, at a wrong time; here they are dropped, so that nobody overlooks it.
    """
    if sent_at is None:
        return "sent_at_missing"
    moment = iso_8601(sent_at)
    if moment is None:
        return "sent_at_not_iso8601"
    return "stale_sent_at" if abs(now - moment) > MAX_CLOCK_DIFFERENCE else None


def discard_code(message: Any, size: int) -> str | None:
    """Why Segment would drop this event after its 200, or None.

    The codes are those of Segment docs, delivery overview, discards; where Segment has none, our own.
    """
    if not isinstance(message, dict):
        return "message_not_object"
    if size > MAX_EVENT_BYTES:
        return "event_too_large"
    return (
        _type_code(message)
        or _message_id_code(message)
        or _identity_code(message)
        or next((f"{key}_not_object" for key in OBJECTS if not isinstance(message.get(key, {}), dict)), None)
        or ("timestamp_not_iso8601" if "timestamp" in message and not iso_8601(message["timestamp"]) else None)
    )


def _type_code(message: Message) -> str | None:
    """Segment docs, HTTP API: six types of call; a track has an event name, a group and an alias their id."""
    kind = message.get("type")
    if not isinstance(kind, str) or kind not in TYPES:
        return "type_unknown"
    event = message.get("event")
    if kind == "track" and event in (None, ""):
        return "event_not_defined"
    if event is not None and not isinstance(event, str):
        return "event_not_string"
    if kind in REQUIRED_BY_TYPE and not message.get(REQUIRED_BY_TYPE[kind]):
        return "id_required"
    return None


def _message_id_code(message: Message) -> str | None:
    """Segment docs, common fields: `messageId` is limited to fewer than 100 characters."""
    message_id = message.get("messageId")
    if message_id is None:
        return "message_id_missing"
    if not isinstance(message_id, str) or not message_id:
        return "message_id_not_string"
    return "message_id_too_long" if len(message_id) >= MESSAGE_ID_LIMIT else None


def _identity_code(message: Message) -> str | None:
    """Segment docs, HTTP API, identities: every call has a `userId` or an `anonymousId`, an alias the first; each id
    is non-empty text.
    """
    given = {key: message[key] for key in IDS if message.get(key) is not None}
    if not given.keys() & ({"userId"} if message["type"] == "alias" else {"userId", "anonymousId"}):
        return "no_user_anon_id"
    return None if all(isinstance(value, str) and value for value in given.values()) else "id_not_string"


class _Protocol(H11Protocol):
    """Uvicorn's HTTP protocol, which lets the application reach the connection in order to break it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(transport)


class Uvicorn(uvicorn.Server):
    """Uvicorn that says when it is up and stops when told, instead of looking ten times a second."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=_Protocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
            )
        )
        self.state = app.state
        self.up = threading.Event()

    async def main_loop(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.state.stopping = asyncio.Event()
        self.up.set()
        await self.state.stopping.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5):
                while self.server_state.connections or self.server_state.tasks:
                    await asyncio.sleep(0.001)

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.state.stopping.set)


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
            status=None if isinstance(answer, HangUp) else answer.status_code,
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
    parser = argparse.ArgumentParser(prog="python -m tests.segment_server", description=__doc__)
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
