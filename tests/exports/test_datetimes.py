"""Date-times as exports write them become the instants that Python, too, takes them for."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.exports.datetimes import change_days, parsed, placed
from tests.exports.desk import layout

THOROUGHLY = settings(deadline=None, max_examples=20)
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


def moments_between(first_year: int, last_year: int) -> st.SearchStrategy[datetime]:
    """Date-times without a zone, up to the beginning of the last year."""
    return st.datetimes(datetime.fromisoformat(f"{first_year}-01-01"), datetime.fromisoformat(f"{last_year}-01-01"))


# What a date-time became: the instant, and what was special about it.
Placed = tuple[datetime | None, str | None]


def placed_all(
    connection: duckdb.DuckDBPyConnection, texts: Sequence[str], near: date = date(2024, 6, 10), **changes: Any
) -> list[Placed]:
    rule = layout(**changes)
    times = parsed(rule, "text")
    instants = placed(rule, "naive", "absolute", near)
    return connection.execute(
        f"""
        WITH texts AS (SELECT unnest($1) AS text, generate_subscripts($1, 1) AS number),
        times AS (SELECT number, {times.naive} AS naive, {times.absolute} AS absolute FROM texts)
        SELECT {instants.occurred_at}, {instants.note} FROM times ORDER BY number
        """,
        [list(texts)],
    ).fetchall()


def instant(connection: duckdb.DuckDBPyConnection, text: str, **changes: Any) -> datetime | None:
    [(found, _)] = placed_all(connection, [text], **changes)
    return found


# ISO 8601


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024-06-11T09:15:10", datetime(2024, 6, 11, 7, 15, 10, tzinfo=UTC)),
        ("2024-06-11 09:15:10", datetime(2024, 6, 11, 7, 15, 10, tzinfo=UTC)),
        ("2024-06-11 09:15", datetime(2024, 6, 11, 7, 15, tzinfo=UTC)),
        ("2020-09-11T10:01:03.01", datetime(2020, 9, 11, 8, 1, 3, 10_000, tzinfo=UTC)),
        ("2024-06-11 09:14:40.010", datetime(2024, 6, 11, 7, 14, 40, 10_000, tzinfo=UTC)),
        ("2024-06-11 09:14:40,5", datetime(2024, 6, 11, 7, 14, 40, 500_000, tzinfo=UTC)),
        ("2024-01-11T09:15:10", datetime(2024, 1, 11, 8, 15, 10, tzinfo=UTC)),
        ("2024-06-11T09:15:10Z", datetime(2024, 6, 11, 9, 15, 10, tzinfo=UTC)),
        ("2024-06-11T09:15:10+00:00", datetime(2024, 6, 11, 9, 15, 10, tzinfo=UTC)),
        ("2024-06-11T09:15:10 +02:00", datetime(2024, 6, 11, 7, 15, 10, tzinfo=UTC)),
        ("2024-06-11T09:15:10-0330", datetime(2024, 6, 11, 12, 45, 10, tzinfo=UTC)),
        ("2024-06-11T09:15:10.123456789-03", datetime(2024, 6, 11, 12, 15, 10, 123_456, tzinfo=UTC)),
        ("2024-02-29T23:59:59", datetime(2024, 2, 29, 22, 59, 59, tzinfo=UTC)),
        ("1999-12-31T23:59:59", datetime(1999, 12, 31, 22, 59, 59, tzinfo=UTC)),
        ("2051-07-01T00:00:00", datetime(2051, 6, 30, 22, 0, tzinfo=UTC)),
    ],
)
def test_iso_8601_is_read_in_the_zone_of_the_layout_or_by_its_own_offset(
    connection: duckdb.DuckDBPyConnection, text: str, expected: datetime
) -> None:
    assert instant(connection, text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "never",
        "2024-06-11",
        "11-06-2024 09:15:10",
        "2024-6-11T09:15:10",
        "24-06-11T09:15:10",
        "2024-02-30T09:15:10",
        "2024-13-01T09:15:10",
        "2024-06-11T25:15:10",
        "2024-06-11T09:60:10",
        "2024-06-11T09:15:60",
        "2024-06-11T09:15:10.",
        "2024-06-11T09:15:10.1234567890",
        "2024-06-11  09:15:10",
        "2024-06-11T09:15:10 ",
        "2024-06-11T09:15:10 CEST",
        "2024-06-11T09:15:10+2",
        "20240611T091510",
        "infinity",
        "2024-06-11T09:15:10\n",
    ],
)
def test_what_is_no_iso_8601_is_no_date_time(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    assert placed_all(connection, [text]) == [(None, None)]


@pytest.mark.parametrize("offset", ["+24:00", "+99:99", "-3000"])
def test_an_offset_that_no_clock_has_is_no_date_time(connection: duckdb.DuckDBPyConnection, offset: str) -> None:
    assert instant(connection, f"2024-06-11T09:15:10{offset}") is None


def test_without_a_zone_only_date_times_with_an_offset_are_instants(connection: duckdb.DuckDBPyConnection) -> None:
    texts = ["2024-06-11T09:15:10", "2024-06-11T09:15:10+02:00"]
    assert placed_all(connection, texts, timezone=None) == [
        (None, None),
        (datetime(2024, 6, 11, 7, 15, 10, tzinfo=UTC), None),
    ]


def written(moment: datetime, digits: int, fraction: int, offset: str, separator: str) -> str:
    """An instant as an export might write it."""
    hours = 0 if offset == "Z" else int(offset[:3])
    minutes = 0 if offset in ("Z", offset[:3]) else int(offset[0] + offset[-2:])
    local = moment + timedelta(hours=hours, minutes=minutes)
    decimals = f"{fraction:09d}"[:digits]
    return f"{local:%Y-%m-%d}{separator}{local:%H:%M:%S}{'.' if digits else ''}{decimals}{offset}"


OFFSETS = st.one_of(
    st.just("Z"),
    st.builds("{}{:02d}".format, st.sampled_from("+-"), st.integers(0, 14)),
    st.builds(
        "{}{:02d}{}{:02d}".format,
        st.sampled_from("+-"),
        st.integers(0, 13),
        st.sampled_from(["", ":"]),
        st.sampled_from([0, 15, 30, 45, 59]),
    ),
)


@THOROUGHLY
@given(
    st.lists(
        st.tuples(
            moments_between(1970, 2100).map(lambda moment: moment.replace(microsecond=0)),
            st.integers(0, 9),
            st.integers(0, 999_999_999),
            OFFSETS,
            st.sampled_from(["T", " "]),
        ),
        max_size=30,
    )
)
def test_every_way_to_write_an_instant_with_its_offset_is_read(
    connection: duckdb.DuckDBPyConnection, cases: list[tuple[datetime, int, int, str, str]]
) -> None:
    expected = []
    for moment, digits, fraction, _, _ in cases:
        nanoseconds = int(f"{fraction:09d}"[:digits].ljust(9, "0"))
        expected.append((moment.replace(microsecond=nanoseconds // 1000, tzinfo=UTC), None))
    assert placed_all(connection, [written(*case) for case in cases]) == expected


# Zones


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


# Formats


@pytest.mark.parametrize(
    ("formats", "text", "expected"),
    [
        (["%d-%m-%Y %H:%M:%S"], "11-06-2024 09:14:40", datetime(2024, 6, 11, 7, 14, 40, tzinfo=UTC)),
        (["%d-%m-%Y %H:%M:%S"], "1-6-2024 9:04:40", datetime(2024, 6, 1, 7, 4, 40, tzinfo=UTC)),
        (["%m/%d/%Y %H:%M:%S"], "06/11/2024 07:00:03", datetime(2024, 6, 11, 5, 0, 3, tzinfo=UTC)),
        (["%m/%d/%Y %I:%M %p"], "06/11/2024 07:00 PM", datetime(2024, 6, 11, 17, 0, tzinfo=UTC)),
        (["%d %b %Y"], "11 Jun 2024", datetime(2024, 6, 10, 22, 0, tzinfo=UTC)),
        (["%A, %d %B %y"], "Tuesday, 11 June 24", datetime(2024, 6, 10, 22, 0, tzinfo=UTC)),
        (["%Y%j"], "2024163", datetime(2024, 6, 10, 22, 0, tzinfo=UTC)),
        (["%d%%%m%%%Y"], "11%06%2024", datetime(2024, 6, 10, 22, 0, tzinfo=UTC)),
        (["%d.%m.%Y %H:%M:%S.%f"], "11.06.2024 09:14:40.01", datetime(2024, 6, 11, 7, 14, 40, 10_000, tzinfo=UTC)),
        (["it's %d/%m/%Y"], "it's 11/06/2024", datetime(2024, 6, 10, 22, 0, tzinfo=UTC)),
        (["%Y-%m-%dT%H:%M:%S%z"], "2024-06-11T09:14:40+0200", datetime(2024, 6, 11, 7, 14, 40, tzinfo=UTC)),
        (["%Y-%m-%dT%H:%M:%S%z"], "2024-06-11T09:14:40-03:30", datetime(2024, 6, 11, 12, 44, 40, tzinfo=UTC)),
        (["%Y-%m-%dT%H:%M:%S%z"], "2024-06-11T09:14:40Z", datetime(2024, 6, 11, 9, 14, 40, tzinfo=UTC)),
        (["%d-%m-%Y %H:%M:%S"], "31-02-2024 09:14:40", None),
        (["%d-%m-%Y %H:%M:%S"], "11-06-2024", None),
        (["%d-%m-%Y %H:%M:%S"], "2024-06-11T09:14:40", None),
        (["%d-%m-%Y %H:%M:%S"], "11-06-2024 09:14:40 h", None),
    ],
)
def test_formats_are_those_of_python(
    connection: duckdb.DuckDBPyConnection, formats: list[str], text: str, expected: datetime | None
) -> None:
    assert instant(connection, text, datetime_formats=formats) == expected


def test_formats_are_tried_in_order(connection: duckdb.DuckDBPyConnection) -> None:
    texts = ["06/11/2024", "25/11/2024", "11.06.2024 10:00", "2024-06-11T10:00:00+02:00", "nonsense"]
    american = ["%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S%z"]
    european = ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S%z"]
    others = [
        datetime(2024, 11, 24, 23, 0, tzinfo=UTC),
        datetime(2024, 6, 11, 8, 0, tzinfo=UTC),
        datetime(2024, 6, 11, 8, 0, tzinfo=UTC),
        None,
    ]
    for formats, first in (
        (american, datetime(2024, 6, 10, 22, tzinfo=UTC)),
        (european, datetime(2024, 11, 5, 23, tzinfo=UTC)),
    ):
        found = [moment for moment, _ in placed_all(connection, texts, datetime_formats=formats)]
        assert found == [first, *others]


def test_formats_obey_the_rule_for_ambiguous_hours(connection: duckdb.DuckDBPyConnection) -> None:
    texts = ["27-10-2024 02:30", "31-03-2024 02:30"]
    assert placed_all(connection, texts, datetime_formats=["%d-%m-%Y %H:%M"], ambiguous_hour="reject") == [
        (None, "ambiguous"),
        (None, "nonexistent"),
    ]


@pytest.mark.parametrize(
    ("formats", "text"),
    [
        ([], "2024-06-11T09:14:40.123456789"),
        ([], "2024-06-11T11:14:40.123456789+04:00"),
        (["%d-%m-%Y %H:%M:%S.%f"], "11-06-2024 09:14:40.123456789"),
        (["%d-%m-%Y %H:%M:%S.%f%z"], "11-06-2024 11:14:40.123456789+04:00"),
    ],
    ids=["iso", "iso with offset", "format", "format with offset"],
)
def test_a_fraction_is_cut_at_microseconds_however_it_is_written(
    connection: duckdb.DuckDBPyConnection, formats: list[str], text: str
) -> None:
    """The id of an event is made of its microseconds: two ways to write one moment must not make two events."""
    assert instant(connection, text, datetime_formats=formats) == datetime(2024, 6, 11, 7, 14, 40, 123_456, tzinfo=UTC)


def test_formats_with_and_without_a_fraction_go_together_in_any_year(connection: duckdb.DuckDBPyConnection) -> None:
    formats = ["%d-%m-%Y %H:%M:%S.%f", "%d-%m-%Y %H:%M:%S"]
    texts = ["11-06-2024 09:14:40.5", "11-06-2024 09:14:40", "31-12-2999 00:00:00", "01-01-1500 00:00:00"]
    found = [moment for moment, _ in placed_all(connection, texts, datetime_formats=formats, timezone="UTC")]
    assert found == [
        datetime(2024, 6, 11, 9, 14, 40, 500_000, tzinfo=UTC),
        datetime(2024, 6, 11, 9, 14, 40, tzinfo=UTC),
        datetime(2999, 12, 31, tzinfo=UTC),
        datetime(1500, 1, 1, tzinfo=UTC),
    ]


DIRECTIVES = (
    st.sampled_from(["%d", "%-d"]),
    st.sampled_from(["%m", "%b", "%B"]),
    st.sampled_from(["%Y", "%y"]),
    st.sampled_from(["%H:%M:%S", "%H:%M:%S.%f", "%I:%M:%S %p", "%I.%M.%S.%f%p", "%H%M", "%a %H:%M", "%A %Hh%M"]),
)


@THOROUGHLY
@given(
    parts=st.tuples(*DIRECTIVES).flatmap(st.permutations),
    separator=st.sampled_from(["/", "-", " ", ".", " | "]),
    moments=st.lists(moments_between(1970, 2069), max_size=20),
)
def test_what_python_writes_with_a_format_is_read_with_it(
    connection: duckdb.DuckDBPyConnection, parts: Sequence[str], separator: str, moments: list[datetime]
) -> None:
    as_written = separator.join(parts)
    pattern = as_written.replace("%-d", "%d")
    texts = [moment.strftime(as_written) for moment in moments]
    assert placed_all(connection, texts, datetime_formats=[pattern], timezone="UTC") == [
        (datetime.strptime(text, pattern).replace(tzinfo=UTC), None) for text in texts
    ]
