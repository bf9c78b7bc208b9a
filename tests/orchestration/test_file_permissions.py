"""What the program writes is for its own user alone, whatever the umask it was started with."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.orchestration.file_permissions import keep_private


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0o000)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_others(*folders: Path) -> list[str]:
    """Paths below these folders on which others may do anything."""
    return [
        f"{path} {mode(path):o}"
        for folder in folders
        for path in (folder, *folder.rglob("*"))
        if not path.is_symlink() and mode(path) & 0o077
    ]


def test_new_files_and_those_of_children_are_for_this_user(tmp_path: Path) -> None:
    keep_private(tmp_path / "none")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("zoe@example.com")
    subprocess.run([sys.executable, "-c", "open('child', 'w')"], cwd=tmp_path / "folder", check=True)
    assert mode(tmp_path / "folder") == 0o700
    assert mode(tmp_path / "folder" / "file") == mode(tmp_path / "folder" / "child") == 0o600


def test_what_an_earlier_version_left_open_is_closed_and_nothing_else(tmp_path: Path) -> None:
    data, shared = tmp_path / "data", tmp_path / "shared.csv"
    shared.write_text("of others")
    for name in ("warehouse/main/raw/x.parquet", "warehouse.sqlite", "warehouse.sqlite-wal", "ledger.sqlite"):
        (data / name).parent.mkdir(parents=True, exist_ok=True)
        (data / name).write_text("zoe@example.com")
    (data / "dry_run").mkdir()
    (data / "dry_run" / "link").symlink_to(shared)
    (data / "notes.txt").write_text("not the program's")
    keep_private(data)
    assert open_to_others(data) == [f"{data}/notes.txt 666"]
    assert mode(data) == mode(data / "warehouse") == 0o700
    assert mode(data / "warehouse/main/raw/x.parquet") == mode(data / "warehouse.sqlite-wal") == 0o600
    assert mode(shared) == 0o666


def test_a_folder_for_everybody_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)
    keep_private(tmp_path)
    assert mode(tmp_path) == 0o1777
