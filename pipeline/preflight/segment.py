"""Points about Segment: the write key, the region, and, with a token, the source as Segment knows it.

Segment accepts every request with a well-formed key, also one that belongs to no source (Segment docs, "HTTP API:
Errors"). Only its own pages, or the Public API, show whether events arrive.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit
from uuid import uuid4

from pipeline.preflight.points import Point, failed, ok, warning
from pipeline.preflight.write_key import KEY, key_point
from pipeline.segment.client import Retries, SegmentClient
from pipeline.segment.confirmation.public_api import PublicApiClient, Source
from pipeline.segment.rate_limiter import RateLimiter
from pipeline.segment.verdicts import Delivered
from pipeline.settings import Settings
from pipeline.settings.settings import ENDPOINTS

# A run has patience with Segment; a person at a terminal has less.
_RETRIES = Retries(max_attempts=3)
TEST_EVENT = "Selligent Pipeline Test"
_TEST_PERSON = "selligent-pipeline-test"
_REGION, _SOURCE, _TEST = "SEGMENT_REGION", "SEGMENT_SOURCE_ID", "test event"


def segment_points(settings: Settings) -> Iterator[Point]:
    """The form of the write key, the region with its endpoint, and the source that the Public API describes."""
    yield key_point(settings)
    yield _region(settings)
    if settings.segment_public_api_token is not None and settings.segment_source_id is not None:
        yield from _source_points(settings)


def _region(settings: Settings) -> Point:
    region, endpoint = settings.segment_region, settings.segment_endpoint
    if endpoint == ENDPOINTS[region]:
        return ok(_REGION, f"{region}: events go to {endpoint}; a workspace of another region would not see them")
    host = urlsplit(endpoint).hostname
    return warning("SEGMENT_ENDPOINT", f"events go to {host}, which is not the endpoint of Segment's region {region!r}")


def _source_points(settings: Settings) -> Iterator[Point]:
    assert settings.segment_public_api_token is not None
    assert settings.segment_source_id is not None
    token = settings.segment_public_api_token.get_secret_value()
    api = PublicApiClient(settings.segment_public_api, token, settings.segment_source_id, _RETRIES)
    try:
        source = api.source()
    finally:
        api.close()
    if not isinstance(source, Source):
        yield failed(_SOURCE, source.reason)
        return
    if source.enabled:
        yield ok(_SOURCE, f"the source {source.name!r} exists in the region {settings.segment_region!r} and is enabled")
    else:
        yield failed(_SOURCE, f"the source {source.name!r} is disabled, and its events are lost; enable it in Segment")
    if settings.segment_write_key is None:
        return
    if settings.segment_write_key.get_secret_value() in source.write_keys:
        yield ok(KEY, f"is a key of the source {source.name!r}")
    else:
        yield failed(KEY, f"is no key of the source {source.name!r}; copy it from the source's settings, API Keys")


def send_test(settings: Settings) -> Point:
    """Send one event whose name marks it as a test, and describe where Segment shows it."""
    if settings.segment_write_key is None:
        return failed(_TEST, "SEGMENT_WRITE_KEY is not set, so there is no source to send to; set it and repeat")
    now, message_id = datetime.now(UTC), f"{_TEST_PERSON}-{uuid4()}"
    message = {
        "type": "track",
        "messageId": message_id,
        "anonymousId": _TEST_PERSON,
        "event": TEST_EVENT,
        "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "properties": {"test": True},
    }
    key = settings.segment_write_key.get_secret_value()
    client = SegmentClient(settings.segment_endpoint, key, 1, RateLimiter(0), retries=_RETRIES)
    try:
        verdict = client.send(json.dumps(message).encode(), 1).verdict
    finally:
        client.close()
    if not isinstance(verdict, Delivered):
        return failed(_TEST, verdict.reason)
    return ok(
        _TEST,
        f"{TEST_EVENT!r} was accepted. Open the source in Segment, Debugger: within a minute it shows this event with "
        f"the messageId {message_id}. If it does not, the key or the region belongs to another source",
    )
