"""The meaning of a response for its request.

Rules: Segment docs, "HTTP API". The retried statuses are those of Segment's newest client library.
"""

import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from pipeline.http.session import Reply
from pipeline.masking import on_one_line

RETRIED_STATUSES = {408, 410, 429, 460, *range(500, 600)} - {501, 505}
REJECTED_STATUSES = {400, 422}
LONGEST_RETRY_AFTER_SECONDS = 300
_SHOWN_ANSWER = 300
_SHOWN_HEADER = 80
# How much of an HTML page is searched for its first words, which may follow a long head.
_PAGE_START = 4_000
_MARKUP = re.compile(r"<(script|style)\b[^<>]*>.*?</\1\s*>|<!--.*?-->|<[^<>]*>", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Delivered:
    """Segment accepted the request."""


@dataclass(frozen=True)
class Rejected:
    """The request is invalid, and will never be accepted as it is."""

    reason: str


@dataclass(frozen=True)
class TooLarge:
    """The request has too many bytes for Segment."""

    reason: str


@dataclass(frozen=True)
class RetryLater:
    """The request may succeed later. `seconds` is the wait that the server asked for; `too_fast`: a rate limit."""

    reason: str
    seconds: float | None = None
    too_fast: bool = False


@dataclass(frozen=True)
class Refused:
    """No request will succeed until a setting or the network is changed."""

    reason: str


Verdict = Delivered | Rejected | TooLarge | RetryLater | Refused


def verdict_of(reply: Reply, now: datetime, secrets: Sequence[str] = ()) -> Verdict:
    """The meaning of a response for its request. `secrets` are masked: some error pages repeat the request.

    The response of another server in Segment's place has no meaning for the events: none becomes dead.
    """
    answer, status = reply.json(), reply.status
    is_segments = isinstance(answer, dict) and isinstance(answer.get("success"), bool)
    if is_segments:
        # Encoded anew, because an address with an escaped @ would not be masked.
        words = f"Segment answered {status}: {shown(json.dumps(answer, ensure_ascii=False), secrets)}"
    else:
        # The other server may be Segment's own load balancer.
        foreign = ", not a response of Segment" if status in {200, 413, *REJECTED_STATUSES} else ""
        words = f"{reply.host} answered {status}{foreign}{server_of(reply.headers, secrets)}"
        words = f"{words}: {first_words(reply, secrets)}".rstrip(": ")
    if status == 200:
        return Delivered() if is_segments and answer["success"] else RetryLater(words)
    if status in REJECTED_STATUSES:
        return Rejected(words) if is_segments else RetryLater(words)
    if status == 413:
        return TooLarge(words) if is_segments else RetryLater(words)
    if status in RETRIED_STATUSES:
        return RetryLater(words, retry_after(reply.headers, now), too_fast=status == 429)
    if status in (401, 403):
        return Refused(f"{words}. Check SEGMENT_WRITE_KEY and SEGMENT_REGION.")
    return Refused(f"{words}. Check SEGMENT_ENDPOINT.")


def first_words(reply: Reply, secrets: Sequence[str] = ()) -> str:
    """The beginning of an answer as text, without markup, secrets and email addresses."""
    text = reply.body.decode(errors="replace")
    if len(text) > _PAGE_START:
        # Cut at a word: a part of one may be the beginning of a key or an address.
        text = text[:_PAGE_START].rpartition(" ")[0]
    return shown(html.unescape(_MARKUP.sub(" ", text)), secrets)


def server_of(headers: Mapping[str, str], secrets: Sequence[str] = ()) -> str:
    """The server that answered, in parentheses, where the headers name it."""
    names = [
        f"{name}: {shown(headers[name], secrets, _SHOWN_HEADER)}" for name in ("Server", "Via") if headers.get(name)
    ]
    return f" ({'; '.join(names)})" if names else ""


def shown(text: str, secrets: Sequence[str], length: int = _SHOWN_ANSWER) -> str:
    """Text of an answer as it may be logged and stored: on one line, without secrets and email addresses."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return on_one_line(" ".join(text.split()), length)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """The seconds that the server asks to wait, in any header and form, within bounds."""
    for header in ("Retry-After", "X-RateLimit-Reset"):
        value = headers.get(header, "").strip()
        try:
            if re.fullmatch("-?[0-9]+", value):
                return float(min(max(int(value), 0), LONGEST_RETRY_AFTER_SECONDS))
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):  # neither a valid number nor a valid date
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if moment > now:
            return min((moment - now).total_seconds(), LONGEST_RETRY_AFTER_SECONDS)
    return None
