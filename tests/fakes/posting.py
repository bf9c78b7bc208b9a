"""Events that Segment keeps, the batches that carry them, and the request that brings one to the server."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import requests

from tests.fakes.segment_faults import Message
from tests.fakes.segment_server import SegmentServer

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SENT_AT = "2026-03-01T12:00:00.000Z"
OMIT = object()
JSON = {"Content-Type": "application/json"}
LOST = requests.ConnectionError  # a request without an answer


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


def batch_of(size: int) -> bytes:
    """A valid request body of so many bytes, of events that are each small enough."""
    events = [padded(event(f"id-{number}"), 25_000) for number in range(size // 26_000)]
    last = size - len(envelope([*events, ""])) + len('""')
    body = envelope([*events, padded(event("last"), last)])
    assert len(body) == size
    return body
