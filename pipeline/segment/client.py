"""One batch over HTTP: how often it is tried, and what the answer means.

Rules: Segment docs, "HTTP API". Which answers are worth another try is what Segment's newest own client does.
"""

import gzip
import json
import re
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
from requests.adapters import HTTPAdapter
from tenacity import RetryCallState, Retrying, retry_if_result, stop_after_attempt
from tenacity.wait import wait_exponential_jitter
from urllib3.exceptions import MaxRetryError, NameResolutionError

from pipeline.segment.breaker import Breaker
from pipeline.segment.pacing import Pace

RETRIED_STATUSES = {408, 410, 429, 460, *range(500, 600)} - {501, 505}
REJECTED_STATUSES = {400, 422}
TIMEOUT_SECONDS = (10, 60)
MAX_ATTEMPTS = 8
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 60
LONGEST_RETRY_AFTER_SECONDS = 300
# Speed matters more than the last tenth: level 1 is three times as fast as the default.
GZIP_LEVEL = 1
_SHOWN_ANSWER = 300


@dataclass(frozen=True)
class Delivered:
    """Segment took the request."""


@dataclass(frozen=True)
class Rejected:
    """Something in the request is wrong; as it stands it will never be taken."""

    reason: str


@dataclass(frozen=True)
class TooLarge:
    """The request has too many bytes for whoever answered."""

    reason: str


@dataclass(frozen=True)
class RetryLater:
    """The request may pass another time; `seconds` is what the server asked for, if it did; `too_fast` is why."""

    reason: str
    seconds: float | None = None
    too_fast: bool = False


@dataclass(frozen=True)
class Refused:
    """No request will pass until a person has changed something."""

    reason: str


Verdict = Delivered | Rejected | TooLarge | RetryLater | Refused


def verdict_of(response: requests.Response, now: datetime, secrets: Sequence[str] = ()) -> Verdict:
    """What an answer means for the request. `secrets` are masked: some proxies' error pages repeat a request."""
    status, said = response.status_code, response.text
    for secret in secrets:
        said = said.replace(secret, "***")
    words = f"Segment answered {status}: {said[:_SHOWN_ANSWER].strip()}".rstrip(": ")
    if status == 200:
        return Delivered() if _is_success(response) else RetryLater(f"{words} (no answer of Segment's)")
    if status in REJECTED_STATUSES:
        return Rejected(words)
    if status == 413:
        return TooLarge(words)
    if status in RETRIED_STATUSES:
        return RetryLater(words, retry_after(response, now), too_fast=status == 429)
    if status in (401, 403):
        return Refused(f"{words}. Check SEGMENT_WRITE_KEY and SEGMENT_REGION.")
    return Refused(f"{words}. Check SEGMENT_ENDPOINT.")


def _is_success(response: requests.Response) -> bool:
    try:
        answer = response.json()
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("success") is True


def retry_after(response: requests.Response, now: datetime) -> float | None:
    """Seconds that the server asks to wait, in whichever header and form, within bounds."""
    for header in ("Retry-After", "X-RateLimit-Reset"):
        value = response.headers.get(header, "").strip()
        try:
            if re.fullmatch("-?[0-9]+", value):
                return float(min(max(int(value), 0), LONGEST_RETRY_AFTER_SECONDS))
            moment = parsedate_to_datetime(value)
        except (ValueError, OverflowError):  # neither a number that a machine can hold nor a date of the calendar
            continue
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        if moment > now:
            return min((moment - now).total_seconds(), LONGEST_RETRY_AFTER_SECONDS)
    return None


def body_of(messages: str, sent_at: datetime) -> bytes:
    """The body of a request; `messages` are JSON objects joined by commas.

    Segment sets an event's time right by the clock difference that `sentAt` shows, so it has to be the moment of
    the request (Segment docs, "Spec: Common fields").
    """
    moment = sent_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return b'{"batch":[' + messages.encode() + b'],"sentAt":"' + moment.encode() + b'"}'


@dataclass(frozen=True)
class Answer:
    """The verdict on a request, and how many tries it took."""

    verdict: Verdict
    attempts: int


class SegmentClient:
    """Sends batches to `/v1/batch`; one client serves all threads of a run."""

    def __init__(
        self,
        endpoint: str,
        write_key: str,
        connections: int,
        pace: Pace,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        max_attempts: int = MAX_ATTEMPTS,
        first_wait: float = FIRST_WAIT_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        breaker: Breaker | None = None,
    ) -> None:
        self._breaker = breaker or Breaker()
        self._url = f"{endpoint}/v1/batch"
        self._pace = pace
        self._clock = clock
        self._max_attempts = max_attempts
        self._sleep = sleep
        self._backoff = wait_exponential_jitter(first_wait, LONGEST_WAIT_SECONDS, jitter=first_wait)
        self._session = requests.Session()
        self._session.auth = (write_key, "")
        self._secrets = (write_key, b64encode(f"{write_key}:".encode()).decode())
        self._session.headers.update({"Content-Type": "application/json", "Content-Encoding": "gzip"})
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=connections, pool_block=True)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def send(self, messages: str, events: int, pace: Pace | None = None) -> Answer:
        """Send messages (JSON objects joined by commas) until there is a verdict or the tries are used up.

        At the client's pace, or at a slower one inside it.
        """
        if (reason := self._breaker.open_because()) is not None:
            return Answer(RetryLater(reason), 0)
        attempts = 0

        def attempt() -> Verdict:
            nonlocal attempts
            attempts += 1
            (pace or self._pace).wait_for(events)
            return self._post(messages)

        retrying = Retrying(
            sleep=self._sleep,
            stop=stop_after_attempt(self._max_attempts),
            wait=self._wait,
            retry=retry_if_result(lambda verdict: isinstance(verdict, RetryLater)),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
        )
        verdict = retrying(attempt)
        if isinstance(verdict, RetryLater):
            self._breaker.trip(verdict.reason)
        else:
            self._breaker.close()
        return Answer(verdict, attempts)

    def _wait(self, state: RetryCallState) -> float:
        verdict = state.outcome.result() if state.outcome else None
        if isinstance(verdict, RetryLater) and verdict.too_fast:
            self._pace.slow_down()
        if isinstance(verdict, RetryLater) and verdict.seconds:
            # What one connection was told holds for all of them.
            self._pace.pause(verdict.seconds)
            return 0
        return self._backoff(state)

    def _post(self, messages: str) -> Verdict:
        now = self._clock()
        body = gzip.compress(body_of(messages, now), GZIP_LEVEL)
        try:
            # A redirected POST would arrive as a GET without its body, and its 200 would look like success.
            response = self._session.post(self._url, data=body, timeout=TIMEOUT_SECONDS, allow_redirects=False)
        except requests.RequestException as error:
            return RetryLater(f"no answer from Segment ({_cause(error)})")
        return verdict_of(response, now, self._secrets)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _cause(error: requests.RequestException) -> str:
    """Why there is no answer. Not in the error's own words: they repeat the URL and objects of the library."""
    nested = error.args[0] if error.args else None
    reason = nested.reason if isinstance(nested, MaxRetryError) else nested
    if isinstance(reason, NameResolutionError):
        return "the name of its host is not known; check SEGMENT_ENDPOINT and this machine's DNS"
    if isinstance(error, requests.exceptions.SSLError):
        return "no trusted TLS connection; check SEGMENT_ENDPOINT, its certificate and this machine's clock"
    return type(error).__name__


def message_id(message: str) -> str:
    """The id of one message."""
    return str(json.loads(message)["messageId"])
