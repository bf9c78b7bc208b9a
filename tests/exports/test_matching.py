"""A file's name gives its layout, its export date, and the time at which it was written."""

from datetime import UTC, date, datetime

import pytest
from pydantic import ValidationError

from pipeline.catalog import LOOKUPS
from pipeline.export_dates import ExportDates
from pipeline.exports.layouts import Layout
from pipeline.exports.listing import ExportFile
from pipeline.exports.matching import MatchedFile, Unmatched, match
from tests.support.export_folder import layout

LOADABLE = ExportDates(date(2024, 1, 1), date(2024, 6, 20))
MODIFIED = datetime(2024, 6, 12, 23, 30, tzinfo=UTC)
CLICKS = layout(name="clicks", files=r"ACME_clicks_(?P<date>\d{8})(?P<time>\d{6})?\.txt")


def file(name: str) -> ExportFile:
    return ExportFile(name, 1, MODIFIED)


def landed(name: str, *layouts: Layout) -> MatchedFile:
    found = match(file(name), layouts or [CLICKS], LOADABLE)
    assert not isinstance(found, Unmatched)
    [only] = found
    return only


def reason(name: str, *layouts: Layout) -> str:
    found = match(file(name), layouts or [CLICKS], LOADABLE)
    assert isinstance(found, Unmatched)
    assert found.export_date == date(2024, 6, 12)
    return found.reason


def test_a_file_has_the_layout_whose_pattern_is_its_whole_name() -> None:
    opens = layout(name="opens", files=r"ACME_opens_(?P<date>\d{8})\.txt")
    assert landed("ACME_opens_20240611.txt", CLICKS, opens).layout is opens
    assert landed("ACME_clicks_20240611.txt", CLICKS, opens).layout is CLICKS


@pytest.mark.parametrize("name", ["out/2024/ACME_clicks_20240611.txt", "ACME_clicks_20240611.txt.gz"])
def test_folders_and_packing_are_no_part_of_the_name(name: str) -> None:
    assert landed(name).export_date == date(2024, 6, 11)


@pytest.mark.parametrize(
    "name",
    ["ACME_clicks_20240611.txt.tmp", "my_ACME_clicks_20240611.txt", "acme_clicks_20240611.txt", "readme.md"],
)
def test_a_file_without_a_layout_is_left_alone(name: str) -> None:
    assert reason(name) == "no layout matches its name; write one, or move the file elsewhere"


def test_a_file_with_two_layouts_of_one_kind_is_left_alone() -> None:
    assert reason("ACME_clicks_20240611.txt", CLICKS, layout(name="all", files=".*")) == (
        "more than one layout of events matches its name (clicks, all); make their patterns stricter"
    )
    several = [of_kind("contacts", "people"), CLICKS, of_kind("contacts", "persons")]
    assert reason("ACME_clicks_20240611.txt", *several) == (
        "more than one layout of contacts matches its name (people, persons); make their patterns stricter"
    )


def of_kind(kind: str, name: str, files: str = CLICKS.files) -> Layout:
    lookup = LOOKUPS[kind]
    columns = {meaning: meaning for meaning in (*lookup.key, *lookup.values)}
    return layout(name=name, files=files, kind=kind, event=None, columns=columns)


def test_a_file_has_a_layout_of_each_kind_at_most_and_the_events_come_last() -> None:
    several = [CLICKS, of_kind("links", "links"), of_kind("contacts", "people"), of_kind("lists", "lists", "other")]
    found = match(file("ACME_clicks_20240611063000.txt"), several, LOADABLE)
    assert not isinstance(found, Unmatched)
    assert [each.layout.name for each in found] == ["people", "links", "clicks"]
    assert {each.layouts for each in found} == {("people", "links", "clicks")}
    assert {(each.export_date, each.exported_at) for each in found} == {
        (date(2024, 6, 11), datetime(2024, 6, 11, 4, 30, tzinfo=UTC))
    }


def test_a_file_to_which_its_layouts_give_different_dates_is_left_alone() -> None:
    assert reason("ACME_clicks_20240611.txt", CLICKS, of_kind("contacts", "people", "ACME_.*")) == (
        "its layouts give it different export dates (people: 2024-06-12, clicks: 2024-06-11); write the group 'date' "
        "alike in both patterns"
    )


def test_the_name_tells_when_the_file_was_written_in_local_time() -> None:
    found = landed("ACME_clicks_20240611063000.txt")
    assert (found.export_date, found.exported_at) == (date(2024, 6, 11), datetime(2024, 6, 11, 4, 30, tzinfo=UTC))


def test_the_export_date_is_the_one_in_the_name_also_where_it_is_another_day_in_utc() -> None:
    found = landed("ACME_clicks_20240611003000.txt")
    assert (found.export_date, found.exported_at) == (date(2024, 6, 11), datetime(2024, 6, 10, 22, 30, tzinfo=UTC))


def test_without_a_zone_the_time_in_the_name_is_utc() -> None:
    nowhere = layout(files=CLICKS.files, timezone=None)
    assert landed("ACME_clicks_20240611063000.txt", nowhere).exported_at == datetime(2024, 6, 11, 6, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (r"x_(?P<date>\d{8})_(?P<time>\d{4})", "x_20240611_0630", datetime(2024, 6, 11, 4, 30, tzinfo=UTC)),
        (
            r"x_(?P<date>[\d-]{10})T(?P<time>[\d.]{8})",
            "x_2024-06-11T06.30.15",
            datetime(2024, 6, 11, 4, 30, 15, tzinfo=UTC),
        ),
        (r"(?P<time>\d{6})x(?P<date>\d{8})", "063015x20240611", datetime(2024, 6, 11, 4, 30, 15, tzinfo=UTC)),
    ],
)
def test_date_and_time_may_be_written_with_or_without_separators(pattern: str, name: str, expected: datetime) -> None:
    found = landed(name, layout(files=pattern))
    assert (found.export_date, found.exported_at) == (date(2024, 6, 11), expected)


def test_without_a_time_in_the_name_the_file_was_written_when_it_was_modified() -> None:
    found = landed("ACME_clicks_20240611.txt")
    assert (found.export_date, found.exported_at) == (date(2024, 6, 11), MODIFIED)


@pytest.mark.parametrize("pattern", [r"clicks(_(?P<date>\d{8}))?", r"clicks", r"clicks(_(?P<time>\d{4}))?"])
def test_without_a_date_in_the_name_the_day_of_its_modification_counts(pattern: str) -> None:
    found = landed("clicks", layout(files=pattern))
    assert (found.export_date, found.exported_at) == (date(2024, 6, 12), MODIFIED)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ACME_clicks_20240231.txt", "'20240231' in its name is not a date; the group 'date' looks like 20240611"),
        ("ACME_clicks_20240611250000.txt", "'250000' in its name is not a time; the group 'time' looks like 071500"),
        ("ACME_clicks_20240621.txt", "its name says 2024-06-21, which is in the future; it is loaded from that day on"),
        ("ACME_clicks_20231231.txt", "its name says 2023-12-31, which is before FIRST_EXPORT_DATE (2024-01-01)"),
    ],
)
def test_a_file_of_an_impossible_date_is_left_alone(name: str, expected: str) -> None:
    assert reason(name) == expected


@pytest.mark.parametrize(("name", "day"), [("20240620", date(2024, 6, 20)), ("20240101", date(2024, 1, 1))])
def test_a_file_of_today_and_of_the_first_day_is_loaded(name: str, day: date) -> None:
    assert landed(f"ACME_clicks_{name}.txt").export_date == day


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        (r"x(?P<date>\d{6})", "x240611", "'240611' in its name is not a date; the group 'date' looks like 20240611"),
        (r"x(?P<date>\d{7})", "x2024111", "'2024111' in its name is not a date; the group 'date' looks like 20240611"),
        (
            r"x(?P<date>\d{8})_(?P<time>\d{3})",
            "x20240611_630",
            "'630' in its name is not a time; the group 'time' looks like 071500",
        ),
    ],
)
def test_digits_that_could_mean_two_dates_mean_none(pattern: str, name: str, expected: str) -> None:
    """Python reads 240611 as the year 2406, and 2024111 as one of two days."""
    assert reason(name, layout(files=pattern)) == expected


DAY_FIRST = r"x_(?P<day>\d{2})-?(?P<month>\d{2})-?(?P<year>\d{4})(_(?P<time>\d{4}))?"


@pytest.mark.parametrize("name", ["x_11062024", "x_11-06-2024", "x_11062024_0715"])
def test_a_date_in_another_order_has_a_group_for_each_part(name: str) -> None:
    assert landed(name, layout(files=DAY_FIRST)).export_date == date(2024, 6, 11)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "x_31062024",
            "'2024-06-31' in its name is not a date; the groups 'day', 'month' and 'year' look like 11, 06 and 2024",
        ),
        ("x_21062024", "its name says 2024-06-21, which is in the future; it is loaded from that day on"),
    ],
)
def test_an_impossible_date_in_another_order_is_left_alone(name: str, expected: str) -> None:
    assert reason(name, layout(files=DAY_FIRST)) == expected


@pytest.mark.parametrize(
    "pattern", [r"(?P<day>\d{2})(?P<month>\d{2})", r"(?P<date>\d{8})(?P<day>\d)(?P<month>\d)(?P<year>\d)"]
)
def test_the_parts_of_a_date_belong_together(pattern: str) -> None:
    with pytest.raises(ValidationError, match="belong together, in place of the group 'date'"):
        layout(files=pattern)
