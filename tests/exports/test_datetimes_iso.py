"""Date-times in ISO 8601 become the instants that Python, too, takes them for."""

from datetime import UTC, datetime, timedelta

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exports.instants import THOROUGHLY, instant, moments_between, placed_all


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
