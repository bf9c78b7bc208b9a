"""Guesses about date-times: their formats, their zone, and which of them is the event's."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.exports.datetimes import parsed
from pipeline.layout_drafting.datetime_formats import moments_of
from tests.layout_drafting.drafting import Drafter, Guessed, lines
from tests.support.export_folder import layout


def open_rows(times: list[str]) -> str:
    return lines("CUSTOMER_KEY,OPEN_DT", *(f"C-{number},{time}" for number, time in enumerate(times)))


def test_day_and_month_that_cannot_be_told_apart_are_shown_both_ways(draft: Drafter) -> None:
    text = draft(open_rows([f"0{day}/0{month}/2024 10:00" for day in range(1, 9) for month in range(1, 9)]))
    assert yaml.safe_load(text)["datetime_formats"] == ["%d/%m/%Y %H:%M"]
    assert "CHECK: day or month first?" in text
    assert "#   datetime_formats: ['%m/%d/%Y %H:%M']; the file's name says 20240611" in text


@pytest.mark.parametrize(("one", "formats"), [("25/01", ["%d/%m/%Y %H:%M"]), ("01/25", ["%m/%d/%Y %H:%M"])])
def test_one_number_above_12_tells_them_apart(draft: Drafter, one: str, formats: list[str]) -> None:
    text = draft(open_rows(["01/02/2024 10:00", f"{one}/2024 10:00", "03/04/2024 10:00"]))
    assert yaml.safe_load(text)["datetime_formats"] == formats
    assert "CHECK" not in text


def test_iso_8601_needs_no_formats_and_offsets_no_zone(draft: Drafter) -> None:
    naive = draft(open_rows(["2024-06-11T09:15:10", "2024-06-11 09:15:10.01", "2024-06-11T09:15"]))
    assert yaml.safe_load(naive)["timezone"] == "FILL_IN"
    assert "datetime_formats: omitted, this is ISO 8601" in naive
    offsets = yaml.safe_load(draft(open_rows(["2024-06-11T09:15:10Z", "2024-06-11 09:15:10.01+02:00"])))
    assert {"timezone", "datetime_formats"} & set(offsets) == set()
    mixed = yaml.safe_load(draft(open_rows(["2024-06-11T09:15:10Z", "2024-06-11 09:15:10"])))
    assert mixed["timezone"] == "FILL_IN"


FORMATS = [
    "%d-%m-%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y%m%d%H%M%S",
    "%Y%m%d %H%M%S",
    "%Y-%m-%d",
    "%d/%m/%Y",
    "%m/%d/%Y %I:%M:%S %p",
    "%d %b %Y %H:%M:%S",
    "%B %d, %Y %H:%M",
    "%d-%m-%Y %H:%M:%S.%f",
    "%d-%m-%Y %H:%M:%S%z",
    "%d-%m-%y %H:%M",
    "%b %d %Y %I:%M%p",
    "%b %d %Y %I:%M:%S:%f%p",
    "%d-%b-%y %I.%M.%S.%f %p",
    "%Y-%m-%d-%H.%M.%S.%f",
    "%Y%m%d %H:%M:%S.%f",
    "%Y%m%d%H%M%S%f",
    "%Y%m%dT%H%M%S",
    "%d/%b/%Y:%H:%M:%S %z",
    "%a, %d %b %Y %H:%M:%S %z",
    "%Y-%m-%d %H:%M:%S UTC",
]
DAYS = st.datetimes(datetime.fromisoformat("2015-01-01"), datetime.fromisoformat("2029-12-31"))
MOMENTS = st.lists(DAYS, min_size=20, max_size=40)
LATE = [datetime.fromisoformat("2024-01-31T13:00"), datetime.fromisoformat("2024-12-28T00:30")]


@settings(deadline=None, max_examples=60)
@given(pattern=st.sampled_from(FORMATS), moments=MOMENTS)
def test_the_format_that_wrote_the_values_reads_them(pattern: str, moments: list[datetime]) -> None:
    days = [*moments, *LATE]
    written = [moment.strftime(pattern.replace("%z", "+02:00")) for moment in days]
    found = moments_of(written)
    assert found is not None
    assert (found.formats, found.exchanged, found.misfits) == ((pattern,), (), 0)


@settings(deadline=None, max_examples=60)
@given(pattern=st.sampled_from(FORMATS), moments=MOMENTS)
def test_what_is_drafted_is_what_duckdb_reads(
    draft_reads: Callable[..., list[datetime | None]], pattern: str, moments: list[datetime]
) -> None:
    days = [moment.replace(second=0, microsecond=0) for moment in [*moments, *LATE]]
    written = [moment.strftime(pattern.replace("%z", "+00:00")) for moment in days]
    expected = [datetime.strptime(text, pattern.replace("%z", "+00:00")) for text in written]  # noqa: DTZ007
    assert draft_reads(written) == expected


@pytest.fixture(scope="session")
def draft_reads(connection: Any) -> Callable[[list[str]], list[datetime | None]]:
    def read(values: list[str]) -> list[datetime | None]:
        found = moments_of(values)
        assert found is not None
        times = parsed(layout(datetime_formats=list(found.formats)), "text")
        query = f"SELECT coalesce({times.naive}, timezone('UTC', {times.absolute})) FROM (SELECT unnest(?) AS text)"
        return [row[0] for row in connection.execute(query, [values]).fetchall()]

    return read


@pytest.mark.parametrize(
    "values", [["99120455"] * 9, ["884301", "12"], ["5120"], ["1718097310"], ["1.2.3", "x"], [], [""]]
)
def test_numbers_are_no_date_times(values: list[str]) -> None:
    assert moments_of(values) is None


def test_a_few_broken_date_times_are_counted(draft: Drafter) -> None:
    text = draft(open_rows([*["25-06-2024 10:00:00"] * 30, "31-02-2024 10:00:00", "soon"]))
    assert yaml.safe_load(text)["datetime_formats"] == ["%d-%m-%Y %H:%M:%S"]
    assert "values that don't fit and will be rejected: 2" in text


def test_the_time_of_the_event_is_told_from_other_times(guessed: Guessed) -> None:
    rows = [f"C-{n},2024-06-0{n},2024-06-0{n} 10:00:00,2024-06-0{n} 11:00:00,1980-01-0{n}" for n in range(1, 9)]
    drafted = guessed(lines("CUSTOMER_KEY,CREATED_DT,SENT_DT,CLICK_DT,BIRTHDATE", *rows))
    assert drafted["columns"] == {"CUSTOMER_KEY": "user_id", "CLICK_DT": "timestamp"}
