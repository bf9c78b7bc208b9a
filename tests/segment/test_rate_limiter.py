"""The ceiling holds whatever comes, with a clock that only sleeping moves."""

import itertools
from bisect import bisect_left, bisect_right
from itertools import accumulate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.segment.rate_limiter import RateLimiter, events_at_once
from tests.support.sending import FakeTime

ROUNDING = 1e-6


def pace_at(events_per_second: float, time: FakeTime) -> RateLimiter:
    return RateLimiter(events_per_second, time.clock, time.sleep)


@given(
    ceiling=st.integers(1, 5_000),
    batches=st.lists(
        st.tuples(st.integers(1, 2_500), st.floats(0, 10), st.none() | st.floats(0, 400)), min_size=1, max_size=30
    ),
)
@example(ceiling=1000, batches=[(2500, 0, None), (2500, 0, None), (1, 0, None)])
def test_no_span_of_time_sees_more_events_than_the_ceiling_allows(
    ceiling: int, batches: list[tuple[int, float, float | None]]
) -> None:
    """Batches come after any idle time, and with a pause between some of them. Idle time is not saved up."""
    time = FakeTime()
    pace = pace_at(ceiling, time)
    went_at: list[float] = []
    for events, idle, pause in batches:
        time.seconds += idle
        if pause is not None:
            pace.pause(pause)
        pace.wait_for(events)
        went_at.append(time.seconds)

    before = [0, *accumulate(events for events, _, _ in batches)]
    for first in range(len(batches)):
        for last in range(first + 1, len(batches)):
            events_between = before[last] - before[first]
            assert events_between <= ceiling * (went_at[last] - went_at[first]) + ceiling * ROUNDING


@given(st.lists(st.integers(1, 2_500), min_size=1, max_size=30), st.integers(1, 5_000))
def test_no_request_waits_longer_than_the_ceiling_requires(batches: list[int], ceiling: int) -> None:
    time = FakeTime()
    pace = pace_at(ceiling, time)
    for events in batches:
        pace.wait_for(events)
    assert time.seconds == pytest.approx(sum(batches[:-1]) / ceiling)


@settings(max_examples=30, deadline=None)
@given(st.integers(50, 10_000), st.lists(st.integers(50, 2_500), min_size=1, max_size=20))
def test_every_minute_sees_the_ceiling_within_2_percent(ceiling: int, sizes: list[int]) -> None:
    """Whatever sizes batches have that were cut for this ceiling, as long as there are any."""
    time, most = FakeTime(), events_at_once(ceiling)
    assert most is not None
    pace, went_at, gone = pace_at(ceiling, time), list[float](), [0]
    for size in itertools.cycle(sizes):
        pace.wait_for(min(size, most))
        went_at.append(time.seconds)
        gone.append(gone[-1] + min(size, most))
        if time.seconds > went_at[0] + 65:
            break
    for first in range(bisect_right(went_at, went_at[0] + 5)):
        seen = gone[bisect_left(went_at, went_at[first] + 60)] - gone[first]
        assert 0.98 * ceiling * 60 <= seen <= 1.02 * ceiling * 60 + 1


def test_where_there_is_no_ceiling_a_request_has_no_limit_of_its_own() -> None:
    assert events_at_once(0) is None


def test_the_first_batch_goes_at_once(time: FakeTime) -> None:
    pace_at(10, time).wait_for(2_500)
    assert time.slept == []


def test_no_ceiling_is_no_waiting(time: FakeTime) -> None:
    pace = pace_at(0, time)
    for _ in range(100):
        pace.wait_for(2_500)
    assert time.slept == []


@pytest.mark.parametrize("ceiling", [0, 1_000])
def test_a_pause_holds_whoever_comes(time: FakeTime, ceiling: int) -> None:
    pace = pace_at(ceiling, time)
    pace.pause(30)
    pace.wait_for(1)
    assert time.seconds == 30
    pace.wait_for(1)
    assert time.seconds == (30 if ceiling == 0 else 30.001)


def test_a_shorter_pause_does_not_end_a_longer_one(time: FakeTime) -> None:
    pace = pace_at(0, time)
    pace.pause(30)
    pace.pause(5)
    pace.wait_for(1)
    assert time.seconds == 30


@pytest.mark.parametrize("ceiling", [0, 1_000])
def test_a_pause_holds_those_too_who_were_waiting_for_their_turn_already(time: FakeTime, ceiling: int) -> None:
    """Another connection is asked to wait while this one sleeps: that applies to all."""

    def sleep(seconds: float) -> None:
        time.sleep(seconds)
        if len(time.slept) == 1:
            pace.pause(60)

    pace = RateLimiter(ceiling, time.clock, sleep)
    pace.pause(2)
    pace.wait_for(100)
    assert time.seconds >= 62


def test_a_pace_inside_another_holds_to_both(time: FakeTime) -> None:
    common = pace_at(1_000, time)
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


def test_slowed_down_it_recovers_within_a_minute_and_never_passes_its_ceiling(time: FakeTime) -> None:
    pace = pace_at(100, time)
    pace.wait_for(1)
    pace.slow_down()
    pace.slow_down()  # of a request that was on its way at the same moment
    seconds = []
    for _ in range(40):
        before = time.seconds
        pace.wait_for(100)
        seconds.append(time.seconds - before)
    assert seconds[1] == pytest.approx(2, rel=0.05)
    assert seconds[-1] == pytest.approx(1)
    assert min(seconds[1:]) >= 1 - ROUNDING


def test_without_a_ceiling_half_of_what_passed_is_the_pace_until_it_has_recovered(time: FakeTime) -> None:
    pace = pace_at(0, time)
    pace.slow_down()  # nothing passed yet: nothing to halve
    for _ in range(20):
        time.seconds += 0.5
        pace.wait_for(50)
    pace.slow_down()
    before = time.seconds
    for _ in range(3):
        pace.wait_for(50)
    assert time.seconds - before == pytest.approx(2, rel=0.1)
    time.seconds += 60
    before = time.seconds
    for _ in range(100):
        pace.wait_for(2_500)
    assert time.seconds == before
