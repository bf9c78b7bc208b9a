"""Ways in which Segment, or the network before it, can fail a request.

Each fault is a value that is handed to `SegmentServer.misbehave` or `SegmentServer.misbehave_when`. What
matters most about a fault is `keeps`: whether the events of the request count as received although, or
because the sender got another answer.
"""

import asyncio
import contextlib
import random
import socket
import struct
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

Message = dict[str, Any]
Predicate = Callable[[int, Sequence[Message]], bool]
_POURED_AT_ONCE = 1_000_000


class HangUp(Response):
    """The connection ends after `sent`, which may be nothing; with `reset` by RST instead of FIN."""

    def __init__(self, sent: bytes = b"", *, reset: bool = False) -> None:
        super().__init__(sent)
        self.reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        if self.reset and not transport.is_closing():
            linger_no_time = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_no_time)
        transport.write(bytes(self.body))
        transport.close()
        # Uvicorn would answer 500 in our place if this returned before it has seen the connection end.
        while (await receive())["type"] != "http.disconnect":
            pass


class Pouring(Response):
    """Bytes without an end, until the other side or the server has had enough of it."""

    def __init__(self, head: bytes, more: bytes, pause: float) -> None:
        super().__init__()
        self.head, self.more, self.pause = head, more, pause

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport: asyncio.Transport = scope["state"]["transport"]
        transport.write(self.head)
        while not transport.is_closing() and not scope["app"].state.stopping.is_set():
            if transport.get_write_buffer_size() < _POURED_AT_ONCE:
                transport.write(self.more)
            await asyncio.sleep(self.pause)
        transport.close()
        while (await receive())["type"] != "http.disconnect":
            pass


class Announced(Response):
    """An answer behind an interim one."""

    def __init__(self, interim: bytes, answer: Response) -> None:
        super().__init__(status_code=answer.status_code)
        self.interim, self.answer = interim, answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["transport"].write(self.interim)
        await self.answer(scope, receive, send)


class Delayed(Response):
    """An answer that waits for `seconds`, or until the server stops."""

    def __init__(self, answer: Response, seconds: float) -> None:
        super().__init__(status_code=answer.status_code)
        self.answer = answer
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(scope["app"].state.stopping.wait(), self.seconds)
        await self.answer(scope, receive, send)


class Fault(ABC):
    """One way to misbehave."""

    @property
    @abstractmethod
    def keeps(self) -> bool:
        """Whether the events count as received."""

    @abstractmethod
    def answer(self, regular: Response) -> Response:
        """What the sender gets instead of the regular answer."""

    def applies(self, messages: Sequence[Message]) -> bool:
        """Whether a request with these messages is hit at all."""
        return True


@dataclass(frozen=True)
class Answer(Fault):
    """Another answer. The events are kept after a 2xx, lost otherwise; `kept` overrides the status,
    as with a gateway that answers 504 for a request that went through."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict, hash=False)
    body: str | bytes = '{"success": false}'
    kept: bool | None = None

    @property
    def keeps(self) -> bool:
        return 200 <= self.status < 300 if self.kept is None else self.kept

    def answer(self, regular: Response) -> Response:
        return Response(self.body, self.status, dict(self.headers))


def too_many_requests(retry_after: int | str | datetime) -> Answer:
    """Segment docs, HTTP API, rate limits: 429 with `Retry-After` and `X-RateLimit-Reset` in seconds.

    A `datetime` (in UTC) becomes an HTTP-date; text goes out as it is, however wrong.
    """
    if isinstance(retry_after, datetime):
        return Answer(429, {"Retry-After": format_datetime(retry_after, usegmt=True)})
    return Answer(429, {"Retry-After": str(retry_after), "X-RateLimit-Reset": str(retry_after)})


@dataclass(frozen=True)
class RejectMessage(Fault):
    """400 for the whole request if the batch holds this message (by id, or by a predicate)."""

    which: str | Callable[[Message], bool]
    keeps = False

    def applies(self, messages: Sequence[Message]) -> bool:
        if isinstance(self.which, str):
            return any(message.get("messageId") == self.which for message in messages)
        return any(map(self.which, messages))

    def answer(self, regular: Response) -> Response:
        return Response('{"success": false, "message": "a message was rejected"}', 400)


@dataclass(frozen=True)
class CloseBeforeReading(Fault):
    """The connection ends before the body was read (queued by `misbehave`), or before it was looked at."""

    reset: bool = False
    keeps = False

    def answer(self, regular: Response) -> Response:
        return HangUp(reset=self.reset)


@dataclass(frozen=True)
class CloseAfterReading(Fault):
    """The events are taken, and the connection ends without an answer."""

    reset: bool = False
    keeps = True

    def answer(self, regular: Response) -> Response:
        return HangUp(reset=self.reset)


@dataclass(frozen=True)
class CutAnswer(Fault):
    """The events are taken, and the answer breaks off after so many bytes of its body."""

    after: int = 9
    keeps = True

    def answer(self, regular: Response) -> Response:
        head = b"".join(b"%s: %s\r\n" % header for header in regular.raw_headers)
        body = bytes(regular.body)[: self.after]
        return HangUp(b"HTTP/1.1 %d \r\n%s\r\n%s" % (regular.status_code, head, body))


@dataclass(frozen=True)
class Slow(Fault):
    """The events are taken at once, and the answer comes after so many seconds."""

    seconds: float
    keeps = True

    def answer(self, regular: Response) -> Response:
        return Delayed(regular, self.seconds)


@dataclass(frozen=True)
class Garbage(Fault):
    """200 and a web page: another server answered (a proxy, a hotel's login), and Segment saw nothing."""

    body: str = "<!doctype html><title>Welcome</title><p>Please accept our terms.</p>"
    kept: bool = False

    @property
    def keeps(self) -> bool:
        return self.kept

    def answer(self, regular: Response) -> Response:
        return Response(self.body, 200, media_type="text/html")


@dataclass(frozen=True)
class Endless(Fault):
    """The events are taken, and the answer has no end: `more` comes again and again, `pause` seconds apart."""

    head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{"
    more: bytes = b" " * 10_000
    pause: float = 0
    keeps = True

    def answer(self, regular: Response) -> Response:
        return Pouring(self.head, self.more, self.pause)


@dataclass(frozen=True)
class EarlyHints(Fault):
    """The regular answer, behind a 103 (RFC 8297): no fault for a client that does not treat that as the answer."""

    keeps = True

    def answer(self, regular: Response) -> Response:
        return Announced(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", regular)


BLOCKED = "<!doctype html><title>Bad Request</title><p>Blocked by policy.</p>"
"""What a proxy answers in Segment's place."""

EVERY_KIND: tuple[Fault, ...] = (
    Answer(500),
    Answer(503),
    Answer(504, kept=True),
    too_many_requests(0),
    CloseBeforeReading(),
    CloseBeforeReading(reset=True),
    CloseAfterReading(),
    CutAnswer(),
    Garbage(),
    Answer(400, {"Server": "squid"}, BLOCKED),
    Answer(413, {"Via": "1.1 gateway"}, BLOCKED),
    Answer(422, body='{"message": "Blocked by policy."}'),
)
"""What `SegmentServer.fail_randomly` draws from: all of it passes when sent again, none of it takes time."""


WITHOUT_END: tuple[Fault, ...] = (
    Endless(),
    Endless(b"HTTP/1.1 503 Busy\r\n\r\n", b"x" * 10_000),
    Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000),
)
"""Answers as large as the client will read."""

DRIPS: tuple[Fault, ...] = (
    Endless(more=b" ", pause=2),
    Endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.5),
)
"""Drips: each holds a connection for as long as the sender's patience lasts."""


class Misbehaviour:
    """Which request shall fail, and how. Safe to use from any thread, also while requests come in."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queued: deque[Fault] = deque()
        self._standing: list[tuple[Predicate, Fault]] = []
        self._share = 0.0
        self._dice = random.Random()
        self._mix: Sequence[Fault] = EVERY_KIND

    def misbehave(self, *faults: Fault) -> None:
        """The next requests fail in these ways, one each, before any other fault has its turn."""
        with self._changed:
            self._queued.extend(faults)

    def misbehave_when(self, predicate: Predicate, fault: Fault) -> None:
        """From now on every request for which `predicate(number, messages)` is true fails in this way.

        Requests are numbered from 1; a request that is refused anyway has no messages.
        """
        with self._changed:
            self._standing.append((predicate, fault))

    def fail_randomly(self, share: float, seed: int, faults: Sequence[Fault] = EVERY_KIND) -> None:
        """About this share of the requests fails; which and how follows from the seed and their order."""
        with self._changed:
            self._share, self._dice, self._mix = share, random.Random(seed), faults

    def behave(self) -> None:
        """Forgets every fault that was asked for."""
        with self._changed:
            self._queued.clear()
            self._standing.clear()
            self._share = 0.0

    def _fault_on_arrival(self) -> Fault | None:
        """The fault of a request of which nothing is known yet."""
        with self._changed:
            if self._queued:
                return self._queued.popleft()
            return self._dice.choice(self._mix) if self._dice.random() < self._share else None

    def _fault_after_reading(self, number: int, messages: Sequence[Message]) -> Fault | None:
        with self._changed:
            standing = list(self._standing)
        # Without the lock: a predicate may look at the server.
        faults = (fault for predicate, fault in standing if predicate(number, messages))
        return next((fault for fault in faults if fault.applies(messages)), None)
