"""Answers of another server in Segment's place: they mean nothing for the events, and reveal nothing of the people."""

from collections.abc import Iterator

import pytest

from pipeline.http.errors import host_of
from pipeline.segment.client import SegmentClient, SendResult
from pipeline.segment.verdicts import Delivered, RetryLater
from tests.fakes import segment_faults as faults
from tests.support.sending import FakeTime, RecordingServer, client_for

MESSAGE = (
    '{"type":"track","event":"Email Opened","messageId":"id-1","userId":"José","timestamp":"2026-03-01T09:30:00Z"}'
).encode()
# Of a gateway, a firewall, a login page: none of them knows anything about events.
STRANGERS = [
    "<html><head><title>400 Bad Request</title></head><body>Blocked by policy</body></html>",
    "",
    "null",
    '{"message": "Blocked by policy"}',
    '{"error": {"code": 400, "message": "Blocked by policy"}}',
    '{"success": "false", "message": "Blocked by policy"}',
    '[{"success": false}]',
    pytest.param("[" * 50_000, id="too deep"),
    pytest.param("x" * 1_000_000, id="too long"),
]


@pytest.fixture
def client(server: RecordingServer, time: FakeTime) -> Iterator[SegmentClient]:
    client = client_for(server.url, time)
    yield client
    client.close()


@pytest.mark.parametrize("status", [400, 413, 422])
@pytest.mark.parametrize("body", STRANGERS)
def test_a_rejection_that_is_not_segments_means_nothing_for_the_events_and_is_retried(
    server: RecordingServer, client: SegmentClient, status: int, body: str
) -> None:
    server.misbehave(faults.Answer(status, body=body))
    assert client.send(MESSAGE, 1) == SendResult(Delivered(), 2)


def test_who_answered_in_segments_place_is_named(server: RecordingServer, time: FakeTime) -> None:
    page = (
        "<html><head><style>p {color: red}</style></head><body><p>Access&nbsp;denied</p>\n<!-- id 7 --></body></html>"
    )
    server.misbehave(faults.Answer(400, {"Server": "squid/5.7", "Via": "1.1 gateway.example"}, body=page))
    expected = (
        f"{host_of(server.url)} answered 400, not a response of Segment "
        "(Server: squid/5.7; Via: 1.1 gateway.example): Access denied"
    )
    assert client_for(server.url, time, max_attempts=1).send(MESSAGE, 1).verdict == RetryLater(expected)


@pytest.mark.parametrize(
    "body",
    [
        '{"success": false, "message": "no user jan.peeters@example.com"}',
        '{"success": false, "message": "no user jan.peeters\\u0040example.com"}',
        "<p>no user jan.peeters&#64;example.com</p>",
        "no user jan.peeters%40example.com",
        pytest.param("x " * 1_994 + " no user jan.peeters@example.com", id="cut"),
    ],
)
@pytest.mark.parametrize("status", [200, 400, 401, 404, 413, 503])
def test_an_address_in_an_answer_is_masked(server: RecordingServer, time: FakeTime, status: int, body: str) -> None:
    server.misbehave(faults.Answer(status, body=body, kept=False))
    reason = str(client_for(server.url, time, max_attempts=1).send(MESSAGE, 1).verdict)
    assert "eeters" not in reason
    assert "\\n" not in reason


def test_an_answer_stays_on_one_line(server: RecordingServer, time: FakeTime) -> None:
    server.misbehave(faults.Answer(503, {"Server": "x"}, body="a\nb\x1b[31mc\u202ed"))
    reason = client_for(server.url, time, max_attempts=1).send(MESSAGE, 1).verdict
    assert reason == RetryLater(f"{host_of(server.url)} answered 503 (Server: x): a b\\x1b[31mc\\u202ed")
