"""Upkeep makes a warehouse smaller and takes nothing from its readers."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from pipeline.erasure.files import forget_old_snapshots
from pipeline.erasure.search_terms import make_search_terms
from pipeline.privacy.suppression import refresh
from pipeline.settings import PROJECT_ROOT
from pipeline.upkeep.assets import metadata_of
from pipeline.upkeep.maintenance import GRACE_PERIOD, tidy
from pipeline.warehouse import Warehouse
from tests.support.warehouses import ducklake_in

Row = tuple[Any, ...]
DAYS, ROWS = 6, 3000
DUCKLAKE_FILE = "ducklake-01a2163c-2411-78bd-bf09-df4a1fe9358a.parquet"
# Of every kind of file: clean ones, ones with many deletions, and rows that lie in the catalog itself.
CONTENT = (
    "SELECT (SELECT (count(*), sum(hash(t))) FROM raw.clean AS t), (SELECT (count(*), sum(hash(t))) FROM raw.worn AS t)"
)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    with ducklake_in(folder).writing() as connection:
        for table in ("clean", "worn"):
            connection.execute(f"CREATE TABLE raw.{table} (id VARCHAR, day DATE)")
            for day in range(DAYS):
                connection.execute(
                    f"INSERT INTO raw.{table} SELECT 'id ' || n, DATE '2024-06-11' + {day} FROM range({ROWS}) AS t(n)"
                )
            connection.execute(f"INSERT INTO raw.{table} VALUES ('alone', NULL)")
        connection.execute("DELETE FROM raw.worn WHERE day < '2024-06-13' AND id LIKE 'id 1%'")
        connection.execute("DELETE FROM raw.worn WHERE id = 'id 7'")
    return folder


@pytest.fixture
def lake(written: Path, tmp_path: Path) -> Warehouse:
    return ducklake_in(shutil.copytree(written, tmp_path / "lake"))


def in_days(days: float) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def rows(warehouse: Warehouse, statement: str) -> list[Row]:
    with warehouse.reading() as connection:
        return connection.execute(statement).fetchall()


def versions(warehouse: Warehouse) -> list[int]:
    return [version for (version,) in rows(warehouse, "SELECT snapshot_id FROM ducklake_snapshots('lake') ORDER BY 1")]


def files_of(warehouse: Warehouse) -> set[Path]:
    return set(Path(warehouse.files).rglob("*.parquet"))


_READER = """
import sys
from pipeline.warehouse import Warehouse
with Warehouse(*sys.argv[1:]).reading() as connection:
    connection.execute("BEGIN")
    for line in sys.stdin:
        print(connection.execute(line).fetchone(), flush=True)
"""


class Reader:
    """An analyst's process in the middle of a transaction."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _READER, warehouse.location, warehouse.files],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, statement: str) -> str:
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write(f"{statement}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline()


@pytest.fixture
def reader(lake: Warehouse) -> Iterator[Reader]:
    reader = Reader(lake)
    yield reader
    reader.process.kill()
    reader.process.communicate()


def test_small_files_are_merged_and_every_row_stays(lake: Warehouse) -> None:
    before = rows(lake, CONTENT)
    done = tidy(lake, 30, in_days(0))
    assert rows(lake, CONTENT) == before
    assert done.before.tables["raw.clean"].files == DAYS
    assert done.after.tables["raw.clean"].files == 1
    assert done.after.all.files < done.before.all.files / 2
    assert done.merged > DAYS
    again = tidy(lake, 30, in_days(0))
    assert (again.merged, again.after.all) == (0, done.after.all)


def test_an_open_transaction_sees_the_same_before_and_after(lake: Warehouse, reader: Reader) -> None:
    """Were the catalog read with several threads, rows would vanish, and deleted ones come back."""
    seen = reader.ask(CONTENT)
    assert seen.startswith("(")
    tidy(lake, 30, in_days(0))
    assert reader.ask(CONTENT) == seen
    with lake.writing() as connection:
        connection.execute("DELETE FROM raw.clean")
        connection.execute("DELETE FROM raw.worn WHERE id LIKE 'id 2%'")
    assert reader.ask(CONTENT) == seen
    tidy(lake, 30, in_days(0))
    assert reader.ask(CONTENT) == seen


def test_a_file_that_is_not_needed_any_more_is_removed_a_day_later(lake: Warehouse) -> None:
    lying = files_of(lake)
    first = tidy(lake, 30, in_days(0))
    assert lying < files_of(lake)
    assert (first.removed, first.waiting > 0) == (0, True)
    later = tidy(lake, 30, in_days(1.1))
    assert (later.removed, later.waiting) == (first.waiting, 0)
    assert rows(lake, CONTENT)


def test_time_travel_reaches_as_far_back_as_is_set_and_no_farther(lake: Warehouse) -> None:
    """Also to a moment at which nothing was written: the snapshot that was the newest one then is still there."""
    newest = versions(lake)[-1]
    before = rows(lake, CONTENT)
    with lake.writing() as connection:
        connection.execute("DELETE FROM raw.clean")
    assert tidy(lake, 1, in_days(0)).expired == 0
    at = f"FROM raw.clean AS t AT (VERSION => {newest})"
    with lake.writing() as connection:
        connection.execute(
            "UPDATE __ducklake_metadata_lake.ducklake_snapshot "
            f"SET snapshot_time = CAST(snapshot_time AS TIMESTAMPTZ) - INTERVAL 3 DAY WHERE snapshot_id <= {newest}"
        )
    done = tidy(lake, 2, in_days(0))
    assert done.expired == newest  # 0 to the one before it
    assert versions(lake)[0] == newest
    assert rows(lake, f"SELECT count(*), sum(hash(t)) {at}") == [before[0][0]]
    two_days_ago = "AT (TIMESTAMP => now() - INTERVAL 2 DAY)"
    assert rows(lake, f"SELECT count(*) FROM raw.clean {two_days_ago}") == [(DAYS * ROWS + 1,)]
    assert rows(lake, "SELECT count(*) FROM raw.clean") == [(0,)]

    assert tidy(lake, 1, in_days(1.1)).expired > 0
    with pytest.raises(duckdb.Error, match="No snapshot found"):
        rows(lake, f"SELECT count(*) {at}")


@pytest.mark.parametrize(
    ("times", "expired"),
    [
        # Days ago, snapshot by snapshot; 2 are kept, and the one that was the newest then.
        ([9, 8, 7, 6, 1, 0], [0, 1, 2]),
        ([1, 1, 1, 60, 0, 0], []),  # written by a clock that was two months behind
        ([9, 8, 1, 60, 59, 0], [0]),
        ([9, 8, 60, 7, 1, 0], [0, 1, 2]),
        ([9, 8, -400, 7, 1, 0], [0, 1, 2]),  # by one that was a year ahead
        ([9, 1, -400, 60, 1, 0], []),
        ([-400, -399, -398, -397, -396, -395], []),  # this machine's clock was set back
    ],
)
def test_no_snapshot_ends_since_another_was_written_by_a_wrong_clock(
    lake: Warehouse, times: list[int], expired: list[int]
) -> None:
    with lake.writing() as connection:
        for _ in range(2):
            connection.execute("DELETE FROM raw.clean WHERE id = (SELECT min(id) FROM raw.clean)")
    last = versions(lake)[-len(times) :]
    with lake.writing() as connection:
        connection.execute("DELETE FROM __ducklake_metadata_lake.ducklake_snapshot WHERE snapshot_id < ?", [last[0]])
        for version, days in zip(last, times, strict=True):
            connection.execute(
                "UPDATE __ducklake_metadata_lake.ducklake_snapshot SET snapshot_time = ? WHERE snapshot_id = ?",
                [in_days(-days).isoformat(), version],
            )
    assert tidy(lake, 2, in_days(0)).expired == len(expired)
    left = [version for place, version in enumerate(last) if place not in expired]
    assert versions(lake)[: len(left)] == left


def test_to_forget_somebody_ends_snapshots_of_the_future_too(lake: Warehouse, tmp_path: Path) -> None:
    """They, and a file that a killed process left, were written by a clock that was a year ahead."""
    people = tmp_path / "people.csv"
    people.write_text("user_id\nperson-of-the-test\n", "utf-8")
    later = in_days(400)
    stray = Path(lake.files) / "raw" / "clean" / DUCKLAKE_FILE
    with lake.writing() as connection:
        connection.execute(
            f"COPY (SELECT 'person-of-the-test' AS user_id FROM range(10)) TO '{stray}' (FORMAT parquet)"
        )
        os.utime(stray, (later.timestamp(), later.timestamp()))
        connection.execute("DELETE FROM raw.clean")
        connection.execute(
            "UPDATE __ducklake_metadata_lake.ducklake_snapshot SET snapshot_time = ?", [later.isoformat()]
        )
        refresh(connection, str(people), in_days(0))
        make_search_terms(connection)
        forget_old_snapshots(connection, lake.files)
        kept = connection.execute("SELECT count(*) FROM ducklake_snapshots('lake')").fetchone()
    assert kept == (1,)
    assert not stray.exists()
    assert not [path for path in files_of(lake) if path.parent.name == "clean"]


@pytest.mark.parametrize("content", [b"", b"PAR1 and what was written until the disk was full"])
def test_to_forget_somebody_removes_files_whose_writing_was_cut_off(
    lake: Warehouse, tmp_path: Path, content: bytes
) -> None:
    """What they hold can't be read, and no catalog knows them: a full disk leaves them, and so does a kill."""
    people = tmp_path / "people.csv"
    people.write_text("user_id\nperson-of-the-test\n", "utf-8")
    stray = Path(lake.files) / "raw" / "clean" / DUCKLAKE_FILE
    stray.write_bytes(content)
    with lake.writing() as connection:
        before = connection.execute(CONTENT).fetchone()
        refresh(connection, str(people), in_days(0))
        make_search_terms(connection)
        forget_old_snapshots(connection, lake.files)
        assert connection.execute(CONTENT).fetchone() == before
    assert not stray.exists()


def test_orphans_are_removed_when_no_writer_can_be_at_them(lake: Warehouse) -> None:
    old, new = (Path(lake.files) / "raw" / "clean" / f"ducklake-{age}.parquet" for age in ("old", "new"))
    for stray in (old, new):
        shutil.copy(min(files_of(lake)), stray)
    long_ago = (datetime.now(UTC) - GRACE_PERIOD - timedelta(hours=1)).timestamp()
    os.utime(old, (long_ago, long_ago))
    assert tidy(lake, 30, in_days(0)).orphans == 1
    assert (old.exists(), new.exists()) == (False, True)


def test_files_of_another_warehouse_in_the_same_place_are_no_strays(lake: Warehouse, tmp_path: Path) -> None:
    other = Warehouse(f"ducklake:sqlite:{tmp_path}/other.sqlite", lake.files)
    with other.writing() as connection:
        connection.execute("CREATE TABLE raw.clean AS SELECT range AS n FROM range(1000)")
    done = tidy(lake, 30, in_days(3))
    assert (done.orphans, done.orphans_of_others) == (0, 1)
    assert rows(other, "SELECT sum(n) FROM raw.clean") == [(499_500,)]
    assert tidy(other, 30, in_days(3)).orphans == 0
    assert rows(lake, CONTENT)


@pytest.mark.parametrize("below", ["test/", "raw/", "raw/clean/", "raw/clean/day=1/"])
def test_files_of_another_warehouse_in_a_folder_below_are_no_strays(
    lake: Warehouse, tmp_path: Path, below: str
) -> None:
    """Nor are those of the one above, whatever name the folder has."""
    other = Warehouse(f"ducklake:sqlite:{tmp_path}/other.sqlite", f"{lake.files}{below}")
    with other.writing() as connection:
        connection.execute("CREATE TABLE raw.clean AS SELECT range AS n FROM range(1000)")
    done = tidy(lake, 30, in_days(3))
    assert (done.orphans, done.orphans_of_others) == (0, 1)
    assert rows(other, "SELECT sum(n) FROM raw.clean") == [(499_500,)]
    before = rows(lake, CONTENT)
    assert tidy(other, 30, in_days(3)).orphans == 0
    assert rows(lake, CONTENT) == before


def test_parquet_files_of_other_people_are_no_strays(lake: Warehouse) -> None:
    ours = [f"raw/clean/day=2024-06-11/{DUCKLAKE_FILE}", f"raw/clean__dbt_tmp/{DUCKLAKE_FILE}"]
    others = ["sales.parquet", "raw/clean/sales.parquet", f"raw/sales/{DUCKLAKE_FILE}", f"main/clean/{DUCKLAKE_FILE}"]
    content = min(files_of(lake)).read_bytes()
    for name in (*ours, *others):
        (Path(lake.files) / name).parent.mkdir(parents=True, exist_ok=True)
        (Path(lake.files) / name).write_bytes(content)
    done = tidy(lake, 30, in_days(3))
    assert (done.orphans, done.orphans_of_others) == (len(ours), len(others))
    assert [name for name in (*ours, *others) if (Path(lake.files) / name).exists()] == others


def test_to_forget_somebody_removes_no_file_of_another_warehouse(lake: Warehouse, tmp_path: Path) -> None:
    people = tmp_path / "people.csv"
    people.write_text("user_id\nperson-of-the-test\n", "utf-8")
    other = Warehouse(f"ducklake:sqlite:{tmp_path}/other.sqlite", f"{lake.files}test/")
    with other.writing() as connection:
        connection.execute("CREATE TABLE raw.clean AS SELECT 'person-of-the-test' AS user_id FROM range(1000)")
    stray = Path(lake.files) / "raw" / "clean" / DUCKLAKE_FILE
    shutil.copy(min(files_of(other)), stray)
    with lake.writing() as connection:
        refresh(connection, str(people), in_days(0))
        make_search_terms(connection)
        forget_old_snapshots(connection, lake.files)
    assert not stray.exists()
    assert rows(other, "SELECT user_id, count(*) FROM raw.clean GROUP BY ALL") == [("person-of-the-test", 1000)]


def test_a_plain_file_is_checkpointed_and_says_so(tmp_path: Path) -> None:
    plain = Warehouse(f"{tmp_path}/warehouse.duckdb", "")
    with plain.writing() as connection:
        connection.execute("INSERT INTO raw.export_files (name) SELECT 'file ' || n FROM range(1000) AS t(n)")
    shown = metadata_of(tidy(plain, 30, in_days(0)), is_ducklake=False)
    assert "CHECKPOINT" in str(shown["result"])
    assert rows(plain, "SELECT count(*) FROM raw.export_files") == [(1000,)]


def test_what_is_shown_tells_before_and_after_by_table(lake: Warehouse) -> None:
    shown = metadata_of(tidy(lake, 40_000, in_days(0)), is_ducklake=True)
    assert (shown["snapshots_expired"], shown["orphans_removed"]) == (0, 0)
    assert int(str(shown["files_after"])) < int(str(shown["files_before"]))
    assert f"| raw.clean | {DAYS} | 1 |" in str(shown["tables"])
