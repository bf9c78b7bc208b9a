"""Backups of each kind of store: consistent while others write, verified before anything is replaced."""

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import NoWarehouse, PipelineError, SettingsError, WarehouseError
from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_pairing import check_pair
from pipeline.orchestration.partitions import SEGMENT_DELIVERY
from pipeline.orchestration.run_locks import turn_of
from pipeline.settings import Settings
from pipeline.transfer import backup, restore
from pipeline.transfer.backup import back_up
from pipeline.transfer.manifest import MANIFEST
from pipeline.upkeep.maintenance import GRACE_PERIOD, tidy
from pipeline.warehouse import Warehouse
from pipeline.warehouse.readable_copy import publish
from tests.fakes.postgres import PASSWORD
from tests.fakes.s3 import S3
from tests.support.modelled_tables import NOW
from tests.transfer.stores import backed_up, backups, deliver, load, restored, rows, settings_in, standing


def test_a_backup_brings_back_every_row_and_every_delivery(settings: Settings) -> None:
    load(settings, 1, 2)
    assert deliver(settings) == ["1", "2"]
    before = rows(settings)
    done = backed_up(settings)
    assert dict(done.manifest.rows) == before
    load(settings, 3)
    assert deliver(settings) == ["3"]

    back = restored(settings)
    assert rows(settings) == before
    assert back.deliveries.survived
    assert back.deliveries.missing == 1
    assert all(each for each in back.aside)
    load(settings, 3)
    assert deliver(settings) == []
    assert standing(settings) == (3, 0, 0)
    load(settings, 4)
    assert deliver(settings) == ["4"]


def test_no_secret_is_in_a_backup(settings: Settings) -> None:
    load(settings, 1)
    done = backed_up(settings)
    for path in done.path.iterdir():
        assert PASSWORD.encode() not in path.read_bytes(), path


def test_a_lost_ledger_holds_what_may_have_been_sent(settings: Settings) -> None:
    load(settings, 1)
    assert deliver(settings) == ["1"]
    load(settings, 2)
    backed_up(settings)
    deliver(settings)
    lost = Ledger(settings.ledger)
    lost.set_aside("lost") if lost.file is None else lost.file.unlink()
    lost.close()

    back = restored(settings)
    assert [each.events for each in back.deliveries.held] == [1]
    assert standing(settings) == (1, 0, 1)
    load(settings, 3)  # exported before the restore, and perhaps sent
    load(settings, 4, exported_at=datetime.now(UTC) + timedelta(minutes=1))
    assert deliver(settings) == ["4"]
    assert standing(settings) == (2, 0, 2)

    again = restored(settings, until=datetime.now(UTC))
    assert again.deliveries.taken == 1
    load(settings, 3)
    load(settings, 4, exported_at=datetime.now(UTC) + timedelta(minutes=1))
    assert deliver(settings) == []
    assert standing(settings) == (4, 0, 0)


def test_a_release_of_what_was_in_doubt_sends_it(ducklake: Settings) -> None:
    load(ducklake, 1)
    backed_up(ducklake)
    deliver(ducklake)
    Path(f"{Path(ducklake.warehouse_files).parent}/ledger.sqlite").unlink()
    restored(ducklake)
    ledger = Ledger(ducklake.ledger)
    assert ledger.release_held(None, EVERY_DATE) == 0
    assert ledger.release_possible_duplicates(None, EVERY_DATE, "restored") == 1
    assert deliver(ducklake) == ["1"]


def test_an_event_replayed_after_the_backup_is_dead_again_and_counted(tmp_path: Path) -> None:
    """In the backup, it is in the batch in which it died. It was sent in another one, of which only the id is known."""
    settings = settings_in(tmp_path, "{}/warehouse.duckdb")
    load(settings, 1, 2)
    assert deliver(settings, dead=2) == ["1", "2"]
    backed_up(settings)
    ledger = Ledger(settings.ledger)
    assert ledger.request_replays(None, None, EVERY_DATE) == 1
    load(settings)
    assert deliver(settings) == ["2"]

    restored(settings)
    assert ledger.dead_reasons() == [
        ("replayed after the backup that was restored; replay it again if Segment does not have it", 1)
    ]
    assert standing(settings) == (1, 0, 0)
    load(settings)
    assert deliver(settings) == []


def test_a_batch_with_dead_events_that_was_sent_after_the_backup_is_held(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, "{}/warehouse.duckdb")
    load(settings, 1)
    deliver(settings)
    backed_up(settings)
    load(settings, 2, 3)
    assert deliver(settings, dead=3) == ["2", "3"]
    restored(settings)
    load(settings, 2, 3)
    assert deliver(settings) == []
    assert standing(settings) == (1, 0, 2)


# While others write

WRITER = """
import sys
from pathlib import Path
from tests.transfer.test_backup_and_restore import deliver, load, settings_in
settings = settings_in(Path(sys.argv[1]))
for number in range(100, 105):
    load(settings, number)
    deliver(settings)
"""


def test_every_backup_is_a_pair_while_another_process_writes(ducklake: Settings, tmp_path: Path) -> None:
    load(ducklake, 1)
    deliver(ducklake)
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
    taken = 0
    while process.poll() is None:
        backed_up(ducklake)
        taken += 1
    assert process.returncode == 0
    assert taken > 1
    assert standing(ducklake) == (6, 0, 0)
    found = sorted(path for path in backups(ducklake).iterdir() if path.name[0].isdigit())
    for path in found[:: max(1, len(found) // 3)]:
        shutil.copytree(path, tmp_path / "one" / path.name)
        Path(tmp_path / "ledger.sqlite").unlink()
        restore.restore(ducklake, tmp_path / "one", datetime.now(UTC), None)
        delivered, waiting, _ = standing(ducklake)
        assert delivered >= 1
        assert waiting == 0  # what waited is in doubt
        shutil.rmtree(tmp_path / "one")


# What can go wrong


def test_a_damaged_backup_is_refused_before_anything_is_touched(ducklake: Settings) -> None:
    load(ducklake, 1)
    done = backed_up(ducklake)
    load(ducklake, 2)
    before = rows(ducklake)
    catalog = done.path / "catalog.sqlite"
    catalog.write_bytes(catalog.read_bytes()[:-1] + b"x")
    with pytest.raises(WarehouseError, match=r"catalog\.sqlite can't be read, or has changed since the backup"):
        restored(ducklake)
    (done.path / MANIFEST).write_text("{}")
    with pytest.raises(WarehouseError, match="can't be read as the manifest of a backup"):
        restored(ducklake)
    assert rows(ducklake) == before


def test_a_missing_parquet_file_is_named_or_copied_back(ducklake: Settings) -> None:
    load(ducklake, *range(1, 200))
    backed_up(ducklake)
    parquet = next(Path(ducklake.warehouse_files).rglob("*.parquet"))
    content = parquet.read_bytes()
    parquet.unlink()
    with pytest.raises(WarehouseError, match=rf"1 Parquet file of the backup is missing.*{parquet.name}.*Nothing was"):
        restored(ducklake)
    with pytest.raises(WarehouseError, match="lacks 1 Parquet file that its catalog refers to"):
        backed_up(ducklake)
    parquet.write_bytes(content)

    first, second = (backed_up(ducklake, files=True) for _ in range(2))
    assert first.copied > 0
    assert second.copied == 0
    shutil.rmtree(ducklake.warehouse_files)
    assert restored(ducklake).put_back == first.copied
    assert rows(ducklake)["staging.events"] == 199


def test_files_in_s3_are_copied_and_copied_back(tmp_path: Path, s3_environment: S3) -> None:
    bucket = s3_environment.bucket("lake")
    settings = settings_in(tmp_path).model_copy(update={"warehouse_files": f"s3://{bucket}/lake/"})
    load(settings, *range(1, 200))
    folder = tmp_path / "backups"
    done = back_up(settings, folder, datetime.now(UTC), with_files=True, keep=None)
    assert done.copied == done.manifest.parquet_files > 0
    for key in s3_environment.keys(bucket):
        s3_environment.client.delete_object(Bucket=bucket, Key=key)
    assert restore.restore(settings, folder, datetime.now(UTC), None).put_back == done.copied
    assert rows(settings)["staging.events"] == 199


def test_a_list_of_files_is_valid_until_upkeep_removes_merged_ones(ducklake: Settings) -> None:
    for start in (0, 1000, 2000):
        load(ducklake, *range(start, start + 200))
    backed_up(ducklake)
    backed_up(ducklake, files=True, keep=1)
    now = datetime.now(UTC)
    tidy(Warehouse.of(ducklake), 30, now)
    restored(ducklake)
    tidy(Warehouse.of(ducklake), 30, now)
    tidy(Warehouse.of(ducklake), 30, now + GRACE_PERIOD + timedelta(minutes=1))
    assert restored(ducklake).put_back > 0
    assert len(rows(ducklake)) > 10


def test_an_interrupted_backup_is_never_taken_for_one(ducklake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    load(ducklake, 1)
    with monkeypatch.context() as patched:
        patched.setattr(backup, "hashes_of", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            backed_up(ducklake)
    (backups(ducklake) / ".unfinished-killed").mkdir()
    with pytest.raises(SettingsError, match="contains no complete backup"):
        restored(ducklake)
    done = backed_up(ducklake)
    assert sorted(path.name for path in backups(ducklake).iterdir()) == [".lock", done.path.name]


def test_the_oldest_backups_and_their_files_are_removed(ducklake: Settings) -> None:
    load(ducklake, *range(1, 200))
    first = backed_up(ducklake, files=True)
    backed_up(ducklake, files=True)
    done = backed_up(ducklake, files=True, keep=1)
    assert done.removed == 2
    assert not first.path.exists()
    copies = list((backups(ducklake) / "files").rglob("*.parquet"))
    assert len(copies) == done.manifest.parquet_files


def test_a_restore_can_be_repeated_after_a_kill(ducklake: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    load(ducklake, 1)
    deliver(ducklake)
    load(ducklake, 2)
    backed_up(ducklake)
    deliver(ducklake)
    Path(f"{Path(ducklake.warehouse_files).parent}/ledger.sqlite").unlink()
    for step in ("_place_catalog", "complete"):
        with monkeypatch.context() as patched:
            patched.setattr(restore, step, lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
            with pytest.raises(KeyboardInterrupt):
                restored(ducklake)
        with Warehouse.of(ducklake).reading() as connection, pytest.raises(SettingsError, match="do not belong"):
            check_pair(connection, Ledger(ducklake.ledger))
    restored(ducklake)
    assert deliver(ducklake) == []
    assert standing(ducklake) == (1, 0, 1)


def test_what_is_refused(ducklake: Settings, tmp_path: Path) -> None:
    with pytest.raises(NoWarehouse):
        backed_up(ducklake)
    load(ducklake, 1)
    deliver(ducklake)
    with pytest.raises(SettingsError, match="is inside of WAREHOUSE_FILES"):
        back_up(ducklake, Path(ducklake.warehouse_files) / "backups", NOW, with_files=False, keep=None)
    done = backed_up(ducklake)
    with pytest.raises(SettingsError, match="--delivered-until: the ledger is still there"):
        restored(ducklake, until=NOW)
    with pytest.raises(SettingsError, match=r"--delivered-until: .* is in the future"):
        restored(ducklake, until=datetime.now(UTC) + timedelta(days=1))
    plain = settings_in(tmp_path, "{}/other.duckdb")
    with pytest.raises(SettingsError, match="is a DuckDB file, and this is a backup of a DuckLake in SQLite"):
        restored(plain)
    other = ducklake.model_copy(update={"message_id_namespace": "other.example"})
    with pytest.raises(SettingsError, match="MESSAGE_ID_NAMESPACE"):
        restored(other)
    turn, _ = turn_of(SEGMENT_DELIVERY, ducklake)
    assert turn.take("a run of another machine")
    with pytest.raises(PipelineError, match="a run of another machine delivers; wait for it"):
        restored(ducklake)
    turn.leave()
    manifest = done.path / MANIFEST
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"format": 99}))
    with pytest.raises(WarehouseError, match="a newer version of this program made this backup"):
        restored(ducklake)


def test_the_copy_for_readers_of_a_plain_file_is_that_of_the_restored_state(tmp_path: Path) -> None:
    plain = settings_in(tmp_path, "{}/warehouse.duckdb")
    load(plain, 1)
    backed_up(plain)
    load(plain, 2)
    publish(Warehouse.of(plain))
    restored(plain)
    with duckdb.connect(f"{tmp_path}/warehouse.readable.duckdb", read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM staging.events").fetchall() == [(1,)]
