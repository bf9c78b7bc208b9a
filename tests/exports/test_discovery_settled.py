"""A file is taken when it has stayed as it is for some seconds, whatever the clocks say of it and of this machine."""

from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.exports.discovery import SETTLING, Discovered, discover
from pipeline.exports.locations import ExportLocation
from tests.exports.arrivals import AHEAD, BEHIND, HOUR, JEF, Looking
from tests.support.export_folder import HEADER, LOADABLE, NOW, WRITTEN, ZOE, Desk, layout

HALF, WHOLE = HEADER + ZOE, HEADER + ZOE + JEF
SECONDS = SETTLING.total_seconds()


@pytest.fixture
def looking(desk: Desk) -> Looking:
    return Looking(desk)


def landed(seen: Discovered) -> list[str]:
    return [file.file.name for file in seen.matched]


def waiting(seen: Discovered) -> list[tuple[str, str]]:
    return [(file.file.name, file.reason) for file in seen.waiting]


@pytest.mark.parametrize("clock", [timedelta(0), BEHIND, AHEAD], ids=["ours", "behind", "ahead"])
def test_a_file_that_grows_waits_by_whatever_clock_it_is_written(looking: Looking, clock: timedelta) -> None:
    looking.desk.put("opens.csv", HALF, NOW + clock)
    looking.meanwhile = [("opens.csv", WHOLE, clock + timedelta(seconds=3))]
    seen = looking.discover()
    assert (landed(seen), waiting(seen)) == ([], [("opens.csv", "is still being written")])
    assert looking.slept == [SECONDS]


def test_a_file_that_grows_waits_although_its_time_stays(looking: Looking) -> None:
    """The clock of whatever writes it was set back meanwhile, or stands still."""
    looking.desk.put("opens.csv", HALF, NOW)
    looking.meanwhile = [("opens.csv", WHOLE, timedelta(0))]
    assert landed(looking.discover()) == []


@pytest.mark.parametrize("clock", [timedelta(0), BEHIND, AHEAD], ids=["ours", "behind", "ahead"])
def test_a_file_that_rests_is_taken_after_a_second_listing(looking: Looking, clock: timedelta) -> None:
    looking.desk.put("opens.csv", WHOLE, NOW + clock)
    assert landed(looking.discover()) == ["opens.csv"]
    assert looking.slept == [SECONDS]


def test_a_file_that_begins_meanwhile_waits(looking: Looking) -> None:
    looking.desk.put("opens.csv", WHOLE)
    looking.meanwhile = [("opens_2.csv", HALF, BEHIND)]
    seen = looking.discover()
    assert (landed(seen), waiting(seen)) == (["opens.csv"], [("opens_2.csv", "is still being written")])


def test_what_was_seen_in_an_earlier_listing_is_waited_for_no_longer_than_it_needs(looking: Looking) -> None:
    looking.desk.put("opens.csv", WHOLE)
    looking.discover()
    looking.desk.put("opens_2.csv", WHOLE)
    looking.discover()
    assert landed(looking.discover()) == ["opens.csv", "opens_2.csv"]
    assert looking.slept == [SECONDS, SECONDS]

    looking.desk.put("opens_3.csv", WHOLE)
    looking.watch.note(file.file for file in discover(looking.desk.location, looking.desk.layouts, LOADABLE).matched)
    looking.seconds += 2
    looking.discover()
    assert looking.slept[2:] == [SECONDS - 2]


def test_a_file_that_is_known_is_not_waited_for_though_its_time_is_of_the_future(looking: Looking) -> None:
    looking.desk.put("opens.csv", WHOLE, NOW + AHEAD)
    looking.desk.load()
    assert landed(looking.discover()) == ["opens.csv"]
    assert looking.slept == []


def test_a_file_with_its_ready_marker_needs_no_second_listing(looking: Looking) -> None:
    looking.desk.layouts = (layout(ready_marker=".trg"),)
    looking.desk.put("opens.csv", WHOLE)
    looking.desk.put("opens.trg", "")
    assert landed(looking.discover()) == ["opens.csv"]
    assert looking.slept == []


class GrowingLocation(ExportLocation):
    """Where a file grows while it is read: behind the two looks, that is."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.folder = folder

    def _here(self, path: str, folder: Path):  # type: ignore[no-untyped-def]
        copy = super()._here(path, folder)
        with (self.folder / "opens.csv").open("a", encoding="utf-8") as file:
            file.write(JEF)
        return copy


def test_a_file_that_grows_while_it_is_read_keeps_its_former_rows_and_is_read_later(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    desk.load()
    desk.put("opens.csv", HEADER + JEF, WRITTEN + HOUR)
    desk.location = GrowingLocation(desk.folder)
    assert desk.load().files == []
    assert desk.events("user_id") == ["C-1"]
    desk.location = ExportLocation(str(desk.folder))
    desk.put("opens.csv", HEADER + JEF + JEF, WRITTEN + 2 * HOUR)
    desk.load()
    assert desk.events("user_id") == ["C-2", "C-2"]


def test_a_file_that_is_taken_away_after_it_was_read_is_loaded(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    with desk.location.local(desk.location.files()[0]):
        desk.remove("opens.csv")
