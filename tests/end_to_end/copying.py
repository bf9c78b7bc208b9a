"""The project as it is after following the README: another folder, and what the container would have."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.settings import PROJECT_ROOT, Settings

DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text("utf-8")


@dataclass
class Copy:
    """The project in another folder, with the same Python."""

    folder: Path

    def sh(self, command: str, typed: str = "") -> "subprocess.CompletedProcess[str]":
        """A command as a person types it there, with what is typed into it; it must go well."""
        done = subprocess.run(
            ["bash", "-euc", command],
            cwd=self.folder,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done

    @property
    def environment(self) -> dict[str, str]:
        """Without settings, so that the defaults count, and without what this test's own make hands on."""
        ours = {name.upper() for name in Settings.model_fields}
        unwanted = {*ours, "DAGSTER_HOME", "PIPELINE_DATA_DIR", "PIPELINE_ENV_FILE", "DAGSTER_UI_URL", "MAKEFLAGS"}
        unwanted |= {"MAKELEVEL", "COLUMNS"}
        return {name: value for name, value in os.environ.items() if name not in unwanted}


def copy_of_the_project(folder: Path) -> Copy:
    """A copy that has what `make` needs, and this process's packages."""
    folder.mkdir()
    unwanted = shutil.ignore_patterns("__pycache__", "target", "logs", ".user.yml")
    for name in [*copied_into_the_image(), "Makefile"]:
        if (PROJECT_ROOT / name).is_dir():
            shutil.copytree(PROJECT_ROOT / name, folder / name, ignore=unwanted)
        else:
            shutil.copy(PROJECT_ROOT / name, folder / name)
    venv = folder / ".venv"
    venv.mkdir()
    for path in Path(sys.prefix).iterdir():
        (venv / path.name).symlink_to(path)
    for name in (".ready", ".dev-ready"):  # its own, and newer than what they are made of: nothing is installed
        (venv / name).unlink(missing_ok=True)
        (venv / name).touch()
    return Copy(folder)


def copied_into_the_image() -> list[str]:
    """Files and folders that the container gets."""
    lines = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split()]
