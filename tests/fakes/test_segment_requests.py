"""A request is refused as a whole, or taken and recorded: its form, its size, its write key, its region."""

import gzip
import json

import pytest

from tests.fakes.posting import JSON, NOW, SENT_AT, batch_of, envelope, event, post, send
from tests.fakes.segment_server import Region, SegmentServer

GZIP = {"Content-Type": "application/json", "Content-Encoding": "gzip"}


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
        pytest.param(envelope([event()]), GZIP, id="labelled gzip, is plain"),
        pytest.param(gzip.compress(envelope([event()]))[:-9], GZIP, id="gzip cut short"),
        pytest.param(gzip.compress(envelope([event()])) + b"more", GZIP, id="gzip and more"),
        pytest.param(gzip.compress(envelope([event()]), 9)[:10] + b"\xff" * 40, GZIP, id="gzip with damage"),
        pytest.param(gzip.compress(envelope([event()])), JSON, id="gzip, not labelled"),
        pytest.param(b"", GZIP, id="gzip of nothing"),
        pytest.param(envelope([event()]), {**JSON, "Content-Encoding": "br"}, id="unknown encoding"),
        pytest.param(envelope([event()]), {"Content-Type": "text/plain"}, id="not labelled JSON"),
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


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize(("size", "status", "kept"), [(500_000, 200, 20), (500_001, 400, 0)])
def test_a_batch_has_at_most_500_kb_before_compression(
    server: SegmentServer, size: int, status: int, kept: int, compressed: bool
) -> None:
    body = batch_of(size)
    answer = post(server, gzip.compress(body), GZIP) if compressed else post(server, body)
    assert answer.status_code == status
    assert len(server.received_ids) == kept


def test_too_large_a_batch_is_answered_413_if_set_so() -> None:
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
def test_an_unknown_write_key_gets_401_if_set_so(auth: tuple[str, str] | None, headers: dict[str, str]) -> None:
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
