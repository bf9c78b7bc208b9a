"""The dates that a run is of."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.export_dates import ExportDates, ranges

MONDAY = date(2024, 6, 10)
TUESDAY = date(2024, 6, 11)
WEDNESDAY = date(2024, 6, 12)
FRIDAY = date(2024, 6, 14)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([], []),
        ([MONDAY], [ExportDates(MONDAY, MONDAY)]),
        ([WEDNESDAY, MONDAY, TUESDAY, MONDAY], [ExportDates(MONDAY, WEDNESDAY)]),
        ([FRIDAY, MONDAY, TUESDAY], [ExportDates(MONDAY, TUESDAY), ExportDates(FRIDAY, FRIDAY)]),
        ([date(2024, 2, 29), date(2024, 3, 1)], [ExportDates(date(2024, 2, 29), date(2024, 3, 1))]),
        ([date(2023, 12, 31), date(2024, 1, 1)], [ExportDates(date(2023, 12, 31), date(2024, 1, 1))]),
    ],
)
def test_days_in_a_row_are_one_range(days: list[date], expected: list[ExportDates]) -> None:
    assert ranges(days) == expected


@given(st.sets(st.dates(date(2024, 1, 1), date(2024, 3, 31))))
def test_ranges_hold_the_days_they_are_made_of_and_are_as_few_as_can_be(days: set[date]) -> None:
    found = ranges(days)
    held = [one.first + timedelta(days=n) for one in found for n in range((one.last - one.first).days + 1)]
    assert held == sorted(days)
    assert len(found) == sum(day - timedelta(days=1) not in days for day in days)


def test_both_ends_belong_to_a_range() -> None:
    dates = ExportDates(TUESDAY, WEDNESDAY)
    assert [day in dates for day in (MONDAY, TUESDAY, WEDNESDAY, FRIDAY)] == [False, True, True, False]


def test_a_range_is_told_as_a_person_would() -> None:
    assert str(ExportDates(MONDAY, MONDAY)) == "2024-06-10"
    assert str(ExportDates(MONDAY, FRIDAY)) == "2024-06-10 to 2024-06-14"


def test_ranges_are_in_the_order_of_their_dates() -> None:
    assert sorted([ExportDates(TUESDAY, TUESDAY), ExportDates(MONDAY, FRIDAY), ExportDates(MONDAY, MONDAY)]) == [
        ExportDates(MONDAY, MONDAY),
        ExportDates(MONDAY, FRIDAY),
        ExportDates(TUESDAY, TUESDAY),
    ]
