"""A batch that Segment rejects is halved until the event at fault is alone; no other event dies with it."""

import json
import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.segment.bisection import Outcome, send_bisecting
from pipeline.segment.client import SendResult, message_id
from pipeline.segment.verdicts import Delivered, Refused, Rejected, RetryLater, TooLarge, Verdict


def batch_of(count: int) -> bytes:
    listed = (json.dumps({"messageId": f"id-{number}", "text": "},\n{"}) for number in range(count))
    return ",\n".join(listed).encode()


def ids(numbers: set[int]) -> set[str]:
    return {f"id-{number}" for number in numbers}


class Segment:
    """SendResults by what `judge` returns for the ids of a request, and records requests and accepted events."""

    def __init__(self, judge: Callable[[list[str]], Verdict], attempts: int = 1) -> None:
        self.judge = judge
        self.attempts = attempts
        self.asked: list[list[str]] = []
        self.accepted: list[str] = []

    def send(self, messages: bytes, events: int) -> SendResult:
        found = [json.loads(message)["messageId"] for message in messages.split(b",\n")]
        assert len(found) == events
        self.asked.append(found)
        verdict = self.judge(found)
        if isinstance(verdict, Delivered):
            self.accepted += found
        return SendResult(verdict, self.attempts)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_exactly_the_events_at_fault_die_and_every_other_is_accepted_once(case: tuple[int, set[int]]) -> None:
    count, bad = case
    segment = Segment(lambda found: Rejected("no") if ids(bad) & set(found) else Delivered())
    outcome = send_bisecting(segment.send, batch_of(count))
    assert outcome.settled == (len(bad) < count)
    assert outcome.accepted == count - len(bad)
    assert dict(outcome.dead) == (dict.fromkeys(ids(bad), "no") if outcome.settled else {})
    assert len(outcome.dead) in (0, len(bad))
    assert sorted(segment.accepted) == sorted(ids(set(range(count)) - bad))
    assert outcome.attempts == len(segment.asked)


@pytest.mark.parametrize("bad", [0, 1_249, 1_250, 2_499])
def test_one_event_at_fault_among_2500_costs_few_requests(bad: int) -> None:
    segment = Segment(lambda found: Rejected("no") if f"id-{bad}" in found else Delivered())
    send_bisecting(segment.send, batch_of(2_500))
    assert len(segment.asked) <= 2 * math.ceil(math.log2(2_500)) + 1


@given(st.integers(1, 60), st.integers(1, 60))
def test_what_is_too_large_is_halved_until_it_is_not(count: int, most: int) -> None:
    segment = Segment(lambda found: TooLarge("413") if len(found) > most else Delivered())
    outcome = send_bisecting(segment.send, batch_of(count))
    assert outcome == Outcome(len(segment.asked), accepted=count)
    assert segment.accepted == [f"id-{number}" for number in range(count)]


def test_one_event_that_is_too_large_by_itself_is_dead() -> None:
    segment = Segment(lambda found: TooLarge("413 too large") if "id-1" in found else Delivered())
    assert send_bisecting(segment.send, batch_of(3)).dead == (("id-1", "413 too large"),)


def test_attempts_of_all_requests_are_added_up() -> None:
    segment = Segment(lambda found: Rejected("no") if "id-0" in found else Delivered(), attempts=3)
    assert send_bisecting(segment.send, batch_of(2)).attempts == 9


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (RetryLater("503"), Outcome(1, postponed="503")),
        (Refused("401"), Outcome(1, refused="401")),
        (Delivered(), Outcome(1, accepted=4)),
    ],
)
def test_a_batch_that_waits_is_not_taken_apart(verdict: Verdict, expected: Outcome) -> None:
    segment = Segment(lambda _: verdict)
    assert send_bisecting(segment.send, batch_of(4)) == expected
    assert len(segment.asked) == 1


@pytest.mark.parametrize("ending", [RetryLater("503"), Refused("401")])
def test_when_a_half_has_to_wait_the_other_is_not_sent_and_who_died_before_is_dead(ending: Verdict) -> None:
    """id-0 is at fault; the half with id-2 gets no verdict that counts."""

    def judge(found: list[str]) -> Verdict:
        if "id-0" in found:
            return Rejected("no")
        return Delivered() if found == ["id-1"] else ending

    segment = Segment(judge)
    outcome = send_bisecting(segment.send, batch_of(8))
    assert not outcome.settled
    assert outcome.dead == (("id-0", "no"),)
    assert segment.asked[-1] == ["id-2", "id-3"]


def test_where_every_event_is_rejected_none_is_dead_and_the_sending_is_refused() -> None:
    outcome = send_bisecting(Segment(lambda _: Rejected("Segment answered 400: no")).send, batch_of(5))
    expected = "Each of the 5 events of a batch was rejected, so none is marked as dead. Segment answered 400: no"
    assert outcome == Outcome(attempts=9, refused=expected)


def test_a_single_event_that_is_rejected_is_dead_where_segment_takes_others() -> None:
    outcome = send_bisecting(Segment(lambda _: Rejected("no")).send, batch_of(1))
    assert outcome == Outcome(attempts=1, unproven=("id-0", "no"))
    assert not outcome.settled
    assert outcome.proven() == Outcome(attempts=1, dead=(("id-0", "no"),))
    assert outcome.proven().settled
    assert outcome.waiting().refused == "no. No other event was accepted either, so it stays waiting."


def test_where_only_rejections_came_before_an_outage_none_is_dead() -> None:
    segment = Segment(lambda found: RetryLater("503") if "id-7" in found and len(found) < 8 else Rejected("no"))
    assert send_bisecting(segment.send, batch_of(8)) == Outcome(attempts=9, postponed="503")


def test_no_event_left_is_no_request() -> None:
    segment = Segment(lambda _: Delivered())
    assert send_bisecting(segment.send, b"") == Outcome(0)
    assert segment.asked == []


def test_a_message_contains_its_own_id() -> None:
    message = b'{"properties":{"messageId":"not this"},"context":{"messageId":"nor this"},"messageId":"this"}'
    assert message_id(message) == "this"
