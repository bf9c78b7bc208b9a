"""Local times become the instants that Python, too, takes them for, also where a clock is changed."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.exports.datetimes import change_days
from tests.exports.instants import THOROUGHLY, Placed, moments_between, placed_all

# The day around which a file's times are expected may be any: it makes them quicker to read and nothing else.
NEAR = st.dates(date(1998, 1, 1), date(2052, 12, 31))
# Europe's and America's rules; half an hour in summer; clocks that go back for Ramadan, or forward in "winter";
# a country that has changed its zone; one that skipped a day; and one that never changes.
ZONES = (
    "Europe/Brussels",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "Europe/Dublin",
    "Europe/Moscow",
    "Pacific/Apia",
    "Asia/Kolkata",
)
ANSWERS = ("earlier", "later", "reject")
HOUR = timedelta(hours=1)


@cache
def changes_of(zone: str) -> list[datetime]:
    """The instants between 1995 and 2060 at which a zone changes its clocks, to the minute."""
    place = ZoneInfo(zone)
    found = []
    before = datetime(1995, 1, 1, tzinfo=UTC)
    while before.year < 2060:
        after = before + timedelta(days=4)
        if before.astimezone(place).utcoffset() != after.astimezone(place).utcoffset():
            low, high = before, after
            while high - low > timedelta(minutes=1):
                middle = low + (high - low) // 2
                same = middle.astimezone(place).utcoffset() == before.astimezone(place).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            found.append(high)
        before = after
    return found


@st.composite
def zones_and_moments(draw: st.DrawFn) -> tuple[str, list[datetime]]:
    """A zone with instants (to be taken as UTC), most of them close to a change of its clocks."""
    zone = draw(st.sampled_from(ZONES))
    anytime = moments_between(1971, 2099)
    if not changes_of(zone):
        return zone, draw(st.lists(anytime, max_size=30))
    close = st.builds(
        lambda change, seconds: change.replace(tzinfo=None) + timedelta(seconds=seconds),
        st.sampled_from(changes_of(zone)),
        st.integers(-3 * 3600, 3 * 3600) | st.integers(-50 * 3600, 50 * 3600),
    )
    return zone, draw(st.lists(st.one_of(close, close, anytime), max_size=30))


def meant(local: datetime, zone: str, ambiguous_hour: str) -> Placed:
    """What Python says of a local time; `fold` is the second time that a clock shows it."""
    first, second = (local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC) for fold in (0, 1))
    if first == second:
        return first, None
    exists = first.astimezone(ZoneInfo(zone)).replace(tzinfo=None) == local
    note = "ambiguous" if exists else "nonexistent"
    if ambiguous_hour == "reject":
        return None, note
    return second if exists and ambiguous_hour == "later" else first, note


@THOROUGHLY
@given(case=zones_and_moments(), near=NEAR)
def test_an_instant_that_is_written_as_local_time_is_found_again(
    connection: duckdb.DuckDBPyConnection, case: tuple[str, list[datetime]], near: date
) -> None:
    zone, moments = case
    place = ZoneInfo(zone)
    local = [moment.replace(tzinfo=UTC).astimezone(place) for moment in moments]
    texts = [time.replace(tzinfo=None).isoformat() for time in local]
    for moment, time, earlier, later in zip(
        moments,
        local,
        placed_all(connection, texts, near, timezone=zone, ambiguous_hour="earlier"),
        placed_all(connection, texts, near, timezone=zone, ambiguous_hour="later"),
        strict=True,
    ):
        assert (later if time.fold else earlier)[0] == moment.replace(tzinfo=UTC)


@THOROUGHLY
@given(case=zones_and_moments(), ambiguous_hour=st.sampled_from(ANSWERS), data=st.data())
def test_an_hour_that_comes_twice_or_never_is_taken_as_the_layout_says(
    connection: duckdb.DuckDBPyConnection, case: tuple[str, list[datetime]], ambiguous_hour: str, data: st.DataObject
) -> None:
    zone, moments = case
    near = data.draw(st.sampled_from([moment.date() for moment in moments]) if moments else NEAR)
    # As the clocks showed it before the change and after it, whether they ever showed it or not.
    shifts = [-1, -0.5, 0, 0.5, 1]
    local = [moment + ZoneInfo(zone).utcoffset(moment) + shift * HOUR for moment in moments for shift in shifts]
    texts = [time.isoformat() for time in local]
    found = placed_all(connection, texts, near, timezone=zone, ambiguous_hour=ambiguous_hour)
    assert found == [meant(time, zone, ambiguous_hour) for time in local]


@pytest.mark.parametrize(
    ("local", "ambiguous_hour", "expected"),
    [
        ("2024-10-27T01:59:59", "reject", (datetime(2024, 10, 26, 23, 59, 59, tzinfo=UTC), None)),
        ("2024-10-27T02:30:00", "earlier", (datetime(2024, 10, 27, 0, 30, tzinfo=UTC), "ambiguous")),
        ("2024-10-27T02:30:00", "later", (datetime(2024, 10, 27, 1, 30, tzinfo=UTC), "ambiguous")),
        ("2024-10-27T02:30:00", "reject", (None, "ambiguous")),
        ("2024-10-27T03:00:00", "reject", (datetime(2024, 10, 27, 2, 0, tzinfo=UTC), None)),
        ("2024-03-31T01:59:59", "reject", (datetime(2024, 3, 31, 0, 59, 59, tzinfo=UTC), None)),
        ("2024-03-31T02:30:00", "earlier", (datetime(2024, 3, 31, 1, 30, tzinfo=UTC), "nonexistent")),
        ("2024-03-31T02:30:00", "later", (datetime(2024, 3, 31, 1, 30, tzinfo=UTC), "nonexistent")),
        ("2024-03-31T02:30:00", "reject", (None, "nonexistent")),
        ("2024-03-31T03:00:00", "reject", (datetime(2024, 3, 31, 1, 0, tzinfo=UTC), None)),
        # Long before and long after the years for which the days of changes are listed.
        ("1985-09-29T02:30:00", "later", (datetime(1985, 9, 29, 1, 30, tzinfo=UTC), "ambiguous")),
        ("2060-03-28T02:30:00", "reject", (None, "nonexistent")),
    ],
)
def test_brussels_moves_its_clocks_in_spring_and_in_autumn(
    connection: duckdb.DuckDBPyConnection, local: str, ambiguous_hour: str, expected: Placed
) -> None:
    assert placed_all(connection, [local], ambiguous_hour=ambiguous_hour) == [expected]


def test_a_date_time_with_its_own_offset_is_never_ambiguous(connection: duckdb.DuckDBPyConnection) -> None:
    assert placed_all(connection, ["2024-10-27T02:30:00+01:00"], ambiguous_hour="reject") == [
        (datetime(2024, 10, 27, 1, 30, tzinfo=UTC), None)
    ]


def test_a_day_that_an_island_skipped_is_moved_to_the_next(connection: duckdb.DuckDBPyConnection) -> None:
    """Samoa went from 29 to 31 December 2011."""
    days = ["2011-12-29T12:00:00", "2011-12-30T12:00:00", "2011-12-31T12:00:00"]
    assert placed_all(connection, days, timezone="Pacific/Apia") == [
        (datetime(2011, 12, 29, 22, 0, tzinfo=UTC), None),
        (datetime(2011, 12, 30, 22, 0, tzinfo=UTC), "nonexistent"),
        (datetime(2011, 12, 30, 22, 0, tzinfo=UTC), None),
    ]


@pytest.mark.parametrize("zone", ZONES)
def test_every_local_day_around_a_change_of_clocks_is_a_change_day(zone: str) -> None:
    days = set(change_days(zone))
    for change in changes_of(zone):
        if 2000 < change.year <= 2050:
            local = change.astimezone(ZoneInfo(zone)).date()
            assert {local - timedelta(days=1), local} <= days | {date(2000, 1, 1)}


def test_a_zone_that_never_changes_has_no_change_days() -> None:
    assert change_days("Asia/Kolkata") == ()
