"""Segment's Public API is asked about all of the time that it can tell of, once, and never about more."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from pipeline.segment.confirmation.windows import LAG, Granularity, Window, counted_until, windows
from tests.fakes.public_api_server import GRANULARITIES

NOW = datetime(2026, 3, 31, 14, 20, 30, tzinfo=UTC)
SECONDS = st.integers(0, 5 * 365 * 86_400)


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}+00:00")


def test_the_last_hour_is_told_by_the_minute_and_what_is_too_new_not_at_all() -> None:
    assert windows(at("03-31T12:34:56"), NOW) == [
        Window(at("03-31T12:00"), at("03-31T14:00"), Granularity.HOUR),
        Window(at("03-31T14:00"), at("03-31T14:05"), Granularity.MINUTE),
    ]
    assert windows(at("03-31T14:03:30"), NOW) == [Window(at("03-31T14:03"), at("03-31T14:05"), Granularity.MINUTE)]
    assert windows(at("03-31T14:05:00"), NOW) == []


def test_what_is_older_than_fourteen_days_is_told_by_the_day_up_to_thirty_days_back() -> None:
    later = [
        Window(at("03-18T00:00"), at("03-31T14:00"), Granularity.HOUR),
        Window(at("03-31T14:00"), at("03-31T14:05"), Granularity.MINUTE),
    ]
    assert windows(at("03-10T12:34"), NOW) == [Window(at("03-10T00:00"), at("03-18T00:00"), Granularity.DAY), *later]
    assert windows(at("01-01T00:00"), NOW) == [Window(at("03-02T00:00"), at("03-18T00:00"), Granularity.DAY), *later]


@given(seconds=SECONDS, age=st.timedeltas(timedelta(), timedelta(days=40)))
def test_windows_leave_no_gap_and_stay_within_what_segment_answers(seconds: int, age: timedelta) -> None:
    now = NOW + timedelta(seconds=seconds)
    since = now - age
    found = windows(since, now)
    if since >= counted_until(now):
        assert found == []
        return
    assert found[-1].end == counted_until(now) <= now - LAG
    assert found[0].start <= since or found[0].start > now - timedelta(days=30)
    for before, after in pairwise(found):
        assert before.end == after.start
    for window in found:
        limits = GRANULARITIES[window.granularity]
        assert timedelta() < window.end - window.start <= limits.longest
        assert now + timedelta(minutes=59) - window.start <= limits.oldest
        for edge in (window.start, window.end):
            assert (edge - datetime(1970, 1, 1, tzinfo=UTC)) % limits.bucket == timedelta()
