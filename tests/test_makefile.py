"""`make` notices a virtual environment that can't work, before it runs anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.settings import PROJECT_ROOT

REMEDY = "Make it again: rm -r .venv; make run"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the Makefile and an environment that is newer than what it was made from."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copyfile(PROJECT_ROOT / name, tmp_path / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    return tmp_path


def make(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    variables = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL")}
    command = ["make", *(arguments or ("--dry-run", "run"))]
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("content", ["here", "nothing"])
def test_an_environment_of_this_folder_is_used(folder: Path, content: str) -> None:
    (folder / ".venv" / ".ready").write_text(f"{folder}\n" if content == "here" else "", "utf-8")
    assert make(folder).stdout == ".venv/bin/python -m pipeline run\n"


def test_an_environment_of_another_folder_is_refused(folder: Path) -> None:
    (folder / ".venv" / ".ready").write_text("/home/ana/selligent\n", "utf-8")
    done = make(folder)
    assert f".venv was made in /home/ana/selligent, not here. {REMEDY}" in done.stderr
    assert (done.returncode, done.stdout) == (2, "")


def test_an_environment_of_another_machine_is_refused(folder: Path) -> None:
    (folder / ".venv" / ".ready").write_text(f"{folder}\n", "utf-8")
    python = folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/opt/python3.9/bin/python3")
    done = make(folder)
    assert f".venv names a Python that this machine does not have. {REMEDY}" in done.stderr
    assert (done.returncode, done.stdout) == (2, "")


def test_the_port_of_the_ui_can_be_chosen(folder: Path) -> None:
    (folder / ".venv" / ".ready").write_text(f"{folder}\n", "utf-8")
    done = make(folder, "--dry-run", "ui", "PORT=3001")
    assert done.stdout == ".venv/bin/python -m pipeline ui --port '3001'\n"


def test_set_up_records_its_folder(folder: Path) -> None:
    assert f"echo '{folder}' > .venv/.ready" in make(folder, "--dry-run", ".venv/.ready").stdout


# A Python whose uv prints what the real one prints, and that says what pip installs.
_PYTHON = """#!/bin/sh
case "$*" in
*"-m uv pip install"*) printf 'Resolved 2 packages in 5ms\\n + click==8.5.1\\n ~ rich==15.0.0\\n' >&2; exit {status} ;;
*"-m pip install"*"-e ."*) echo "pip installs" ;;
esac
"""


@pytest.mark.parametrize("status", [0, 1])
def test_set_up_says_what_it_does_and_uses_pip_where_uv_cant_install(folder: Path, status: int) -> None:
    python = folder / ".venv" / "bin" / "python"
    python.unlink()
    python.write_text(_PYTHON.format(status=status), "utf-8")
    python.chmod(0o755)
    done = make(folder, ".venv/.ready")
    assert done.returncode == 0, done.stderr
    first = ["Installing into .venv, once; this takes a minute or two …", "Resolved 2 packages in 5ms"]
    then = ["uv can't install here; pip does, in some minutes …", "pip installs"]
    assert done.stdout.splitlines() == [*first, *(then if status else [])]
    assert (folder / ".venv" / ".ready").read_text("utf-8") == f"{folder}\n"
