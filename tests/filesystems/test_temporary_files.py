"""What a killed process leaves in its temporary folder is removed, and nothing else."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.filesystems.temporary_files import remove_abandoned, temporary_folder

_HOLDING = """
import sys
from pipeline.filesystems.temporary_files import temporary_folder
with temporary_folder() as folder:
    (folder / "decrypted").write_text("zoe@example.com")
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of temporary files of this process and its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path


def test_a_folder_is_private_and_gone_after_the_block(folder: Path) -> None:
    with temporary_folder() as own:
        assert own.parent == folder
        assert own.stat().st_mode & 0o777 == 0o700
        (own / "decrypted").write_text("zoe@example.com")
    assert list(folder.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(folder: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        held = Path(process.stdout.readline().strip())
        remove_abandoned()
        assert (held / "decrypted").exists()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert (held / "decrypted").exists()
    with temporary_folder() as own:
        remove_abandoned()
        assert list(folder.iterdir()) == [own]


def test_other_files_and_links_are_left_alone(folder: Path) -> None:
    (folder / "another-program").mkdir()
    (folder / "selligent-to-segment-file").write_text("")
    (folder / "selligent-to-segment-link").symlink_to(folder / "another-program")
    remove_abandoned()
    assert len(list(folder.iterdir())) == 3
