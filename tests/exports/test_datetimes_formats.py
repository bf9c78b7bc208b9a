"""Date-times in a layout's formats become the instants that Python, too, takes them for."""

from collections.abc import Sequence
from datetime import UTC, datetime

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.exports.instants import THOROUGHLY, instant, moments_between, placed_all


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
        (["%Y%m%d %H:%M:%S.%f"], "20240611 09:14:40.123", datetime(2024, 6, 11, 7, 14, 40, 123_000, tzinfo=UTC)),
        (["%Y%m%d %H:%M:%S.%f"], "20240611 09:14:40.1234567", datetime(2024, 6, 11, 7, 14, 40, 123_456, tzinfo=UTC)),
        (["%Y%m%d%H%M%S%f"], "20240611091440123", datetime(2024, 6, 11, 7, 14, 40, 123_000, tzinfo=UTC)),
        (["%Y%m%d%H%M%S%f"], "20240611235959997", datetime(2024, 6, 11, 21, 59, 59, 997_000, tzinfo=UTC)),
        (["%Y%m%d%H%M%S%f"], "20240611091440123456789", datetime(2024, 6, 11, 7, 14, 40, 123_456, tzinfo=UTC)),
        (["%f%Y-%m-%d"], "12342024-06-11", datetime(2024, 6, 10, 22, 0, 0, 123_400, tzinfo=UTC)),
        (["%S%f %H:%M %d%m%Y"], "409 09:14 11062024", datetime(2024, 6, 11, 7, 14, 40, 900_000, tzinfo=UTC)),
        (["%Y%m%d (%f)"], "20240611 (1234567890)", None),
        (["%Y%m%d%H%M%S.%f"], "20240611091440.", None),
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


WHOLE = ("%Y", "%m", "%d", "%H", "%M", "%S", "%f")


@THOROUGHLY
@given(
    parts=st.permutations(WHOLE),
    separators=st.lists(st.sampled_from(["", "", ".", "-", " ", "T", "|"]), min_size=6, max_size=6),
    moments=st.lists(moments_between(1970, 2069), min_size=1, max_size=10),
    digits=st.integers(1, 9),
    more=st.integers(0, 999),
)
def test_of_a_fraction_alone_what_is_below_a_microsecond_is_cut(
    connection: duckdb.DuckDBPyConnection,
    parts: Sequence[str],
    separators: list[str],
    moments: list[datetime],
    digits: int,
    more: int,
) -> None:
    """Wherever it stands, and whatever digits stand beside it."""
    pattern = "".join(part + separator for part, separator in zip(parts, [*separators, ""], strict=True))
    fractions = [f"{moment.microsecond:06}{more:03}"[:digits] for moment in moments]
    texts, plain = (
        [
            moment.strftime(pattern.replace("%f", fraction[:length]))
            for moment, fraction in zip(moments, fractions, strict=True)
        ]
        for length in (9, 6)
    )
    assert placed_all(connection, texts, datetime_formats=[pattern], timezone="UTC") == [
        (datetime.strptime(text, pattern).replace(tzinfo=UTC), None) for text in plain
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
