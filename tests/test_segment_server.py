"""The double must be stricter than Segment, never kinder: a mistake in it hides lost events elsewhere."""

import gzip
import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.segment_faults import (
    EVERY_KIND,
    Answer,
    CloseAfterReading,
    CloseBeforeReading,
    CutAnswer,
    Fault,
    Garbage,
    Message,
    RejectMessage,
    Slow,
    too_many_requests,
)
from tests.segment_server import Dropped, Region, SegmentServer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SENT_AT = "2026-03-01T12:00:00.000Z"
OMIT = object()
JSON = {"Content-Type": "application/json"}
GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


@pytest.fixture
def server() -> Iterator[SegmentServer]:
    with SegmentServer(clock=lambda: NOW) as server:
        yield server


def event(message_id: str = "id-1", **changes: Any) -> Message:
    """A track call that Segment keeps, with changes; a key that is OMIT is left out."""
    message = {
        "type": "track",
        "event": "Email Opened",
        "messageId": message_id,
        "userId": "user-1",
        "timestamp": "2026-02-28T09:30:00.000Z",
        "properties": {"email_id": "e-1"},
    }
    return {key: value for key, value in {**message, **changes}.items() if value is not OMIT}


def envelope(messages: Sequence[Any], sent_at: Any = SENT_AT) -> bytes:
    body = {"batch": messages} if sent_at is OMIT else {"batch": messages, "sentAt": sent_at}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def post(
    server: SegmentServer,
    body: bytes,
    headers: dict[str, str] = JSON,
    *,
    auth: tuple[str, str] | None = ("test-key", ""),
    path: str = "/v1/batch",
    method: str = "POST",
    timeout: float = 30,
) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            method,
            server.url + path,
            data=body,
            headers=headers,
            auth=auth,
            timeout=timeout,
            allow_redirects=False,
        )


def send(server: SegmentServer, *messages: Any, **how: Any) -> requests.Response:
    return post(server, envelope(messages), **how)


def size_of(message: Message) -> int:
    return len(json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode())


def padded(message: Message, size: int, character: str = "x") -> Message:
    """The message, grown to so many bytes of JSON."""
    missing = size - size_of({**message, "context": {"pad": ""}})
    pad = character * (missing // len(character.encode()))
    return {**message, "context": {"pad": pad + "x" * (missing - len(pad.encode()))}}


# Requests


def test_a_valid_batch_is_kept_and_recorded(server: SegmentServer) -> None:
    body = envelope([event("id-1"), event("id-2", event="Email Bounced")])
    answer = post(server, body, {**JSON, "User-Agent": "a-sender/1.0"})

    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert answer.headers["Content-Type"] == "application/json"
    assert server.messages == {"id-1": event("id-1"), "id-2": event("id-2", event="Email Bounced")}
    assert server.received_ids == {"id-1", "id-2"}
    assert not server.duplicates
    assert not server.dropped
    (record,) = server.requests
    assert (record.number, record.time, record.path) == (1, NOW, "/v1/batch")
    assert (record.status, record.events, record.bytes) == (200, 2, len(body))
    assert (record.fault, record.refused_because) == (None, None)
    assert record.headers["user-agent"] == "a-sender/1.0"
    assert record.headers["content-length"] == str(len(body))
    assert "authorization" not in record.headers


def test_a_compressed_batch_is_kept_and_its_bytes_are_those_on_the_wire(server: SegmentServer) -> None:
    wire = gzip.compress(envelope([event(campaign="Été à Liège")]))
    assert post(server, wire, GZIP).status_code == 200
    assert server.messages == {"id-1": event(campaign="Été à Liège")}
    assert server.requests[0].bytes == len(wire)


@pytest.mark.parametrize(
    ("wire", "headers"),
    [
        pytest.param(envelope([event()]), GZIP, id="said to be gzip, is plain"),
        pytest.param(gzip.compress(envelope([event()]))[:-9], GZIP, id="gzip cut short"),
        pytest.param(gzip.compress(envelope([event()])) + b"more", GZIP, id="gzip and more"),
        pytest.param(gzip.compress(envelope([event()]), 9)[:10] + b"\xff" * 40, GZIP, id="gzip with damage"),
        pytest.param(gzip.compress(envelope([event()])), JSON, id="gzip, not said to be"),
        pytest.param(b"", GZIP, id="gzip of nothing"),
        pytest.param(envelope([event()]), {**JSON, "Content-Encoding": "br"}, id="unknown encoding"),
        pytest.param(envelope([event()]), {"Content-Type": "text/plain"}, id="not said to be JSON"),
        pytest.param(envelope([event()]), {}, id="no content type"),
        pytest.param(b"", JSON, id="nothing"),
        pytest.param(b"not JSON", JSON, id="not JSON"),
        pytest.param(envelope([event()])[:-1], JSON, id="JSON cut short"),
        pytest.param(envelope([event()]) + b"]", JSON, id="JSON and more"),
        pytest.param(envelope([event(properties={"n": float("nan")})]), JSON, id="NaN"),
        pytest.param(envelope([event(properties={"n": float("inf")})]), JSON, id="Infinity"),
        pytest.param(envelope([event(properties={"n": -float("inf")})]), JSON, id="-Infinity"),
        pytest.param(envelope([event(userId="Été")]).decode().encode("latin-1"), JSON, id="Latin-1"),
        pytest.param(b"\xef\xbb\xbf" + envelope([event()]), JSON, id="byte order mark"),
        pytest.param(envelope([event(userId="a|b")]).replace(b"|", b"\n"), JSON, id="bare control character"),
        pytest.param(b"[" * 100_000, JSON, id="endless nesting"),
        pytest.param(json.dumps([event()]).encode(), JSON, id="no envelope"),
        pytest.param(json.dumps({"sentAt": SENT_AT}).encode(), JSON, id="no batch"),
        pytest.param(json.dumps({"batch": event(), "sentAt": SENT_AT}).encode(), JSON, id="batch no list"),
    ],
)
def test_what_is_not_strict_json_is_refused_as_a_whole(
    server: SegmentServer, wire: bytes, headers: dict[str, str]
) -> None:
    answer = post(server, wire, headers)
    assert (answer.status_code, answer.json()["success"]) == (400, False)
    assert server.requests[0].refused_because == answer.json()["message"]
    assert not server.received_ids
    assert not server.dropped


def test_one_nan_takes_the_whole_batch_along(server: SegmentServer) -> None:
    assert send(server, event("id-1"), event("id-2", properties={"n": float("nan")})).status_code == 400
    assert not server.received_ids


def batch_of(size: int) -> bytes:
    """A valid request body of so many bytes, of events that are each small enough."""
    events = [padded(event(f"id-{number}"), 25_000) for number in range(size // 26_000)]
    last = size - len(envelope([*events, ""])) + len('""')
    body = envelope([*events, padded(event("last"), last)])
    assert len(body) == size
    return body


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("size", "status", "kept"), [(500_000, 200, 20), (500_001, 400, 0)])
def test_a_batch_has_at_most_500_kb_before_compression(
    server: SegmentServer, size: int, status: int, kept: int, compressed: bool
) -> None:
    body = batch_of(size)
    answer = post(server, gzip.compress(body), GZIP) if compressed else post(server, body)
    assert answer.status_code == status
    assert len(server.received_ids) == kept


def test_too_large_a_batch_is_answered_413_if_told_so() -> None:
    with SegmentServer(too_large_status=413, clock=lambda: NOW) as server:
        assert post(server, batch_of(500_001)).status_code == 413
        assert post(server, b"not JSON").status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("POST", "/v1/track", 404), ("POST", "/v1/batch/", 404), ("POST", "/", 404), ("GET", "/v1/batch", 405)],
)
def test_only_batches_are_served(server: SegmentServer, method: str, path: str, status: int) -> None:
    assert send(server, event(), method=method, path=path).status_code == status
    assert not server.received_ids
    assert (server.requests[0].path, server.requests[0].status) == (path, status)


# Authentication and region

WRONG_CREDENTIALS = [
    pytest.param(("other-key", ""), {}, id="another key"),
    pytest.param(("test-key", "secret"), {}, id="a password"),
    pytest.param(("", "test-key"), {}, id="key as password"),
    pytest.param(None, {}, id="none"),
    pytest.param(None, {"Authorization": "Basic dGVzdC1rZXk="}, id="no colon after the key"),
    pytest.param(None, {"Authorization": "Bearer test-key"}, id="bearer"),
]


@pytest.mark.parametrize(("auth", "headers"), WRONG_CREDENTIALS)
def test_an_unknown_write_key_gets_200_and_loses_everything(
    server: SegmentServer, auth: tuple[str, str] | None, headers: dict[str, str]
) -> None:
    answer = send(server, event("id-1"), event("id-2"), auth=auth, headers={**JSON, **headers})
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert not server.received_ids
    assert server.dropped == {"unknown_write_key": 2}


@pytest.mark.parametrize(("auth", "headers"), WRONG_CREDENTIALS)
def test_an_unknown_write_key_gets_401_if_told_so(auth: tuple[str, str] | None, headers: dict[str, str]) -> None:
    with SegmentServer(strict_auth=True, clock=lambda: NOW) as server:
        assert send(server, event("id-1"), auth=auth, headers={**JSON, **headers}).status_code == 401
        assert not server.received_ids
        assert not server.dropped
        assert send(server, event("id-1")).status_code == 200
        assert server.received_ids == {"id-1"}


@pytest.mark.parametrize(
    ("region", "source_region", "dropped"),
    [("us", None, {}), ("eu", None, {}), ("eu", "eu", {}), ("us", "eu", {"wrong_region": 1})],
)
def test_the_wrong_region_gets_200_and_loses_everything(
    region: Region, source_region: Region | None, dropped: dict[str, int]
) -> None:
    with SegmentServer(region=region, source_region=source_region, clock=lambda: NOW) as server:
        assert send(server, event()).status_code == 200
        assert server.dropped == dropped
        assert len(server.received_ids) == 1 - len(dropped)


# Events


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"type": OMIT}, "type_unknown"),
        ({"type": "foo"}, "type_unknown"),
        ({"type": 5}, "type_unknown"),
        ({"type": ["track"]}, "type_unknown"),
        ({"type": "Track"}, "type_unknown"),
        ({"messageId": OMIT}, "message_id_missing"),
        ({"messageId": None}, "message_id_missing"),
        ({"messageId": ""}, "message_id_not_string"),
        ({"messageId": 17}, "message_id_not_string"),
        ({"messageId": ["id"]}, "message_id_not_string"),
        ({"messageId": "m" * 100}, "message_id_too_long"),
        ({"messageId": "m" * 101}, "message_id_too_long"),
        ({"userId": OMIT}, "no_user_anon_id"),
        ({"userId": None}, "no_user_anon_id"),
        ({"userId": None, "anonymousId": None}, "no_user_anon_id"),
        ({"userId": ""}, "id_not_string"),
        ({"userId": 5}, "id_not_string"),
        ({"userId": 0}, "id_not_string"),
        ({"userId": False}, "id_not_string"),
        ({"userId": {}}, "id_not_string"),
        ({"userId": OMIT, "anonymousId": ""}, "id_not_string"),
        ({"userId": OMIT, "anonymousId": 5}, "id_not_string"),
        ({"userId": "", "anonymousId": "a@example.com"}, "id_not_string"),
        ({"anonymousId": ""}, "id_not_string"),
        ({"event": OMIT}, "event_not_defined"),
        ({"event": None}, "event_not_defined"),
        ({"event": ""}, "event_not_defined"),
        ({"event": 5}, "event_not_string"),
        ({"event": 0}, "event_not_string"),
        ({"event": {}}, "event_not_string"),
        ({"type": "identify", "event": 5}, "event_not_string"),
        ({"properties": "x"}, "properties_not_object"),
        ({"properties": []}, "properties_not_object"),
        ({"properties": None}, "properties_not_object"),
        ({"type": "identify", "traits": []}, "traits_not_object"),
        ({"context": "x"}, "context_not_object"),
        ({"context": []}, "context_not_object"),
        ({"integrations": []}, "integrations_not_object"),
        ({"type": "identify", "userId": OMIT}, "no_user_anon_id"),
        ({"type": "group"}, "id_required"),
        ({"type": "alias"}, "id_required"),
        ({"type": "alias", "previousId": "p", "userId": OMIT, "anonymousId": "a"}, "no_user_anon_id"),
        ({"type": "alias", "previousId": 5}, "id_not_string"),
        ({"type": "group", "groupId": {"id": "g"}}, "id_not_string"),
        ({"groupId": 5}, "id_not_string"),
        ({"timestamp": None}, "timestamp_not_iso8601"),
        ({"timestamp": ""}, "timestamp_not_iso8601"),
        ({"timestamp": 1772357400}, "timestamp_not_iso8601"),
        ({"timestamp": "1772357400"}, "timestamp_not_iso8601"),
        ({"timestamp": "yesterday"}, "timestamp_not_iso8601"),
        ({"timestamp": "28/02/2026 09:30:00"}, "timestamp_not_iso8601"),
        ({"timestamp": "2026-02-28 09:30:00"}, "timestamp_not_iso8601"),
        ({"timestamp": "2026-02-28T09:30:00 UTC"}, "timestamp_not_iso8601"),
        ({"timestamp": "2026-02-30T09:30:00Z"}, "timestamp_not_iso8601"),
        ({"timestamp": "2026-02-28T25:30:00Z"}, "timestamp_not_iso8601"),
        ({"timestamp": "2026-02-28T09:30:00Z\n"}, "timestamp_not_iso8601"),
        ({"timestamp": "٢٠٢٦-02-28T09:30:00Z"}, "timestamp_not_iso8601"),
    ],
)
def test_an_event_that_segment_drops_gets_200_and_takes_no_neighbour_along(
    server: SegmentServer, changes: dict[str, Any], code: str
) -> None:
    bad = event("bad", **changes)
    answer = send(server, event("before"), bad, event("after"))
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert server.received_ids == {"before", "after"}
    assert server.dropped == {code: 1}
    assert server.dropped_messages == [Dropped(code, bad)]


@pytest.mark.parametrize("message", [None, "text", 5, ["list"]])
def test_an_event_that_is_no_object_is_dropped(server: SegmentServer, message: Any) -> None:
    assert send(server, message, event()).status_code == 200
    assert server.received_ids == {"id-1"}
    assert server.dropped == {"message_not_object": 1}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"messageId": "m" * 99},
        {"properties": OMIT},
        {"properties": {}},
        {"userId": OMIT, "anonymousId": "a@example.com"},
        {"userId": None, "anonymousId": "a@example.com"},
        {"anonymousId": "a@example.com"},
        {"type": "identify", "event": OMIT, "traits": {"email": "a@example.com"}},
        {"type": "page", "event": OMIT},
        {"type": "screen", "event": OMIT},
        {"type": "group", "groupId": "g", "event": OMIT},
        {"type": "alias", "previousId": "p", "event": OMIT},
        {"timestamp": OMIT},
        {"timestamp": "2026-02-28"},
        {"timestamp": "2026-02-28T09:30:00"},
        {"timestamp": "2026-02-28T09:30:00Z"},
        {"timestamp": "2026-02-28T09:30:00.123456789Z"},
        {"timestamp": "2026-02-28T10:30:00+01:00"},
        {"event": "Événement reçu 📬"},
    ],
)
def test_an_event_within_the_rules_is_kept(server: SegmentServer, changes: dict[str, Any]) -> None:
    message = event(**changes)
    assert send(server, message).status_code == 200
    assert server.messages == {message["messageId"]: message}
    assert not server.dropped


@pytest.mark.parametrize("character", ["x", "é", "📬"])
def test_an_event_has_at_most_32_000_bytes(server: SegmentServer, character: str) -> None:
    largest = padded(event("largest"), 32_000, character)
    larger = padded(event("larger"), 32_001, character)
    assert (size_of(largest), size_of(larger)) == (32_000, 32_001)
    assert send(server, larger, largest, event("small")).status_code == 200
    assert server.received_ids == {"largest", "small"}
    assert server.dropped == {"event_too_large": 1}


def test_an_event_counts_as_it_was_written_with_escapes_and_blanks(server: SegmentServer) -> None:
    """20,000 bytes of accented text are 60,000 as `\\u` escapes: measured after decoding it would pass."""
    message = padded(event("escaped"), 20_000, "é")
    blanks = json.dumps(event("blanks")).replace(" ", " " * 4_000)
    head = f'\n{{"context": {{"batch": [1]}}, "sentAt": "{SENT_AT}" ,\t"batch" : [ '
    body = f"{head}{json.dumps(message)} , {blanks} ] }}"
    assert post(server, body.encode()).status_code == 200
    assert server.dropped == {"event_too_large": 2}


def test_of_2501_events_the_last_is_lost(server: SegmentServer) -> None:
    assert send(server, *(event(f"id-{number}") for number in range(2_500))).status_code == 200
    assert len(server.received_ids) == 2_500
    assert send(server, *(event(f"more-{number}") for number in range(2_501))).status_code == 200
    assert len(server.received_ids) == 5_000
    assert server.dropped_messages == [Dropped("too_many_events", event("more-2500"))]


def test_an_empty_batch_gets_200(server: SegmentServer) -> None:
    answer = send(server)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert server.dropped == {"empty_batch": 1}
    assert server.requests[0].events == 0


def test_an_id_that_comes_again_is_a_duplicate_and_changes_nothing(server: SegmentServer) -> None:
    send(server, event("id-1"), event("id-2"), event("id-1", event="Email Bounced"))
    assert send(server, event("id-1", event="Email Delivered"), event("id-3")).status_code == 200
    assert server.duplicates == {"id-1": 2}
    assert server.received_ids == {"id-1", "id-2", "id-3"}
    assert server.messages["id-1"] == event("id-1")
    assert not server.dropped


@pytest.mark.parametrize(
    ("sent_at", "code"),
    [
        (SENT_AT, None),
        ("2026-03-01T13:04:59.999+01:00", None),
        ("2026-03-01T11:55:00Z", None),
        ("2026-03-01T12:05:00Z", None),
        ("2026-03-01T11:54:59.999Z", "stale_sent_at"),
        ("2026-03-01T12:05:00.001Z", "stale_sent_at"),
        ("2026-03-01T13:00:00", "stale_sent_at"),
        (OMIT, "sent_at_missing"),
        (None, "sent_at_missing"),
        ("", "sent_at_not_iso8601"),
        ("now", "sent_at_not_iso8601"),
        (1772366400, "sent_at_not_iso8601"),
    ],
)
def test_sent_at_is_the_time_of_the_request(server: SegmentServer, sent_at: Any, code: str | None) -> None:
    assert post(server, envelope([event("id-1"), event("id-2")], sent_at)).status_code == 200
    assert server.dropped == ({code: 2} if code else {})
    assert len(server.received_ids) == (0 if code else 2)


# Faults

LOST = requests.ConnectionError
CUT = requests.exceptions.ChunkedEncodingError


@pytest.mark.parametrize(
    ("fault", "outcome", "kept"),
    [
        *((Answer(status), status, False) for status in (400, 401, 403, 404, 408, 410, 413, 429, 460, 500, 503, 529)),
        (Answer(200), 200, True),
        (Answer(302, {"Location": "/elsewhere"}), 302, False),
        (Answer(200, kept=False), 200, False),
        (Answer(504, kept=True), 504, True),
        (RejectMessage("id-2"), 400, False),
        (RejectMessage(lambda message: message["userId"] == "user-1"), 400, False),
        (RejectMessage("id-99"), 200, True),
        (CloseBeforeReading(), LOST, False),
        (CloseBeforeReading(reset=True), LOST, False),
        (CloseAfterReading(), LOST, True),
        (CloseAfterReading(reset=True), LOST, True),
        (CutAnswer(), CUT, True),
        (CutAnswer(after=0), CUT, True),
        (Slow(0), 200, True),
        (Garbage(), 200, False),
        (Garbage(kept=True), 200, True),
    ],
    # Without addresses in memory, so that tests have the same names in every process.
    ids=lambda value: re.sub(r" at 0x\w+", "", str(value)),
)
@pytest.mark.parametrize("body", [envelope([event("id-1"), event("id-2")]), batch_of(400_000)], ids=["small", "large"])
def test_a_fault_decides_what_is_answered_and_what_is_kept(
    server: SegmentServer, fault: Fault, outcome: int | type[Exception], kept: bool, body: bytes
) -> None:
    server.misbehave(fault)
    if isinstance(outcome, int):
        assert post(server, body).status_code == outcome
    else:
        with pytest.raises(outcome):
            post(server, body)

    (record,) = server.requests
    assert record.status == (outcome if isinstance(outcome, int) else None)
    assert bool(server.received_ids) == kept

    assert post(server, body).status_code == 200
    assert {"id-1", "id-2"} <= server.received_ids
    assert bool(server.duplicates) == kept
    assert not server.dropped


def test_a_rate_limit_says_when_to_come_back(server: SegmentServer) -> None:
    server.misbehave(too_many_requests(7), too_many_requests(NOW), too_many_requests("soon"))
    answers = [send(server, event()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [429, 429, 429]
    assert [answer.headers["Retry-After"] for answer in answers] == [
        "7",
        "Sun, 01 Mar 2026 12:00:00 GMT",
        "soon",
    ]
    assert answers[0].headers["X-RateLimit-Reset"] == "7"
    assert not server.received_ids


def test_garbage_is_a_web_page(server: SegmentServer) -> None:
    server.misbehave(Garbage())
    answer = send(server, event())
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("reset", "how"), [(False, "Remote end closed connection"), (True, "Connection reset by peer")]
)
def test_a_connection_can_be_closed_or_reset(server: SegmentServer, reset: bool, how: str) -> None:
    server.misbehave(CloseAfterReading(reset))
    with pytest.raises(requests.ConnectionError, match=how):
        send(server, event())


def test_a_cut_answer_says_200_before_it_breaks_off(server: SegmentServer) -> None:
    server.misbehave(CutAnswer(after=5))
    with requests.Session() as session:
        session.trust_env = False
        address = f"{server.url}/v1/batch"
        answer = session.post(address, envelope([event()]), headers=JSON, auth=("test-key", ""), stream=True)
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "17")
        with pytest.raises(CUT):
            _ = answer.content
    assert server.received_ids == {"id-1"}


def test_a_slow_answer_is_lost_on_a_sender_without_patience_but_its_events_are_not(
    server: SegmentServer,
) -> None:
    """The server must also stop without waiting for the hour to pass."""
    server.misbehave(Slow(3600))
    with pytest.raises(requests.Timeout):
        send(server, event(), timeout=0.2)
    server.wait_for_requests(1)
    assert server.received_ids == {"id-1"}


def test_queued_faults_come_first_and_once_each(server: SegmentServer) -> None:
    server.misbehave_when(lambda number, messages: number >= 3, Answer(503))
    server.misbehave(Answer(500), RejectMessage("not in it"), Answer(502))
    statuses = [send(server, event()).status_code for _ in range(4)]
    assert statuses == [500, 200, 502, 503]
    assert [record.fault for record in server.requests] == [Answer(500), None, Answer(502), Answer(503)]


def test_a_standing_fault_hits_every_request_that_it_is_for_until_told_to_behave(
    server: SegmentServer,
) -> None:
    server.misbehave_when(lambda number, messages: True, RejectMessage("poison"))
    server.misbehave_when(lambda number, messages: len(messages) > 1 and len(server.requests) > 1, Answer(413))

    assert send(server, event("a"), event("poison"), event("b")).status_code == 400
    assert send(server, event("poison")).status_code == 400
    assert send(server, event("a"), event("b")).status_code == 413
    assert send(server, event("a")).status_code == 200
    assert server.received_ids == {"a"}

    server.behave()
    assert send(server, event("poison"), event("b")).status_code == 200
    assert server.received_ids == {"a", "b", "poison"}


def test_a_fault_gives_no_valid_answer_to_an_invalid_request(server: SegmentServer) -> None:
    server.misbehave(Slow(0), CutAnswer(), RejectMessage(lambda message: True))
    assert post(server, b"not JSON").status_code == 400
    with pytest.raises(CUT):
        post(server, b"not JSON")
    assert post(server, envelope(["text"])).status_code == 200
    assert server.dropped == {"message_not_object": 1}


def outcomes_of(seed: int, share: float) -> list[Fault | None]:
    with SegmentServer(clock=lambda: NOW) as server:
        server.fail_randomly(share, seed)
        for number in range(60):
            try:
                send(server, event(f"id-{number}"))
            except requests.RequestException:
                continue
        faults = [record.fault for record in server.requests]
        kept = {f"id-{number}" for number, fault in enumerate(faults) if fault is None or fault.keeps}
        assert server.received_ids == kept
        return faults


def test_random_failure_follows_from_its_seed() -> None:
    faults = outcomes_of(seed=1, share=0.5)
    assert faults == outcomes_of(seed=1, share=0.5)
    assert faults != outcomes_of(seed=2, share=0.5)
    assert 15 < sum(fault is not None for fault in faults) < 45
    assert outcomes_of(seed=1, share=0) == [None] * 60
    assert set(outcomes_of(seed=1, share=1)) <= set(EVERY_KIND)


def test_a_sender_that_never_gives_up_gets_everything_through(server: SegmentServer) -> None:
    server.fail_randomly(0.6, seed=7)
    for number in range(50):
        while True:
            try:
                if send(server, event(f"id-{number}")).json() == {"success": True}:
                    break
            except (requests.RequestException, ValueError):
                continue
    assert server.received_ids == {f"id-{number}" for number in range(50)}
    lost_answers = sum(record.fault is not None and record.fault.keeps for record in server.requests)
    assert server.duplicates.total() == lost_answers > 0


# Running it


def test_a_sender_that_hangs_up_in_the_middle_of_its_body_has_sent_nothing(server: SegmentServer) -> None:
    body = envelope([event()])
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:-5])
    server.wait_for_requests(1)
    assert server.requests[0].refused_because == "the sender hung up before the end of its body"
    assert not server.received_ids
    assert send(server, event()).status_code == 200


def test_one_connection_serves_many_requests_refused_ones_among_them(server: SegmentServer) -> None:
    with requests.Session() as session:
        session.trust_env = False
        statuses = [
            session.post(f"{server.url}/v1/batch", body, headers=JSON, auth=("test-key", ""), timeout=30).status_code
            for body in (envelope([event("a")]), b"not JSON", batch_of(500_001), envelope([event("b")]))
        ]
    assert statuses == [200, 400, 400, 200]
    assert server.received_ids == {"a", "b"}


def test_it_stops_while_a_sender_keeps_its_connection_for_later() -> None:
    with requests.Session() as session:
        session.trust_env = False
        with SegmentServer(clock=lambda: NOW) as server:
            session.post(f"{server.url}/v1/batch", envelope([event()]), headers=JSON, timeout=30)
        with pytest.raises(requests.ConnectionError):
            session.post(f"{server.url}/v1/batch", envelope([event()]), headers=JSON, timeout=30)
    assert len(server.requests) == 1


def test_many_senders_at_once_are_all_counted_while_others_look(server: SegmentServer) -> None:
    def sender(name: int) -> None:
        for number in range(10):
            send(server, event(f"{name}-{number}"), event("shared"))
            assert len(server.messages) <= len(server.received_ids)

    threads = [threading.Thread(target=sender, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 80
    assert len(server.received_ids) == 81
    assert server.duplicates == {"shared": 79}
    assert sorted(record.number for record in server.requests) == list(range(1, 81))


def test_what_it_hands_out_is_a_copy(server: SegmentServer) -> None:
    server.received_ids.add("never sent")
    server.messages["never sent"] = event()
    server.requests.clear()
    server.dropped["nothing"] += 1
    assert not server.received_ids
    assert not server.messages
    assert not server.dropped


def test_after_an_outage_it_is_back_at_the_same_address_with_what_it_had() -> None:
    server = SegmentServer(clock=lambda: NOW)
    with server:
        address = server.url
        send(server, event("before"))
    with pytest.raises(requests.ConnectionError):
        send(server, event("meanwhile"))
    with server:
        assert server.url == address
        send(server, event("after"))
    assert server.received_ids == {"before", "after"}


def test_waiting_for_requests_that_do_not_come_fails(server: SegmentServer) -> None:
    with pytest.raises(TimeoutError, match="0 of 1 requests"):
        server.wait_for_requests(1, timeout=0)


def test_without_messages_it_still_knows_what_it_got() -> None:
    with SegmentServer(keep_messages=False, clock=lambda: NOW) as server:
        send(server, event("id-1"), event("id-1"), event("id-2", event=OMIT))
        assert server.received_ids == {"id-1"}
        assert (server.duplicates, server.dropped) == ({"id-1": 1}, {"event_not_defined": 1})
        assert not server.messages
        assert not server.dropped_messages


def test_counting_only_looks_at_nothing_but_can_still_fail() -> None:
    with SegmentServer(counting_only=True) as server:
        server.misbehave(Answer(503))
        answers = [post(server, b"anything", auth=None) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503, 200, 200]
        assert answers[1].json() == {"success": True}
        assert [(record.bytes, record.events) for record in server.requests] == [(8, None)] * 3
        assert not server.received_ids
        assert not server.dropped


def test_the_clock_can_move() -> None:
    now = [NOW]
    with SegmentServer(clock=lambda: now[0]) as server:
        send(server, event("in time"))
        now[0] += timedelta(minutes=6)
        send(server, event("sent again with the old sentAt"))
        assert server.received_ids == {"in time"}
        assert server.dropped == {"stale_sent_at": 1}
        assert [record.time for record in server.requests] == [NOW, NOW + timedelta(minutes=6)]


def test_the_summary_is_numbers(server: SegmentServer) -> None:
    server.misbehave(Answer(503), CloseAfterReading())
    send(server, event("id-1"))
    with pytest.raises(LOST):
        send(server, event("id-1"))
    send(server, event("id-1"), event("id-2"), event("id-3", event=OMIT))
    summary = server.summary()
    assert summary.pop("bytes") == sum(record.bytes for record in server.requests)
    assert summary == {
        "received": 2,
        "duplicates": 1,
        "dropped": {"event_not_defined": 1},
        "requests": {"503": 1, "no answer": 1, "200": 1},
    }


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_as_a_program_and_sums_up_when_stopped(stop: signal.Signals) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.segment_server",
        "--port",
        "0",
        "--write-key",
        "k",
        "--region",
        "eu",
    ]
    root = Path(__file__).parent.parent
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as program:
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        with requests.Session() as session:
            session.trust_env = False
            body = envelope([event("a"), event("a"), event("b", event=OMIT)], datetime.now(UTC).isoformat())
            answer = session.post(f"{address}/v1/batch", body, headers=JSON, auth=("k", ""), timeout=30)
        assert answer.status_code == 200
        program.send_signal(stop)
        summary, _ = program.communicate(timeout=30)
    assert program.returncode == 0
    assert json.loads(summary) == {
        "received": 1,
        "duplicates": 1,
        "dropped": {"event_not_defined": 1},
        "requests": {"200": 1},
        "bytes": len(body),
    }
