"""A strict Public API on loopback: one source and its Delivery Overview, as Segment's documentation describes it.

It counts what was recorded, and answers 4xx to a request that Segment would refuse.
"""

import base64
import json
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.segment_server import SegmentServer
from tests.fakes.serving import Uvicorn

RECEIVED, FAILED, FILTERED = "successfully-received", "failed-on-ingest", "filtered-at-source"
DIMENSIONS = {
    RECEIVED: {"eventName", "eventType", "appVersion"},
    FAILED: {"eventName", "eventType", "appVersion", "discardReason"},
    FILTERED: {"eventName", "eventType", "appVersion", "discardReason"},
}


@dataclass(frozen=True)
class Limits:
    """Public API docs, Delivery Overview, granularity. Of hours' start the stricter reading: no more than 14 days."""

    bucket: timedelta
    longest: timedelta
    oldest: timedelta


GRANULARITIES = {
    "MINUTE": Limits(timedelta(minutes=1), timedelta(hours=4), timedelta(hours=48)),
    "HOUR": Limits(timedelta(hours=1), timedelta(days=14), timedelta(days=14)),
    "DAY": Limits(timedelta(days=1), timedelta(days=30), timedelta(days=30)),
}
NAMES = {"sourceId", "startTime", "endTime", "granularity", "pagination.count", "pagination.cursor"}


@dataclass(frozen=True)
class Happened:
    """So many events of one name at one moment, and what became of them."""

    stage: str
    event_name: str
    at: datetime
    events: int = 1
    reason: str | None = None


class Wrong(Exception):
    """A question that gets this status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class PublicApiServer:
    """`GET /delivery-overview/…` on 127.0.0.1, while the `with` block lasts."""

    url: str

    def __init__(
        self,
        token: str = "test-token",
        source_id: str = "source-1",
        *,
        requests_a_minute: int = 1000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._authorization = f"Bearer {token}"
        self._source_id = source_id
        self.source: Mapping[str, Any] = {
            "id": source_id,
            "slug": "selligent",
            "name": "Selligent",
            "workspaceId": "workspace-1",
            "enabled": True,
            "writeKeys": ["test-key"],
            "metadata": {"id": "metadata-1", "name": "HTTP API"},
            "settings": {},
            "labels": [],
        }
        self._requests_a_minute = requests_a_minute
        self._clock = clock
        self._window = (clock(), 0)
        self._answers: deque[Response] = deque()
        self._happened: list[Happened] = []
        self._lock = threading.Lock()
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.statuses: list[int] = []

    def __enter__(self) -> Self:
        listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        methods = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        self._uvicorn = Uvicorn(Starlette(routes=[Route("/{path:path}", self._respond, methods=methods)]))
        self._thread = threading.Thread(target=self._uvicorn.run, args=([listening],), daemon=True)
        self._thread.start()
        if not self._uvicorn.up.wait(timeout=30):
            raise RuntimeError("the Public API server did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._uvicorn.stop()
        self._thread.join()

    def record(self, *happened: Happened) -> None:
        """The source counted these."""
        with self._lock:
            self._happened += happened

    def feed(self, segment: SegmentServer, at: datetime) -> None:
        """What Segment received and dropped, all at one moment."""
        self.record(
            *(Happened(RECEIVED, message["event"], at) for message in segment.messages.values()),
            *(Happened(FAILED, drop.message["event"], at, reason=drop.code) for drop in segment.dropped_messages),
        )

    def answer_next(self, *answers: Response) -> None:
        """The next questions get these answers, whatever they ask."""
        with self._lock:
            self._answers += answers

    async def _respond(self, request: Request) -> Response:
        with self._lock:
            self.asked.append((request.url.path, dict(request.query_params)))
            response = self._answers.popleft() if self._answers else self._answer(request)
            self.statuses.append(response.status_code)
            return response

    def _answer(self, request: Request) -> Response:
        now = self._clock()
        try:
            if request.headers.get("authorization") != self._authorization:
                raise Wrong(401, "the token is not known")
            if limited := self._limited(now):
                return limited
            data = self._data(request, now)
        except Wrong as wrong:
            error = {"type": "RequestError", "message": str(wrong)}
            return JSONResponse({"errors": [error]}, wrong.status)
        return JSONResponse({"data": data}, headers=self._rate_headers())

    def _limited(self, now: datetime) -> Response | None:
        """Public API docs, Rate Limits."""
        start, consumed = self._window
        if now - start >= timedelta(minutes=1):
            start, consumed = now, 0
        self._window = (start, consumed + 1)
        if consumed < self._requests_a_minute:
            return None
        left = start + timedelta(minutes=1) - now
        data = {"remainingPoints": 0, "msBeforeNext": left // timedelta(milliseconds=1), "consumedPoints": consumed + 1}
        error = {"type": "RequestError", "message": "Too many requests", "data": data}
        return JSONResponse({"errors": [error]}, 429, headers=self._rate_headers())

    def _rate_headers(self) -> dict[str, str]:
        start, consumed = self._window
        return {
            "X-RateLimit-Consumed": str(consumed),
            "X-RateLimit-Remaining": str(max(0, self._requests_a_minute - consumed)),
            "X-RateLimit-Reset": format_datetime(start + timedelta(minutes=1), usegmt=True),
        }

    def _data(self, request: Request, now: datetime) -> dict[str, Any]:
        if request.url.path.startswith("/sources/"):
            return self._found_source(request)
        stage = request.url.path.removeprefix("/delivery-overview/")
        if stage == request.url.path or stage not in DIMENSIONS:
            raise Wrong(404, "no such route")
        if request.method != "GET":
            raise Wrong(405, "only GET is allowed")
        given = dict(request.query_params)
        if len(given) != len(request.query_params.multi_items()):
            raise Wrong(422, "a parameter stands there twice")
        dimensions = _dimensions(stage, given)
        if unknown := given.keys() - NAMES - {f"groupBy.{place}" for place in range(len(dimensions))}:
            raise Wrong(422, f"unknown parameters: {sorted(unknown)}")
        if given.get("sourceId") != self._source_id:
            raise Wrong(404 if given.get("sourceId") else 422, "no such source")
        limits, start, end = _window(given, now)
        groups: dict[tuple[str | None, ...], dict[datetime, int]] = defaultdict(lambda: defaultdict(int))
        for found in self._happened:
            if found.stage == stage and start <= found.at < end:
                values = {"eventName": found.event_name, "discardReason": found.reason, "eventType": "track"}
                bucket = found.at - (found.at - datetime(1970, 1, 1, tzinfo=UTC)) % limits.bucket
                groups[tuple(values.get(name) for name in dimensions)][bucket] += found.events
        return _page(dimensions, groups, given)

    def _found_source(self, request: Request) -> dict[str, Any]:
        """Public API docs, Sources: Get Source."""
        if request.method != "GET":
            raise Wrong(405, "only GET is allowed")
        if request.query_params:
            raise Wrong(422, "the route has no parameters")
        if request.url.path != f"/sources/{self._source_id}":
            raise Wrong(404, "no such source")
        return {"source": self.source}


def _dimensions(stage: str, given: Mapping[str, str]) -> list[str]:
    dimensions = []
    while (name := given.get(f"groupBy.{len(dimensions)}")) is not None:
        if name not in DIMENSIONS[stage]:
            raise Wrong(422, f"{stage} can't be grouped by {name}")
        dimensions.append(name)
    return dimensions


def _window(given: Mapping[str, str], now: datetime) -> tuple[Limits, datetime, datetime]:
    limits = GRANULARITIES.get(given.get("granularity", ""))
    try:
        start, end = (datetime.fromisoformat(given[name]) for name in ("startTime", "endTime"))
    except (KeyError, ValueError):
        raise Wrong(422, "startTime and endTime are ISO 8601") from None
    if limits is None or start.tzinfo is None or end.tzinfo is None or start >= end:
        raise Wrong(422, "the granularity is unknown, or the window is none")
    if end - start > limits.longest:
        raise Wrong(422, f"the window is longer than {limits.longest}")
    if now - start > limits.oldest:
        raise Wrong(422, f"the window starts more than {limits.oldest} ago")
    return limits, start, end


def _page(
    dimensions: list[str], groups: Mapping[tuple[str | None, ...], Mapping[datetime, int]], given: Mapping[str, str]
) -> dict[str, Any]:
    """Public API docs, Pagination: 1 to 200 items, an opaque cursor."""
    count = given.get("pagination.count", "10")
    if not count.isdigit() or not 1 <= int(count) <= 200:
        raise Wrong(422, "pagination.count is between 1 and 200")
    cursor = given.get("pagination.cursor", _cursor(0))
    cursors = [_cursor(place) for place in range(0, max(1, len(groups)), int(count))]
    if cursor not in cursors:
        raise Wrong(422, "no such cursor")
    place = cursors.index(cursor)
    shown = sorted(groups.items(), key=str)[place * int(count) :][: int(count)]
    dataset = [
        {
            **dict(zip(dimensions, key, strict=True)),
            "total": sum(series.values()),
            "series": [
                {"time": moment.strftime("%Y-%m-%dT%H:%M:%S.000Z"), "count": events}
                for moment, events in sorted(series.items())
            ],
        }
        for key, series in shown
    ]
    pagination = {"current": cursor, "totalEntries": len(groups)}
    if place + 1 < len(cursors):
        pagination["next"] = cursors[place + 1]
    total = sum(sum(series.values()) for series in groups.values())
    return {"total": total, "dataset": dataset, "pagination": pagination}


def _cursor(place: int) -> str:
    return base64.b64encode(json.dumps({"from": place}).encode()).decode()
