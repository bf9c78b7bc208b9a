"""Client for Segment's Public API: a source, and what it received and discarded, by event name and time.

Sources: Public API docs, "Delivery Overview" (routes, parameters), "Pagination" and "Rate Limits"; the documents
`DeliveryOverviewApi` and `PaginationInput` of Segment's own SDKs. The query has a list as `groupBy.0`, `groupBy.1`. A
page is requested by `pagination.count` and `pagination.cursor`, and contains the `next` cursor. A 429 has
`msBeforeNext` in its body and `X-RateLimit-Reset` as a date.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase

from pipeline.http.errors import NoReply
from pipeline.http.session import BoundedSession, Reply
from pipeline.segment.client import Retries
from pipeline.segment.verdicts import (
    LONGEST_RETRY_AFTER_SECONDS,
    RETRIED_STATUSES,
    Refused,
    RetryLater,
    first_words,
    retry_after,
)

# The endpoints are in beta, and respond in this version.
ACCEPT = "application/vnd.segment.v1beta+json, application/json"
# Few: a run waits for the answer, and can do without it.
RETRIES = Retries(max_attempts=4)
PAGE_SIZE = 200
# Far more than the pairs of event names and reasons of any source. A cursor that leads in circles ends here.
MAX_PAGES = 100
# A page has a number for each bucket of time: some 2 MB for 200 pairs and the longest window.
MAX_ANSWER_BYTES = 8_000_000


class Stage(StrEnum):
    """A status of events, by the route that counts them."""

    RECEIVED = "successfully-received"
    FAILED = "failed-on-ingest"
    FILTERED = "filtered-at-source"


GROUPS = {
    Stage.RECEIVED: ("eventName",),
    Stage.FAILED: ("eventName", "discardReason"),
    Stage.FILTERED: ("eventName", "discardReason"),
}


@dataclass(frozen=True)
class Count:
    """Events of one name in the bucket that starts at `time`; `reason` is Segment's code for a discard."""

    event_name: str
    reason: str | None
    time: datetime
    events: int


@dataclass(frozen=True)
class Source:
    """A source as Segment describes it (Public API docs, "Sources: Get Source"); the keys are secret."""

    name: str
    enabled: bool
    write_keys: Sequence[str] = field(repr=False)


@dataclass(frozen=True)
class Unanswered:
    """There is no answer; the reason contains a remedy if one is known."""

    reason: str


class _Bearer(AuthBase):
    """The token of each request; a `.netrc` does not replace it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class PublicApiClient:
    """A client for one source."""

    def __init__(
        self, base_url: str, token: str, source_id: str, retries: Retries = RETRIES, page_size: int = PAGE_SIZE
    ) -> None:
        self._base_url = base_url
        self._source_id = source_id
        self._clock = retries.clock
        self._page_size = page_size
        # Error pages of proxies repeat the request.
        self._secrets = [secret for secret in (token, urlsplit(base_url).password) if secret]
        self._retrying = retries.retrying(lambda verdict: verdict.seconds or None)
        self._session = BoundedSession(seconds=retries.exchange_seconds, most=MAX_ANSWER_BYTES)
        self._session.auth = _Bearer(token)
        self._session.headers["Accept"] = ACCEPT

    def count(self, stage: Stage, since: datetime, until: datetime) -> list[Count] | Unanswered:
        """Everything that the source counted at this stage from one full hour up to another, hour by hour."""
        counts: list[Count] = []
        cursor: str | None = None
        for _page in range(MAX_PAGES):
            parameters = self._parameters(stage, since, until, cursor)
            answer = self._retrying(self._get, f"delivery-overview/{stage}", parameters)
            if isinstance(answer, RetryLater | Refused):
                return Unanswered(answer.reason)
            try:
                counts += _counts(answer)
                cursor = answer["pagination"].get("next")
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
                return Unanswered(f"Segment's answer to {stage} does not have the documented shape")
            if not cursor:
                return counts
        return Unanswered(f"Segment's answer to {stage} has more than {MAX_PAGES} pages")

    def source(self) -> Source | Unanswered:
        """The source itself."""
        answer = self._retrying(self._get, f"sources/{quote(self._source_id, safe='')}", {})
        if isinstance(answer, RetryLater | Refused):
            return Unanswered(answer.reason)
        try:
            found = answer["source"]
            return Source(str(found.get("name") or found["slug"]), bool(found["enabled"]), list(found["writeKeys"]))
        except (KeyError, TypeError, AttributeError):
            return Unanswered("Segment's answer about the source does not have the documented shape")

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def _parameters(self, stage: Stage, since: datetime, until: datetime, cursor: str | None) -> dict[str, str]:
        return {
            "sourceId": self._source_id,
            "startTime": _instant(since),
            "endTime": _instant(until),
            "granularity": "HOUR",
            **{f"groupBy.{index}": dimension for index, dimension in enumerate(GROUPS[stage])},
            "pagination.count": str(self._page_size),
            **({"pagination.cursor": cursor} if cursor else {}),
        }

    def _get(self, route: str, parameters: Mapping[str, str]) -> dict[str, Any] | RetryLater | Refused:
        reply = self._session.exchange("GET", f"{self._base_url}/{route}", params=parameters)
        if isinstance(reply, NoReply):
            if reply.permanent:
                return Refused(reply.reason)
            return RetryLater(f"{reply.reason}. Check SEGMENT_PUBLIC_API and the network.")
        words = f"it answered {reply.status}: {first_words(reply, self._secrets)}".rstrip(": ")
        match reply.status:
            case 200:
                return _data(reply) or Refused("the server is not Segment's. Check SEGMENT_PUBLIC_API.")
            case 401 | 403:
                return Refused(
                    f"{words}. Check SEGMENT_PUBLIC_API_TOKEN and SEGMENT_REGION; "
                    "Delivery Overview needs a Team or Business plan."
                )
            case 404:
                return Refused(f"{words}. Check SEGMENT_SOURCE_ID and SEGMENT_REGION.")
            case status if status in RETRIED_STATUSES:
                return RetryLater(words, _milliseconds(reply) or retry_after(reply.headers, self._clock()))
            case _:
                return Refused(f"{words}. Check SEGMENT_SOURCE_ID and SEGMENT_PUBLIC_API.")


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _data(reply: Reply) -> dict[str, Any] | None:
    answer = reply.json()
    data = answer.get("data") if isinstance(answer, dict) else None
    return data if isinstance(data, dict) else None


def _milliseconds(reply: Reply) -> float | None:
    """Seconds until the rate limit is lifted, from the body of a 429."""
    try:
        wait = float(reply.json()["errors"][0]["data"]["msBeforeNext"])
    except (KeyError, IndexError, TypeError, ValueError, OverflowError):
        return None
    return min(max(0.0, wait / 1000), LONGEST_RETRY_AFTER_SECONDS)  # in this order NaN is 0


def _counts(data: Mapping[str, Any]) -> Iterator[Count]:
    for group in data["dataset"]:
        for point in group["series"]:
            moment = datetime.fromisoformat(point["time"])
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            yield Count(group.get("eventName") or "", group.get("discardReason"), moment, int(point["count"]))


REMEDIES = {
    "no_user_anon_id": "the event has neither a user id nor an address; map a column to one of them in the layout",
    "id_required": "the event has neither a user id nor an address; map a column to one of them in the layout",
    "id_not_string": "a user id is empty; check its column in the export",
    "event_setting": "the source's schema blocks this event; allow it there",
    "unplanned": "the source blocks events that are not in its tracking plan; add this one to the plan",
    "unplanned_and_schema_violation": "the event is not in the tracking plan; add it, with its properties",
    "schema_violation": "the event breaks the tracking plan; correct the plan, or let such events pass",
    "common_schema_violation": "the event breaks the tracking plan's common schema; correct it there",
    "source_disabled": "the source is disabled; enable it in its settings",
    "locked_workspace": "the workspace is locked; ask Segment's support",
}
_UNKNOWN = "see this reason in Segment's documentation, Delivery Overview"


def remedy(reason: str) -> str:
    """How to fix what a discard reason reports."""
    return REMEDIES.get(reason, _UNKNOWN)
