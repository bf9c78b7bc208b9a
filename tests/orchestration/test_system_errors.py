"""A disk that takes no more, as a sentence that names what could not be written and why."""

import errno
import os
import resource
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from pipeline.errors import LocationError, PipelineError, WarehouseError
from pipeline.ledger import Ledger
from pipeline.orchestration.instance import opened_instance
from pipeline.orchestration.system_errors import completed, naming, sentence, words_of_error
from pipeline.report.location import publish
from pipeline.settings import SPILL_DIR, Settings
from pipeline.warehouse import Warehouse, transaction
from tests.support.warehouses import ducklake_in, plain_file_in

LIMIT = "the limit for the size of a file is reached (`ulimit -f`); make room and run again"
FULL = "the disk is full; make room and run again"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        warehouse=f"ducklake:sqlite:{tmp_path}/warehouse.sqlite",
        warehouse_files=f"{tmp_path}/files/",
        ledger=f"sqlite:///{tmp_path}/ledger.sqlite",
        report=f"{tmp_path}/report",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'IO Error: Could not write file "/lake/files/raw/x.parquet": No space left on device',
            f"/lake/files/raw/x.parquet can't be written: {FULL}",
        ),
        ("OSError: [Errno 28] No space left on device: '/data/report/index.html'", "/data/report/index.html can't"),
        ("OSError: [Errno 122] Disk quota exceeded: '/d/x'", "/d/x can't be written: the disk quota is used up; make"),
        (
            "OSError: [Errno 30] Read-only file system: '/d/x'",
            "/d/x can't be written: it is read-only; make it writable and run again",
        ),
        (
            "TransactionContext Error: Failed to commit: Failed to commit DuckLake transaction.\n"
            'Failed to commit: Failed to execute query "COMMIT": database or disk is full',
            f"{{folder}}/warehouse.sqlite can't be written: {FULL}",
        ),
        (
            "pipeline.errors.ModelsFailed: Runtime Error in model tracks\n  Failed to commit DuckLake transaction. "
            "attempt to write a readonly database",
            "{folder}/warehouse.sqlite can't be written: it is read-only; make it writable",
        ),
        (
            "Traceback:\n  File \"/dbt/parser.py\", line 8, in write\nOSError: [Errno 27] File too large: '/d/x'",
            "/d/x can't be written: the limit for the size of a file is reached",
        ),
        (
            "Out of Memory Error: failed to offload data block of size 256.0 KiB (0 bytes/0 bytes used).\n"
            "This limit was set by the 'max_temp_directory_size' setting.",
            f"{SPILL_DIR} can't be written: {FULL}",
        ),
    ],
)
def test_the_words_of_each_writer_name_the_place(settings: Settings, tmp_path: Path, text: str, expected: str) -> None:
    assert str(sentence(text, settings)).startswith(expected.format(folder=tmp_path))


def test_a_path_on_another_line_is_not_what_could_not_be_written(settings: Settings) -> None:
    text = 'File "/venv/dbt/parser.py", line 845, in write\nOSError: [Errno 27] File too large'
    assert "parser.py" not in str(sentence(text, settings))


@pytest.mark.parametrize(
    "text",
    [
        "Out of Memory Error: could not allocate block of size 256 KiB (600 MiB/600 MiB used)",
        "database is locked",
        "[Errno 13] Permission denied: '/data'",
    ],
)
def test_other_faults_are_none_of_a_disk(settings: Settings, text: str) -> None:
    assert sentence(text, settings) is None
    assert completed(text, settings) == text
    assert words_of_error(ValueError(text), settings) is None


def test_a_sentence_keeps_its_words_and_gets_the_place_and_the_remedy_once(settings: Settings, tmp_path: Path) -> None:
    words = (
        "LEDGER: it can't be read or written (database or disk is full); events that were not sent are still waiting"
    )
    once = completed(words, settings)
    assert once == f"{words}; {tmp_path}/ledger.sqlite: {FULL}"
    assert completed(once, settings) == once


def test_where_an_error_names_nothing_the_disk_that_is_full_is_named(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 9, 0, 0, 9, 9, 9, 0, 255)))
    words = str(words_of_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), settings))
    assert words.endswith(f" can't be written: {FULL}")
    assert words.startswith("/")


def test_a_disk_without_room_for_names_is_full_as_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are free, inodes are not."""
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 9**9, 9**9, 9**9, 9, 0, 0, 0, 255)))
    assert str(sentence("No space left on device", settings)).startswith("/")


def test_the_innermost_cause_counts(settings: Settings) -> None:
    try:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/dbt/manifest.json")
        except OSError as error:
            raise RuntimeError("Encountered an error while importing") from error
    except RuntimeError as error:
        assert words_of_error(error, settings) == f"/data/dbt/manifest.json can't be written: {FULL}"


# Each writer, where no file may grow


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file of this process becomes larger, as where a disk is full; the system refuses to write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _fill(warehouse: Warehouse) -> None:
    with warehouse.writing() as connection, transaction(connection):
        connection.execute("CREATE TABLE raw.numbers AS SELECT hash(i)::VARCHAR AS n FROM range(200_000) t(i)")


@pytest.mark.parametrize("kind", [ducklake_in, plain_file_in])
def test_a_warehouse_is_named_and_is_as_it_was(tmp_path: Path, kind: Callable[[Path], Warehouse]) -> None:
    warehouse = kind(tmp_path)
    with warehouse.writing():
        pass
    with small_files(600_000), pytest.raises(duckdb.Error) as caught:
        _fill(warehouse)
    words = str(words_of_error(caught.value, None))
    assert words.startswith(f"{tmp_path}/")
    assert words.endswith(f" can't be written: {LIMIT}")
    _fill(warehouse)


def test_a_first_load_that_can_make_no_warehouse_says_so(tmp_path: Path) -> None:
    """Not that there is none yet, which is for readers."""
    for warehouse in (ducklake_in(tmp_path / "lake"), plain_file_in(tmp_path / "plain")):
        with small_files(2_000), pytest.raises((WarehouseError, duckdb.Error)) as caught, warehouse.writing():
            pass
        assert "There is no warehouse yet" not in str(caught.value)
        assert not warehouse.exists()
        with warehouse.writing():
            pass
        assert warehouse.exists()


def test_the_ledger_is_named_and_is_as_it_was(settings: Settings, tmp_path: Path) -> None:
    ledger = Ledger(settings.ledger)
    days = [date.fromordinal(number) for number in range(730_000, 731_000)]
    with small_files(50_000), pytest.raises(PipelineError) as caught:
        ledger.withhold(days, datetime.now(UTC))
    assert f"{tmp_path}/ledger.sqlite: " in completed(str(caught.value), settings)
    assert not ledger.withheld()
    ledger.withhold(days, datetime.now(UTC))
    assert ledger.withheld() == days


def test_a_first_ledger_that_can_not_be_made_is_named(settings: Settings, tmp_path: Path) -> None:
    with small_files(5_000), pytest.raises(PipelineError) as caught:
        Ledger(settings.ledger)
    assert completed(str(caught.value), settings).startswith(f"LEDGER: sqlite:///{tmp_path}/ledger.sqlite can't be op")
    assert completed(str(caught.value), settings).endswith("make room and run again")
    assert Ledger(settings.ledger).withheld() == []


def test_dagsters_own_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with opened_instance() as instance:
        size = (tmp_path / "history" / "runs.db").stat().st_size
        tags = {f"tag{number}": "x" * 1_000 for number in range(200)}
        run = dg.DagsterRun(job_name="job", tags=tags)
        with small_files(size), pytest.raises(PipelineError, match=r"/history/runs.*\.db can't be written: the "):
            instance.add_run(run)
        instance.add_run(run)


def test_a_page_that_can_not_be_written_is_named_and_the_former_stays(tmp_path: Path, settings: Settings) -> None:
    page = tmp_path / "report" / "index.html"
    assert publish("before", settings) == str(page)
    with small_files(1_000), pytest.raises(LocationError) as caught:
        publish("x" * 10_000, settings)
    assert str(caught.value) == f"REPORT: {page} can't be written: {LIMIT}"
    assert completed(str(caught.value), settings) == str(caught.value)
    assert page.read_text() == "before"
    assert list(page.parent.iterdir()) == [page]


def test_what_an_error_names_itself_stays(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, naming(tmp_path / "other"):
        (tmp_path / "missing").read_bytes()
    assert caught.value.filename == str(tmp_path / "missing")


def test_no_folder_for_temporary_files_is_a_full_disk(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere() -> str:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp', '/var/tmp']")

    monkeypatch.setattr(tempfile, "_get_default_tempdir", nowhere)
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(FileNotFoundError) as caught:
        tempfile.gettempdir()
    assert str(words_of_error(caught.value, settings)).endswith(f" can't be written: {FULL}")


def test_sqlite_that_may_not_write_is_read_only(tmp_path: Path) -> None:
    file = tmp_path / "x.sqlite"
    sqlite3.connect(file).close()
    read_only = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    with read_only, pytest.raises(sqlite3.OperationalError) as caught:
        read_only.execute("CREATE TABLE t (x)")
    assert str(words_of_error(caught.value, None)).endswith(
        " can't be written: it is read-only; make it writable and run again"
    )
