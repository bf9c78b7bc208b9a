"""Each date is loaded in one transaction: together or not at all."""

import random
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from pipeline.errors import WarehouseError
from pipeline.exports.discovery import discover
from pipeline.exports.loading import load
from tests.exports.arrivals import DATED, HOUR, JEF, MONDAY, WatchedLocation, names, zoe
from tests.support.export_folder import HEADER, LOADABLE, NO_PERSON, NOW, WRITTEN, ZOE, Desk, layout

# So many that they don't lie in the catalog, and don't pack to nothing.
_MANY = HEADER + "".join(zoe(random.Random(number).randbytes(20).hex()) for number in range(5_000))
_NOT_LOADED = r"^The files of 2024-06-11 can't be loaded: .*; nothing was recorded, and the next run reads them again$"


def test_the_files_of_a_date_come_in_one_transaction(desk: Desk) -> None:
    desk.layouts = (layout(files=DATED),)
    for day in ("20240610", "20240611"):
        for part in ("", "_1", "_2"):
            desk.put(f"opens_{day}{part}.csv", HEADER + zoe(day + part) + NO_PERSON)
    before = desk.commits()
    desk.load()
    assert desk.commits() == before + 2
    assert len(desk.events()) == 12


def test_a_line_that_goes_dead_leaves_whole_dates(desk: Desk, watched: WatchedLocation) -> None:
    desk.layouts = (layout(files=DATED),)
    for name in ("opens_20240610.csv", "opens_20240611_1.csv", "opens_20240611_2.csv", "opens_20240612.csv"):
        desk.put(name, HEADER + zoe(name) + NO_PERSON)
    watched.failing = "opens_20240611_2.csv"
    with pytest.raises(ConnectionError):
        desk.load()
    assert desk.events("export_date") == [MONDAY, MONDAY]
    assert desk.rejected("file") == ["opens_20240610.csv"]
    assert desk.files("name") == ["opens_20240610.csv"]
    watched.failing = None
    assert names(desk.load()) == [
        ("opens_20240611_1.csv", "loaded"),
        ("opens_20240611_2.csv", "loaded"),
        ("opens_20240612.csv", "loaded"),
    ]


def test_a_replacement_that_is_interrupted_leaves_the_former_rows(desk: Desk, watched: WatchedLocation) -> None:
    for name in ("opens_a.csv", "opens_b.csv"):
        desk.put(name, HEADER + zoe(name))
    desk.load()
    for name in ("opens_a.csv", "opens_b.csv"):
        desk.put(name, HEADER + zoe(name) + JEF, WRITTEN + HOUR)
    watched.failing = "opens_b.csv"
    with pytest.raises(ConnectionError):
        desk.load(at=NOW + HOUR)
    assert desk.events("user_id", "loaded_at") == [("C-1", NOW), ("C-1", NOW)]


def test_a_file_that_goes_away_between_the_look_and_the_reading_stops_no_other(desk: Desk) -> None:
    desk.put("opens_a.csv", HEADER + ZOE)
    desk.put("opens_b.csv", HEADER + JEF)
    seen = discover(desk.location, desk.layouts, LOADABLE)
    desk.remove("opens_a.csv")
    load(desk.connection, desk.location, seen, now=NOW)
    assert desk.events("user_id") == ["C-2"]


@pytest.mark.parametrize("name", ["opens_*.csv", "opens_?.csv", "opens_[1].csv"])
def test_a_name_that_looks_like_a_pattern_means_one_file(desk: Desk, name: str) -> None:
    """DuckDB reads every file that such a name matches: the other's rows would be in it, too."""
    desk.put(name, HEADER + ZOE)
    desk.put("opens_1.csv", HEADER + JEF)
    desk.load()
    assert sorted(desk.events("file", "user_id")) == sorted([(name, "C-1"), ("opens_1.csv", "C-2")])


# What is not a fault of the file


@contextmanager
def _full_disk(_: Desk) -> Iterator[None]:
    """No file grows to what the rows of `_MANY` need, as when the folder for temporary files is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def _no_folder_for_events(desk: Desk) -> Iterator[None]:
    """The store does not take the rows: a file stands where the folder of their table belongs."""
    place = _files_of_events(desk)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()
    yield
    place.unlink()


def _files_of_events(desk: Desk) -> Path:
    return desk.folder.parent / "lake" / "files" / "raw" / "events"


@pytest.mark.parametrize("failing", [_full_disk, _no_folder_for_events])
def test_a_failure_of_the_machine_or_the_store_refuses_no_file(
    desk: Desk, failing: Callable[[Desk], AbstractContextManager[None]]
) -> None:
    """What is refused is not looked at again until it changes: one bad minute would lose a good file for ever."""
    desk.put("opens.csv", _MANY)
    with failing(desk), pytest.raises(WarehouseError, match=_NOT_LOADED):
        desk.load()
    assert desk.files() == []
    assert names(desk.load()) == [("opens.csv", "loaded")]


def test_a_damaged_store_refuses_no_file(desk: Desk) -> None:
    """DuckDB's error for a Parquet file that it can't read is that for a text that it can't read."""
    desk.put("opens.csv", _MANY)
    desk.load()
    for file in _files_of_events(desk).rglob("*.parquet"):
        file.write_bytes(b"nothing")
    desk.put("opens.csv", _MANY + JEF, WRITTEN + HOUR)
    with pytest.raises(WarehouseError, match=_NOT_LOADED):
        desk.load(at=NOW + HOUR)
    assert desk.files("status") == ["loaded"]
