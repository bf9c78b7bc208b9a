"""Every event of a request that was taken is received, a duplicate, or dropped under a code."""

import json
from typing import Any

import pytest

from tests.fakes.posting import OMIT, SENT_AT, envelope, event, padded, post, send, size_of
from tests.fakes.segment_server import Dropped, SegmentServer


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
