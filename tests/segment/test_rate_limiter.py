"""The rate limit holds for any sequence of batches; the clock advances only by sleeping."""

import itertools
from bisect import bisect_left, bisect_right
from itertools import accumulate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.segment.rate_limiter import RateLimiter, events_at_once
from tests.support.sending import FakeTime

ROUNDING = 1e-6


def limiter_at(events_per_second: float, time: FakeTime) -> RateLimiter:
    return RateLimiter(events_per_second, time.clock, time.sleep)


@given(
    limit=st.integers(1, 5_000),
    batches=st.lists(
        st.tuples(st.integers(1, 2_500), st.floats(0, 10), st.none() | st.floats(0, 400)), min_size=1, max_size=30
    ),
)
@example(limit=1000, batches=[(2500, 0, None), (2500, 0, None), (1, 0, None)])
def test_no_time_span_exceeds_the_rate_limit(limit: int, batches: list[tuple[int, float, float | None]]) -> None:
    """Batches follow any idle time, and some follow a pause. Idle time is not accumulated."""
    time = FakeTime()
    limiter = limiter_at(limit, time)
    sent_at: list[float] = []
    for events, idle, pause in batches:
        time.seconds += idle
        if pause is not None:
            limiter.pause(pause)
        limiter.wait_for(events)
        sent_at.append(time.seconds)

    before = [0, *accumulate(events for events, _, _ in batches)]
    for first in range(len(batches)):
        for last in range(first + 1, len(batches)):
            events_between = before[last] - before[first]
            assert events_between <= limit * (sent_at[last] - sent_at[first]) + limit * ROUNDING


@given(st.lists(st.integers(1, 2_500), min_size=1, max_size=30), st.integers(1, 5_000))
def test_no_request_waits_longer_than_the_rate_limit_requires(batches: list[int], limit: int) -> None:
    time = FakeTime()
    limiter = limiter_at(limit, time)
    for events in batches:
        limiter.wait_for(events)
    assert time.seconds == pytest.approx(sum(batches[:-1]) / limit)


@settings(max_examples=30, deadline=None)
@given(st.integers(50, 10_000), st.lists(st.integers(50, 2_500), min_size=1, max_size=20))
def test_the_rate_of_every_minute_is_within_2_percent_of_the_limit(limit: int, sizes: list[int]) -> None:
    """For batches of any size up to the maximum of this rate limit, as long as there are more to send."""
    time, most = FakeTime(), events_at_once(limit)
    assert most is not None
    limiter, sent_at, sent = limiter_at(limit, time), list[float](), [0]
    for size in itertools.cycle(sizes):
        limiter.wait_for(min(size, most))
        sent_at.append(time.seconds)
        sent.append(sent[-1] + min(size, most))
        if time.seconds > sent_at[0] + 65:
            break
    for first in range(bisect_right(sent_at, sent_at[0] + 5)):
        seen = sent[bisect_left(sent_at, sent_at[first] + 60)] - sent[first]
        assert 0.98 * limit * 60 <= seen <= 1.02 * limit * 60 + 1


def test_without_a_rate_limit_the_size_of_a_request_is_unlimited() -> None:
    assert events_at_once(0) is None


def test_the_first_batch_does_not_wait(time: FakeTime) -> None:
    limiter_at(10, time).wait_for(2_500)
    assert time.slept == []


def test_without_a_rate_limit_no_batch_waits(time: FakeTime) -> None:
    limiter = limiter_at(0, time)
    for _ in range(100):
        limiter.wait_for(2_500)
    assert time.slept == []


@pytest.mark.parametrize("limit", [0, 1_000])
def test_a_pause_delays_the_next_request(time: FakeTime, limit: int) -> None:
    limiter = limiter_at(limit, time)
    limiter.pause(30)
    limiter.wait_for(1)
    assert time.seconds == 30
    limiter.wait_for(1)
    assert time.seconds == (30 if limit == 0 else 30.001)


def test_a_shorter_pause_does_not_end_a_longer_one(time: FakeTime) -> None:
    limiter = limiter_at(0, time)
    limiter.pause(30)
    limiter.pause(5)
    limiter.wait_for(1)
    assert time.seconds == 30


@pytest.mark.parametrize("limit", [0, 1_000])
def test_a_pause_also_delays_requests_that_are_already_waiting(time: FakeTime, limit: int) -> None:
    """Another connection is asked to pause while this one sleeps; the pause applies to both."""

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if len(time.slept) == 1:
            limiter.pause(60)

    limiter = RateLimiter(limit, time.clock, sleep)
    limiter.pause(2)
    limiter.wait_for(100)
    assert time.seconds >= 62


def test_a_limiter_inside_another_keeps_to_both_limits(time: FakeTime) -> None:
    common = limiter_at(1_000, time)
    slow = RateLimiter(100, time.clock, time.sleep, inside=common)
    slow.wait_for(100)
    slow.wait_for(100)
    assert time.seconds == pytest.approx(1)
    common.pause(30)
    slow.wait_for(100)
    assert time.seconds == pytest.approx(31)
    slow.pause(10)
    common.wait_for(1)
    assert time.seconds == pytest.approx(41)


def test_after_a_slow_down_the_rate_recovers_within_a_minute_and_never_exceeds_the_limit(time: FakeTime) -> None:
    limiter = limiter_at(100, time)
    limiter.wait_for(1)
    limiter.slow_down()
    limiter.slow_down()  # from a request that was in flight at the same time
    seconds = []
    for _ in range(40):
        before = time.seconds
        limiter.wait_for(100)
        seconds.append(time.seconds - before)
    assert seconds[1] == pytest.approx(2, rel=0.05)
    assert seconds[-1] == pytest.approx(1)
    assert min(seconds[1:]) >= 1 - ROUNDING


def test_without_a_limit_a_slow_down_halves_the_measured_rate_until_it_has_recovered(time: FakeTime) -> None:
    limiter = limiter_at(0, time)
    limiter.slow_down()  # no request was sent yet, so there is no rate to halve
    for _ in range(20):
        time.seconds += 0.5
        limiter.wait_for(50)
    limiter.slow_down()
    before = time.seconds
    for _ in range(3):
        limiter.wait_for(50)
    assert time.seconds - before == pytest.approx(2, rel=0.1)
    time.seconds += 60
    before = time.seconds
    for _ in range(100):
        limiter.wait_for(2_500)
    assert time.seconds == before


@given(
    limit=st.integers(1, 5_000),
    runs=st.lists(st.lists(st.integers(1, 2_500), min_size=1, max_size=6), min_size=2, max_size=6),
    has_history=st.booleans(),
)
def test_one_run_after_another_keeps_the_limit_as_one_run_does(
    limit: int, runs: list[list[int]], has_history: bool
) -> None:
    """Each run has a limiter of its own, as on a machine of its own, and history has one inside of it."""
    time = FakeTime()
    sent_at: list[float] = []
    for batches in runs:
        limiter = limiter_at(limit, time)
        if has_history:
            limiter = RateLimiter(limit, time.clock, time.sleep, inside=limiter)
        for events in batches:
            limiter.wait_for(events)
            sent_at.append(time.seconds)
        limiter.wait_until_free()

    events_before = [0, *accumulate(events for batches in runs for events in batches)]
    assert time.seconds == pytest.approx(events_before[-1] / limit)
    for number, seconds in enumerate(sent_at):
        assert seconds >= events_before[number] / limit - ROUNDING


def test_a_pause_that_was_asked_for_does_not_hold_the_next_run() -> None:
    time = FakeTime()
    limiter = limiter_at(100, time)
    limiter.wait_for(50)
    limiter.pause(300)
    limiter.wait_until_free()
    assert time.seconds == pytest.approx(0.5)
