"""One batch over real HTTP: what each answer means, and how often it is asked for."""

import json
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from pipeline.http.errors import host_of
from pipeline.segment import client as client_module
from pipeline.segment.client import Retries, SegmentClient, SendResult
from pipeline.segment.messages import ENVELOPE_BYTES
from pipeline.segment.verdicts import Delivered, Refused, Rejected, RetryLater, TooLarge
from tests.fakes import segment_faults as faults
from tests.fakes.segment_server import SegmentServer
from tests.support.sending import KEY, START, FakeTime, RecordingServer, client_for

MESSAGE = (
    '{"type":"track","event":"Email Opened","messageId":"id-1","userId":"José","timestamp":"2026-03-01T09:30:00Z"}'
).encode()
SECOND = MESSAGE.replace(b"id-1", b"id-2")
RETRIED = [408, 410, 429, 460, 500, 502, 503, 504, 529]
WRONG_ADDRESS = [404, 405, 407, 501, 505]
REDIRECTS = [301, 302, 303, 307, 308]
NO_ANSWER_OF_SEGMENTS = [
    "<!doctype html><title>Welcome</title>",
    "",
    "[]",
    '"success"',
    "{}",
    '{"success": false}',
    '{"success": "true"}',
    '{"success": true',
    b"\xff\xfe\x00",
    pytest.param("[" * 50_000, id="too deep"),
    pytest.param('{"success": ' + "9" * 10_000 + "}", id="too long a number"),
]


@pytest.fixture
def client(server: RecordingServer, time: FakeTime) -> Iterator[SegmentClient]:
    client = client_for(server.url, time)
    yield client
    client.close()


# The request


def test_a_request_is_what_the_documentation_asks_for(server: RecordingServer, client: SegmentClient) -> None:
    """The server is strict: it checks the write key with its empty password, and that the JSON is JSON."""
    assert client.send(MESSAGE + b",\n" + SECOND, 2) == SendResult(Delivered(), 1)
    assert server.received_ids == {"id-1", "id-2"}
    assert not server.dropped
    (request,) = server.requests
    assert (request.path, request.headers["content-type"]) == ("/v1/batch", "application/json")
    assert request.headers["content-encoding"] == "gzip"
    expected = b'{"batch":[' + MESSAGE + b",\n" + SECOND + b'],"sentAt":"2026-03-02T06:30:00.000Z"}'
    assert server.bodies == [expected]


def test_sent_at_is_utc_whatever_the_clocks_zone() -> None:
    in_brussels = datetime.fromisoformat("2026-07-01T00:30:00.987654+02:00")
    assert client_module.body_of(b"", in_brussels).endswith(b'"sentAt":"2026-06-30T22:30:00.987Z"}')


def test_the_envelope_is_no_larger_than_the_room_that_is_left_for_it() -> None:
    assert len(client_module.body_of(b"", START)) <= ENVELOPE_BYTES


# What an answer means


@pytest.mark.parametrize("status", RETRIED)
def test_what_passes_is_tried_again(server: RecordingServer, client: SegmentClient, status: int) -> None:
    server.misbehave(faults.Answer(status), faults.Answer(status))
    assert client.send(MESSAGE, 1) == SendResult(Delivered(), 3)
    assert server.statuses == [status, status, 200]
    assert server.received_ids == {"id-1"}


def test_why_requests_are_tried_again_is_noted_once_a_minute(server: RecordingServer, time: FakeTime) -> None:
    notes: list[str] = []
    client = client_for(server.url, time, note=notes.append)
    server.misbehave(*(faults.Answer(503) for _ in range(3)))
    client.send(MESSAGE, 1)
    server.misbehave(faults.Answer(500))
    client.send(MESSAGE, 1)
    assert notes == ['Segment answered 503: {"success": false}']
    time.sleep(60)
    server.misbehave(faults.Answer(500))
    client.send(MESSAGE, 1)
    client.close()
    assert notes == ['Segment answered 503: {"success": false}', 'Segment answered 500: {"success": false}']


@pytest.mark.parametrize("status", [400, 422])
def test_what_is_wrong_with_the_request_stands_in_segments_words(
    server: RecordingServer, client: SegmentClient, status: int
) -> None:
    server.misbehave(faults.Answer(status, body='{"success": false, "message": "malformed JSON"}'))
    answer = client.send(MESSAGE, 1)
    expected = f'Segment answered {status}: {{"success": false, "message": "malformed JSON"}}'
    assert answer == SendResult(Rejected(expected), 1)
    assert len(server.requests) == 1


def test_a_long_answer_is_shortened(server: RecordingServer, client: SegmentClient) -> None:
    server.misbehave(faults.Answer(400, body=json.dumps({"success": False, "message": "x" * 10_000})))
    verdict = client.send(MESSAGE, 1).verdict
    assert isinstance(verdict, Rejected)
    assert "xxx" in verdict.reason
    assert len(verdict.reason) < 400


def test_413_is_too_large(server: RecordingServer, client: SegmentClient) -> None:
    server.misbehave(faults.Answer(413))
    assert isinstance(client.send(MESSAGE, 1).verdict, TooLarge)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_reports_what_to_check(server: RecordingServer, client: SegmentClient, status: int) -> None:
    server.misbehave(faults.Answer(status, body="no"))
    expected = f"{host_of(server.url)} answered {status}: no. Check SEGMENT_WRITE_KEY and SEGMENT_REGION."
    assert client.send(MESSAGE, 1) == SendResult(Refused(expected), 1)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", WRONG_ADDRESS)
def test_a_wrong_address_reports_what_to_check(server: RecordingServer, client: SegmentClient, status: int) -> None:
    server.misbehave(faults.Answer(status, body="no"))
    expected = f"{host_of(server.url)} answered {status}: no. Check SEGMENT_ENDPOINT."
    assert client.send(MESSAGE, 1) == SendResult(Refused(expected), 1)
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", REDIRECTS)
def test_a_redirect_is_not_followed(server: RecordingServer, client: SegmentClient, status: int) -> None:
    """It would arrive as a GET without its body, and the 200 for that would look like success."""
    server.misbehave(faults.Answer(status, {"Location": f"{server.url}/elsewhere"}, body=""))
    verdict = client.send(MESSAGE, 1).verdict
    assert verdict == Refused(f"{host_of(server.url)} answered {status}. Check SEGMENT_ENDPOINT.")
    assert [request.path for request in server.requests] == ["/v1/batch"]
    assert server.received_ids == set()


@pytest.mark.parametrize("status", [201, 202, 204, 206])
def test_only_200_is_success(server: RecordingServer, client: SegmentClient, status: int) -> None:
    server.misbehave(faults.Answer(status, body=b"" if status == 204 else '{"success": true}'))
    assert not isinstance(client.send(MESSAGE, 1).verdict, Delivered)


@pytest.mark.parametrize("body", NO_ANSWER_OF_SEGMENTS)
def test_a_200_of_another_server_is_no_success(
    server: RecordingServer, client: SegmentClient, body: str | bytes
) -> None:
    """A proxy or a hotel's login answered; Segment saw nothing."""
    server.misbehave(faults.Answer(200, body=body, kept=False))
    assert client.send(MESSAGE, 1) == SendResult(Delivered(), 2)
    assert server.received_ids == {"id-1"}
    assert not server.duplicates


# The network


@pytest.mark.parametrize(
    "fault",
    [
        faults.CloseBeforeReading(),
        faults.CloseBeforeReading(reset=True),
        faults.CloseAfterReading(),
        faults.CloseAfterReading(reset=True),
        faults.CutAnswer(after=0),
        faults.CutAnswer(after=9),
    ],
    ids=repr,
)
def test_no_answer_is_tried_again_with_the_same_ids(
    server: RecordingServer, client: SegmentClient, fault: faults.Fault
) -> None:
    server.misbehave(fault)
    assert client.send(MESSAGE + b",\n" + SECOND, 2) == SendResult(Delivered(), 2)
    assert server.received_ids == {"id-1", "id-2"}
    assert set(server.duplicates) == ({"id-1", "id-2"} if fault.keeps else set())


def test_an_answer_that_takes_too_long_is_no_answer(server: RecordingServer, time: FakeTime) -> None:
    impatient = client_for(server.url, time, max_attempts=1, exchange_seconds=0.2)
    server.misbehave_when(lambda number, _: number == 1, faults.Slow(3600))
    expected = f"no whole answer from {host_of(server.url)} within 0.2 seconds"
    assert impatient.send(MESSAGE, 1) == SendResult(RetryLater(expected), 1)
    assert client_for(server.url, time).send(MESSAGE, 1) == SendResult(Delivered(), 1)
    assert server.received_ids == {"id-1"}


def test_a_server_that_is_down_is_named(time: FakeTime) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    client = client_for(f"http://127.0.0.1:{port}", time, max_attempts=3)
    assert client.send(MESSAGE, 1) == SendResult(RetryLater(f"no answer from 127.0.0.1:{port}: Connection refused"), 3)


def test_an_outage_of_minutes_is_waited_out(server: RecordingServer, time: FakeTime) -> None:
    """The defaults bridge at least half a minute without an answer."""
    pace = client_module.RateLimiter(0, time.clock, time.sleep)
    client = SegmentClient(server.url, KEY, 1, pace, retries=Retries(clock=time.now, sleep=time.sleep))
    server.misbehave_when(lambda *_: time.seconds < 30, faults.Answer(503))
    assert isinstance(client.send(MESSAGE, 1).verdict, Delivered)


# Waiting


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("10", 10),
        ("1", 1),
        ("600", 300),
        ("Mon, 02 Mar 2026 06:30:30 GMT", 30),
        ("Mon, 02 Mar 2026 07:30:00 GMT", 300),
        ("Mon, 02 Mar 2026 08:30:45 +0200", 45),
        ("Mon, 02 Mar 2026 06:30:20 -0000", 20),
    ],
)
def test_retry_after_is_waited_for(
    server: RecordingServer, client: SegmentClient, time: FakeTime, header: str, seconds: float
) -> None:
    """Seconds or an HTTP-date, at most five minutes."""
    server.misbehave(faults.Answer(429, {"Retry-After": header}))
    assert client.send(MESSAGE, 1) == SendResult(Delivered(), 2)
    assert server.sent_at == [START, START + timedelta(seconds=seconds)]
    assert server.sent_ids == [["id-1"], ["id-1"]]
    assert time.seconds == seconds


@pytest.mark.parametrize(
    "header",
    [
        "0",
        "-5",
        "1.5",
        "abc",
        "",
        "Mon, 02 Mar 2026 06:29:00 GMT",
        "Mon, 99 Foo 2026",
        "--5",
        "²",
        pytest.param("9" * 5_000, id="999…"),
        "Mon, 02 Mar 99999999999999999999 06:30:30 GMT",
    ],
)
def test_a_retry_after_that_makes_no_sense_is_an_ordinary_wait(
    server: RecordingServer, client: SegmentClient, time: FakeTime, header: str
) -> None:
    """No number, no date, or a moment that is over; a number beyond all numbers may be the longest wait as well."""
    server.misbehave(faults.Answer(503, {"Retry-After": header}))
    assert client.send(MESSAGE, 1) == SendResult(Delivered(), 2)
    assert 0.5 <= time.seconds <= (300 if header.isdigit() else 1)


def test_the_rate_limits_other_header_counts_too(server: RecordingServer, client: SegmentClient) -> None:
    server.misbehave(faults.Answer(429, {"X-RateLimit-Reset": "7"}), faults.too_many_requests("soon"))
    client.send(MESSAGE, 1)
    assert server.sent_at[1] == START + timedelta(seconds=7)


def test_an_http_date_of_the_server_is_understood(server: RecordingServer, client: SegmentClient) -> None:
    server.misbehave(faults.too_many_requests(START + timedelta(seconds=12)))
    client.send(MESSAGE, 1)
    assert server.sent_at[1] == START + timedelta(seconds=12)


def test_a_wait_that_one_request_is_asked_for_applies_to_all(server: RecordingServer, time: FakeTime) -> None:
    """The limit is the workspace's, not a connection's."""
    client = client_for(server.url, time, max_attempts=1, cooldown_seconds=0)
    server.misbehave(faults.too_many_requests(40))
    first = client.send(MESSAGE, 1)
    assert first == SendResult(RetryLater('Segment answered 429: {"success": false}', 40.0, too_fast=True), 1)
    assert time.seconds == 0
    client.send(SECOND, 1)
    assert server.sent_at[1] == START + timedelta(seconds=40)


def test_after_a_sustained_failure_nothing_is_tried_for_a_while(server: RecordingServer, time: FakeTime) -> None:
    """What one batch found out in minutes, the next, of whatever event, need not find out again."""
    client = client_for(server.url, time, max_attempts=3)
    server.misbehave_when(lambda *_: True, faults.Answer(503))
    down = RetryLater('Segment answered 503: {"success": false}')
    assert client.send(MESSAGE, 1) == SendResult(down, 3)
    assert client.send(SECOND, 1) == SendResult(down, 0)
    assert len(server.requests) == 3

    time.seconds += 300
    assert client.send(SECOND, 1) == SendResult(down, 3)
    server.behave()
    assert client.send(SECOND, 1) == SendResult(down, 0)
    time.seconds += 300
    assert client.send(SECOND, 1) == SendResult(Delivered(), 1)
    assert client.send(MESSAGE, 1) == SendResult(Delivered(), 1)


def test_a_429_halves_the_pace_for_a_while(server: RecordingServer, time: FakeTime) -> None:
    client = client_for(server.url, time, events_per_second=10)
    server.misbehave(faults.Answer(429))
    for _ in range(20):
        client.send(MESSAGE, 1)
    gaps = [(after - before).total_seconds() for before, after in pairwise(server.sent_at[2:])]
    assert gaps[0] == pytest.approx(0.2, rel=0.05)
    assert gaps[-1] < gaps[0]
    time.seconds += 60
    client.send(MESSAGE, 1)
    client.send(MESSAGE, 1)
    assert (server.sent_at[-1] - server.sent_at[-2]).total_seconds() == pytest.approx(0.1, rel=0.05)


def test_waits_double_up_to_a_minute(server: RecordingServer, time: FakeTime) -> None:
    server.misbehave_when(lambda *_: True, faults.Answer(503))
    client = client_for(server.url, time, max_attempts=10)
    assert client.send(MESSAGE, 1) == SendResult(RetryLater('Segment answered 503: {"success": false}'), 10)
    base = [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert len(time.slept) == len(base)
    for slept, least in zip(time.slept, base, strict=True):
        assert least <= slept <= min(least + 0.5, 60)


def test_jitter_keeps_connections_from_trying_in_step(server: RecordingServer) -> None:
    server.misbehave_when(lambda *_: True, faults.Answer(503))
    waits = set()
    for _ in range(3):
        time = FakeTime()
        client_for(server.url, time, max_attempts=3).send(MESSAGE, 1)
        waits.add(tuple(time.slept))
    assert len(waits) == 3


def test_every_attempt_has_the_time_of_its_own_request(server: RecordingServer, client: SegmentClient) -> None:
    """An old `sentAt` would move every event in time; the strict server would drop them."""
    server.misbehave(faults.Answer(503), faults.too_many_requests(300), faults.CloseBeforeReading())
    assert client.send(MESSAGE, 1) == SendResult(Delivered(), 4)
    read = [request.time for request in server.requests if request.status is not None]
    assert server.sent_at == [moment.replace(microsecond=moment.microsecond // 1000 * 1000) for moment in read]
    assert len(set(server.sent_at)) == 3
    assert not server.dropped


def test_the_ceiling_counts_every_attempt(server: RecordingServer, time: FakeTime) -> None:
    client = client_for(server.url, time, events_per_second=100)
    client.send(MESSAGE, 500)
    client.send(SECOND, 1)
    assert server.sent_at == [START, START + timedelta(seconds=5)]

    server.misbehave(faults.Answer(408))
    client.send(SECOND.replace(b"id-2", b"id-3"), 1_000)
    again = server.sent_at[3] - server.sent_at[2]
    assert again >= timedelta(seconds=10)


def test_the_eu_is_just_another_address(time: FakeTime) -> None:
    with SegmentServer(KEY, region="eu", clock=time.now) as eu:
        assert client_for(eu.url, time).send(MESSAGE, 1) == SendResult(Delivered(), 1)
        assert eu.received_ids == {"id-1"}
