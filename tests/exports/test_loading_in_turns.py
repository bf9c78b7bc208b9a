"""Files are read before the writer's turn, while others write; what is known is looked up again in the turn."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier, Event

import duckdb
import pytest

from pipeline.exports.discovery import Discovered, discover, known_files
from pipeline.exports.listing import ExportFile
from pipeline.exports.loading import Loaded, load, load_in_turns
from pipeline.exports.locations import ExportLocation, LocalCopy
from pipeline.exports.preparing import Preparer
from pipeline.exports.writer_turns import WriterTurns
from pipeline.warehouse import Warehouse
from pipeline.warehouse.in_memory import in_memory
from pipeline.warehouse.loads import Load, newest_loads
from tests.exports.arrivals import DATED, HOUR, JEF, MONDAY, REFUSED, TUESDAY, WatchedLocation, names, zoe
from tests.support.export_folder import HEADER, LOADABLE, NO_PERSON, NOW, WRITTEN, ZOE, Desk, layout
from tests.support.warehouses import ducklake_in, plain_file_in

SECONDS = 120


class Run:
    """A load that has read its files when others get the first turn; `meanwhile` is what they do before its turns."""

    def __init__(self, desk: Desk, *meanwhile: Callable[[], object]) -> None:
        self.desk = desk
        self.meanwhile = list(meanwhile)
        self.messages: list[str] = []

    def load(self, *, reload: bool = False, at: datetime = NOW) -> Loaded:
        seen = discover(self.desk.location, self.desk.layouts, LOADABLE)
        with in_memory() as reader:
            known = known_files(self.desk.connection)
            preparer = Preparer(reader, self.desk.location, known, reload, log=self.messages.append)
            return load_in_turns(WriterTurns(self._turn), preparer, seen, now=at)

    @contextmanager
    def _turn(self) -> Iterator[duckdb.DuckDBPyConnection]:
        if self.meanwhile:
            self.meanwhile.pop(0)()
        yield self.desk.connection


def other_load(desk: Desk, at: datetime = NOW + HOUR) -> Callable[[], Loaded]:
    return lambda: load(desk.connection, desk.location, discover(desk.location, desk.layouts, LOADABLE), now=at)


@pytest.mark.parametrize("warehouse_in", [ducklake_in, plain_file_in])
def test_two_loads_of_a_file_at_once_write_each_row_once(
    tmp_path: Path, warehouse_in: Callable[[Path], Warehouse]
) -> None:
    """Both have read it before either of them writes."""
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "opens_20240611.csv").write_text(HEADER + ZOE + JEF + NO_PERSON)
    warehouse = warehouse_in(tmp_path)
    have_read = Barrier(2)

    def load_it() -> Loaded:
        @contextmanager
        def turn() -> Iterator[duckdb.DuckDBPyConnection]:
            have_read.wait(SECONDS)
            with warehouse.writing() as connection:
                connection.execute("CREATE OR REPLACE TEMP TABLE listed_people (kind VARCHAR)")
                yield connection

        location = ExportLocation(str(tmp_path / "exports"))
        seen = discover(location, [layout(files=DATED)], LOADABLE)
        with in_memory() as reader, WriterTurns(turn) as turns:
            return load_in_turns(turns, Preparer(reader, location, {}), seen)

    with ThreadPoolExecutor(2) as threads:
        loads = [threads.submit(load_it) for _ in range(2)]
        results = sorted((load.result(SECONDS) for load in loads), key=lambda loaded: loaded.unchanged)
    assert [(names(loaded), loaded.unchanged) for loaded in results] == [
        ([("opens_20240611.csv", "loaded")], 0),
        ([], 1),
    ]
    with warehouse.reading() as connection:
        rows = connection.execute("SELECT user_id FROM raw.events ORDER BY row_number").fetchall()
        assert rows == [("C-1",), ("C-2",), (None,)]
        assert connection.execute("SELECT status, load_number FROM raw.export_files").fetchall() == [("loaded", 1)]


class SlowLocation(ExportLocation):
    """Delivers files only when they may come."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder))
        self.is_asked, self.may_come = Event(), Event()

    @contextmanager
    def local(self, file: ExportFile) -> Iterator[LocalCopy]:
        self.is_asked.set()
        assert self.may_come.wait(SECONDS)
        with super().local(file) as copy:
            yield copy


def test_others_write_while_a_file_is_on_its_way(tmp_path: Path) -> None:
    (tmp_path / "exports").mkdir()
    (tmp_path / "exports" / "opens_20240611.csv").write_text(HEADER + ZOE)
    warehouse, location = ducklake_in(tmp_path), SlowLocation(tmp_path / "exports")

    def load_it() -> Loaded:
        seen = discover(location, [layout(files=DATED)], LOADABLE)
        with in_memory() as reader, WriterTurns(warehouse.writing) as turns:
            return load_in_turns(turns, Preparer(reader, location, {}), seen)

    def write() -> None:
        with warehouse.writing() as connection:
            connection.execute("INSERT INTO raw.origin VALUES ('written', 'meanwhile')")

    with ThreadPoolExecutor(2) as threads:
        loading = threads.submit(load_it)
        try:
            assert location.is_asked.wait(SECONDS)
            threads.submit(write).result(SECONDS)
            assert not loading.done()
        finally:
            location.may_come.set()
        assert names(loading.result(SECONDS)) == [("opens_20240611.csv", "loaded")]


def test_the_turn_is_released_before_the_files_of_the_next_date_are_read(desk: Desk, watched: WatchedLocation) -> None:
    desk.layouts = (layout(files=DATED),)
    for day in ("20240610", "20240611"):
        desk.put(f"opens_{day}.csv", HEADER + zoe(day))
    read_by_turn: list[list[str]] = []

    def note() -> None:
        read_by_turn.append(list(watched.fetched))

    assert len(Run(desk, note, note, note).load().files) == 2
    assert read_by_turn == [["opens_20240610.csv"], ["opens_20240610.csv", "opens_20240611.csv"]]


def test_a_file_that_is_removed_before_its_rows_are_written_is_loaded_as_it_was(desk: Desk) -> None:
    """It was complete when it was listed again: as if it had been removed after the load."""
    desk.put("opens.csv", HEADER + ZOE + NO_PERSON)
    assert names(Run(desk, lambda: desk.remove("opens.csv")).load()) == [("opens.csv", "loaded")]
    assert desk.events("user_id") == ["C-1", None]
    assert desk.rejected("line") == [3]


def test_rejected_rows_are_located_in_a_file_that_is_gone(desk: Desk) -> None:
    """A value with a line break and a blank line move the lines; a row that breaks off is no row at all."""
    desk.put("opens.csv", HEADER + ZOE.replace("Soldes", '"Sol\ndes"') + "\n" + NO_PERSON + "C-9\n" + JEF)
    Run(desk, lambda: desk.remove("opens.csv")).load()
    assert desk.rejected("line", "text") == [(5, ",,Soldes,2024-06-11T09:15:10"), (6, "C-9")]


def test_what_another_run_has_loaded_of_newer_bytes_is_left_alone(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)

    def newer() -> None:
        desk.put("opens.csv", HEADER + JEF, WRITTEN + HOUR)
        other_load(desk)()

    run = Run(desk, newer)
    assert names(run.load()) == []
    assert desk.events("user_id") == ["C-2"]
    assert run.messages[-1] == (
        "opens.csv was loaded by another run while being read, with other bytes or another layout, and is left as it "
        "is; the next run compares it again"
    )
    assert desk.load().unchanged == 1


def test_what_another_run_has_refused_is_refused_once(desk: Desk) -> None:
    desk.put("opens.csv", REFUSED)
    assert names(Run(desk, other_load(desk)).load()) == []
    assert desk.files("status") == ["refused"]


def test_a_reload_reads_again_what_another_run_has_loaded(desk: Desk) -> None:
    desk.put("opens.csv", HEADER + ZOE)
    assert names(Run(desk, other_load(desk)).load(reload=True, at=NOW + 2 * HOUR)) == [("opens.csv", "loaded")]
    assert desk.events("loaded_at") == [NOW + 2 * HOUR]


def test_a_copy_is_read_if_the_other_file_has_other_content_by_then(desk: Desk) -> None:
    desk.put("opens_a.csv", HEADER + ZOE)
    desk.load()
    desk.put("opens_b.csv", HEADER + ZOE)

    def change() -> None:
        desk.put("opens_a.csv", HEADER + JEF, WRITTEN + HOUR)
        seen = discover(desk.location, desk.layouts, LOADABLE)
        matched = [one for one in seen.matched if one.file.name == "opens_a.csv"]
        load(desk.connection, desk.location, Discovered(matched, []), now=NOW + HOUR)

    assert names(Run(desk, change).load()) == [("opens_b.csv", "loaded")]
    assert desk.events("file", "user_id") == [("opens_a.csv", "C-2"), ("opens_b.csv", "C-1")]


def test_a_load_continues_under_a_further_number_if_another_one_has_written_meanwhile(desk: Desk) -> None:
    desk.layouts = (layout(files=DATED),)
    for day in ("20240610", "20240611"):
        desk.put(f"opens_{day}.csv", HEADER + zoe(day))

    def other() -> None:
        desk.put("opens_20240609.csv", HEADER + JEF)
        seen = discover(desk.location, desk.layouts, LOADABLE)
        matched = [one for one in seen.matched if one.file.name == "opens_20240609.csv"]
        load(desk.connection, desk.location, Discovered(matched, []), now=NOW - HOUR)

    Run(desk, lambda: None, other).load()
    assert newest_loads(desk.connection) == {
        MONDAY - timedelta(days=1): Load(2, NOW - HOUR),
        MONDAY: Load(1, NOW),
        TUESDAY: Load(3, NOW),
    }
