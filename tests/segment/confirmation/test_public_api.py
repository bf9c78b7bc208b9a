"""The client of Segment's Public API keeps to its limits, reads whole answers or none, and never reveals the token."""

import logging
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from starlette.responses import JSONResponse, Response

from pipeline.http.errors import host_of
from pipeline.segment.confirmation.public_api import RETRIES, Count, PublicApiClient, Stage, Unanswered
from tests.fakes.public_api_server import FAILED, RECEIVED, Happened, PublicApiServer
from tests.fakes.raw_http import answering
from tests.support.sending import FakeTime

TOKEN = "sgp_Tk9x-token-secret"
TEN = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
WINDOW = TEN, TEN + timedelta(hours=2)
NAMES = [f"Event {number}" for number in range(5)]


@pytest.fixture
def server(time: FakeTime) -> Iterator[PublicApiServer]:
    with PublicApiServer(TOKEN, clock=time.now) as server:
        yield server


def client_of(
    url: str, time: FakeTime, token: str = TOKEN, source: str = "source-1", exchange_seconds: float = 30
) -> PublicApiClient:
    retries = replace(RETRIES, clock=time.now, sleep=time.sleep, exchange_seconds=exchange_seconds)
    return PublicApiClient(url, token, source, retries, page_size=2)


def test_every_page_is_read(server: PublicApiServer, time: FakeTime) -> None:
    """Five names in pages of two: the first page alone would look like a loss of three."""
    server.record(*(Happened(RECEIVED, name, TEN + timedelta(minutes=70), 3) for name in NAMES))
    answer = client_of(server.url, time).count(Stage.RECEIVED, *WINDOW)
    assert answer == [Count(name, None, TEN + timedelta(hours=1), 3) for name in NAMES]
    assert server.statuses == [200, 200, 200]


def test_a_discard_comes_with_its_reason(server: PublicApiServer, time: FakeTime) -> None:
    server.record(Happened(FAILED, "Email Opened", TEN, 2, "id_required"), Happened(RECEIVED, "Email Opened", TEN, 7))
    answer = client_of(server.url, time).count(Stage.FAILED, *WINDOW)
    assert answer == [Count("Email Opened", "id_required", TEN, 2)]


def test_no_more_is_asked_until_the_limit_is_lifted(time: FakeTime) -> None:
    """Two requests a minute; five names in pages of two need three."""
    with PublicApiServer(TOKEN, clock=time.now, requests_a_minute=2) as server:
        server.record(*(Happened(RECEIVED, name, TEN) for name in NAMES))
        answer = client_of(server.url, time).count(Stage.RECEIVED, *WINDOW)
    assert not isinstance(answer, Unanswered)
    assert len(answer) == 5
    assert server.statuses == [200, 200, 429, 200]
    assert time.slept == [60.0]


def test_what_passes_is_tried_again(server: PublicApiServer, time: FakeTime) -> None:
    server.answer_next(Response(status_code=503), Response(status_code=502))
    assert client_of(server.url, time).count(Stage.RECEIVED, *WINDOW) == []
    assert server.statuses == [503, 502, 200]


def test_what_does_not_pass_is_reported_after_four_tries(server: PublicApiServer, time: FakeTime) -> None:
    server.answer_next(*(Response("down", 503) for _ in range(9)))
    assert client_of(server.url, time).count(Stage.RECEIVED, *WINDOW) == Unanswered("it answered 503: down")
    assert server.statuses == [503] * 4


def test_each_refusal_names_the_setting(server: PublicApiServer, time: FakeTime) -> None:
    token = client_of(server.url, time, token="other").count(Stage.RECEIVED, *WINDOW)
    source = client_of(server.url, time, source="other").count(Stage.RECEIVED, *WINDOW)
    unreachable = client_of("http://127.0.0.1:1", time).count(Stage.RECEIVED, *WINDOW)
    assert isinstance(token, Unanswered)
    assert "Check SEGMENT_PUBLIC_API_TOKEN" in token.reason
    assert isinstance(source, Unanswered)
    assert "Check SEGMENT_SOURCE_ID" in source.reason
    assert unreachable == Unanswered(
        "no answer from 127.0.0.1:1: Connection refused. Check SEGMENT_PUBLIC_API and the network."
    )


@pytest.mark.parametrize(
    "answer",
    [
        Response("<html>log in</html>"),
        JSONResponse([]),
        JSONResponse({"data": None}),
        JSONResponse({"data": {"total": 0}}),
        JSONResponse({"data": {"dataset": [], "pagination": None}}),
        JSONResponse({"data": {"dataset": [{"series": [{"time": "soon", "count": 1}]}], "pagination": {}}}),
        JSONResponse({"data": {"dataset": [{"series": [{"time": TEN.isoformat()}]}], "pagination": {}}}),
        Response(status_code=302, headers={"Location": "http://127.0.0.1:1/"}),
        Response(status_code=422),
        Response("[" * 50_000),
        Response('{"data": {"dataset": [' + " " * 9_000_000 + '], "pagination": {}}}'),
        Response('{"data": {"dataset": [{"series": [{"time": "2026-03-02", "count": 1e999}]}], "pagination": {}}}'),
    ],
)
def test_an_answer_that_is_none_is_no_number(server: PublicApiServer, time: FakeTime, answer: Response) -> None:
    server.answer_next(answer)
    assert isinstance(client_of(server.url, time).count(Stage.RECEIVED, *WINDOW), Unanswered)
    assert len(server.statuses) == 1


@pytest.mark.parametrize("wait", ["NaN", "-1", "1e999", '"soon"', "null"])
def test_a_wait_that_makes_no_sense_is_an_ordinary_one(server: PublicApiServer, time: FakeTime, wait: str) -> None:
    server.answer_next(Response('{"errors": [{"data": {"msBeforeNext": ' + wait + "}}]}", 429))
    assert client_of(server.url, time).count(Stage.RECEIVED, *WINDOW) == []
    assert 0 < sum(time.slept) <= 300


def test_an_answer_that_drips_is_none(time: FakeTime) -> None:
    def drip(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not stopped.wait(0.05):
            connection.sendall(b" ")

    with answering(drip) as slow:
        answer = client_of(slow.url, time, exchange_seconds=0.2).count(Stage.RECEIVED, *WINDOW)
    assert answer == Unanswered(
        f"no whole answer from {host_of(slow.url)} within 0.2 seconds. Check SEGMENT_PUBLIC_API and the network."
    )
    assert slow.connections == 4


def test_a_cursor_that_leads_in_circles_comes_to_an_end(server: PublicApiServer, time: FakeTime) -> None:
    server.answer_next(*(JSONResponse({"data": {"dataset": [], "pagination": {"next": "a"}}}) for _ in range(200)))
    assert isinstance(client_of(server.url, time).count(Stage.RECEIVED, *WINDOW), Unanswered)


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 422, 429, 500])
def test_the_token_appears_nowhere(
    server: PublicApiServer, time: FakeTime, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Proxies show on their error pages what they were sent; a base URL may hold a password of its own."""
    for name in ("pipeline", "urllib3", "requests", ""):
        caplog.set_level(logging.DEBUG, name or None)
    echo = f"Authorization: Bearer {TOKEN}, proxy password hunter2"
    server.answer_next(*(Response(echo, status) for _ in range(9)))
    client = client_of(server.url.replace("http://", "http://zoe:hunter2@"), time)
    answer = client.count(Stage.RECEIVED, *WINDOW)
    unreachable = client_of("http://zoe:hunter2@127.0.0.1:1", time).count(Stage.RECEIVED, *WINDOW)
    shown = [repr(client), repr(answer), repr(unreachable), *(f"{record.__dict__}" for record in caplog.records)]
    assert isinstance(answer, Unanswered)
    assert len(shown) > 3
    for text in shown:
        assert TOKEN not in text
        assert "hunter2" not in text
