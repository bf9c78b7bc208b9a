"""Each fault fails a request in its own way, and knows whether the events were kept."""

import re

import pytest
import requests

from tests.fakes.posting import JSON, LOST, NOW, batch_of, envelope, event, post, send
from tests.fakes.segment_faults import (
    EVERY_KIND,
    Answer,
    CloseAfterReading,
    CloseBeforeReading,
    CutAnswer,
    Fault,
    Garbage,
    RejectMessage,
    Slow,
    too_many_requests,
)
from tests.fakes.segment_server import SegmentServer

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


def test_a_rate_limit_has_the_time_to_wait(server: SegmentServer) -> None:
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


def test_a_cut_answer_has_a_200_before_it_breaks_off(server: SegmentServer) -> None:
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


def test_a_standing_fault_hits_every_request_that_it_is_for_until_it_ends(
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
