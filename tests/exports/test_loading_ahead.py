"""Files are read between the two listings; what the second one contradicts is not committed."""

from datetime import timedelta

import pytest

from tests.exports.arrivals import BEHIND, DATED, HOUR, JEF, REFUSED, Looking, WatchedLocation, names, zoe
from tests.support.export_folder import HEADER, NO_PERSON, WRITTEN, ZOE, Desk, layout


@pytest.fixture
def looking(desk: Desk) -> Looking:
    desk.layouts = (layout(files=DATED),)
    return Looking(desk)


def test_files_are_read_before_the_second_listing_and_committed_after_it(looking: Looking) -> None:
    location = looking.desk.location = WatchedLocation(looking.desk.folder)
    looking.desk.put("opens_20240611.csv", HEADER + ZOE)
    seen: list[tuple[list[str], int]] = []
    looking.during_sleep = lambda: seen.append((list(location.fetched), looking.desk.commits()))
    before = looking.desk.commits()
    assert names(looking.load()) == [("opens_20240611.csv", "loaded")]
    assert seen == [(["opens_20240611.csv"], before)]
    assert looking.desk.commits() == before + 1


@pytest.mark.parametrize("content", [HEADER, REFUSED, HEADER + ZOE + NO_PERSON], ids=["empty", "refused", "rows"])
def test_a_file_that_grew_leaves_nothing_and_the_others_of_its_date_are_loaded(looking: Looking, content: str) -> None:
    looking.desk.put("opens_20240611_1.csv", content)
    looking.desk.put("opens_20240611_2.csv", HEADER + zoe("2") + NO_PERSON)
    looking.meanwhile = [("opens_20240611_1.csv", content + JEF, timedelta(hours=2))]
    assert names(looking.load()) == [("opens_20240611_2.csv", "loaded")]
    assert looking.desk.events("file") == ["opens_20240611_2.csv"] * 2
    assert looking.desk.rejected("file") == ["opens_20240611_2.csv"]
    assert looking.desk.files("name") == ["opens_20240611_2.csv"]


def test_a_new_version_that_grows_keeps_the_rows_of_the_former_one(looking: Looking) -> None:
    looking.desk.put("opens_20240611.csv", HEADER + ZOE)
    looking.load()
    looking.desk.put("opens_20240611.csv", HEADER + JEF, WRITTEN + HOUR)
    looking.meanwhile = [("opens_20240611.csv", HEADER + JEF + JEF, HOUR * 2)]
    assert names(looking.load()) == []
    assert looking.desk.events("user_id") == ["C-1"]
    looking.meanwhile = []
    assert names(looking.load()) == [("opens_20240611.csv", "loaded")]
    assert looking.desk.events("user_id") == ["C-2", "C-2"]


def test_a_file_that_was_taken_away_meanwhile_is_not_loaded(looking: Looking) -> None:
    looking.desk.put("opens_20240611.csv", HEADER + ZOE)
    looking.during_sleep = lambda: looking.desk.remove("opens_20240611.csv")
    assert names(looking.load()) == []
    assert looking.desk.events() == []


def test_a_date_that_is_complete_by_the_second_listing_is_loaded(looking: Looking) -> None:
    looking.desk.layouts = (
        layout(files=DATED),
        layout(name="marked", files=r"marked_(?P<date>\d{8})\.csv", ready_marker=".trg"),
    )
    looking.desk.put("opens_20240611.csv", HEADER + ZOE)
    looking.desk.put("marked_20240611.csv", HEADER + JEF)
    looking.desk.put("marked_20240612.csv", HEADER + JEF + JEF)
    looking.meanwhile = [("marked_20240611.trg", "", BEHIND), ("marked_20240612.trg", "", BEHIND)]
    assert sorted(names(looking.load())) == [
        ("marked_20240611.csv", "loaded"),
        ("marked_20240612.csv", "loaded"),
        ("opens_20240611.csv", "loaded"),
    ]


def test_the_dates_before_a_file_that_grows_are_loaded_once(looking: Looking) -> None:
    location = looking.desk.location = WatchedLocation(looking.desk.folder)
    for day in (10, 11, 12):
        looking.desk.put(f"opens_202406{day}.csv", HEADER + zoe(str(day)))
    looking.meanwhile = [("opens_20240611.csv", HEADER + ZOE + JEF, HOUR)]
    assert [name for name, _ in names(looking.load())] == ["opens_20240610.csv", "opens_20240612.csv"]
    assert location.fetched.count("opens_20240610.csv") == 1
    assert looking.slept == [5.0]
