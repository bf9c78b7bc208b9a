"""What Segment takes and what it drops, according to its documentation: the rules of the strict Segment."""

import gzip
import json
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from tests.fakes.segment_faults import Message

MAX_BATCH_BYTES = 500 * 1000
MAX_BATCH_EVENTS = 2_500
MAX_EVENT_BYTES = 32 * 1000
MESSAGE_ID_LIMIT = 100
MAX_CLOCK_DIFFERENCE = timedelta(minutes=5)
TYPES = ("identify", "track", "page", "screen", "group", "alias")
REQUIRED_BY_TYPE = {"group": "groupId", "alias": "previousId"}
IDS = ("userId", "anonymousId", "groupId", "previousId")
OBJECTS = ("properties", "traits", "context", "integrations")
ISO_8601 = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?")
JSON_SPACE = re.compile(r"[ \t\n\r]*")


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

    Segment itself would keep the events, at a wrong time; here they are dropped, so that it is not overlooked.
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
