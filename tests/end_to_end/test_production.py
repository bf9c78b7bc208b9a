"""The instructions for production, as far as they can be tried without a server."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path

from pipeline.settings import PROJECT_ROOT
from tests.docs.documents import HOME, OPERATIONS, blocks, inline_commands, section
from tests.end_to_end.copying import DOCKERFILE, Copy, copied_into_the_image
from tests.support.needed import is_lacking


def units() -> dict[str, str]:
    """The unit files by name, each up to the comment that names the next."""
    text = "".join(
        blocks("ini", section(OPERATIONS, "Run as a service")) + blocks("ini", section(OPERATIONS, "Run from a timer"))
    )
    parts = re.split(r"^# /etc/systemd/system/(\S+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def values(unit: str, key: str) -> Sequence[str]:
    return re.findall(rf"^{key}=(.+)$", unit, re.MULTILINE)


def test_units_name_what_there_is(copied: Copy) -> None:
    assert list(units()) == [
        *("selligent-to-segment.service", "selligent-to-segment-run.service", "selligent-to-segment-run.timer")
    ]
    for name in ("selligent-to-segment.service", "selligent-to-segment-run.service"):
        unit = units()[name]
        assert values(unit, "User") == ["selligent"]
        assert values(unit, "WorkingDirectory") == [HOME]
        assert values(unit, "ReadWritePaths") == [f"{HOME}/data"]
        [started] = values(unit, "ExecStart")
        output = copied.sh(f"{started.replace(HOME, str(copied.folder))} --help")
        assert output.stdout.startswith("Usage:")
    named = re.findall(r"systemctl enable --now (\S+)", " ".join(inline_commands()))
    assert {name if "." in name else f"{name}.service" for name in named} == {
        "selligent-to-segment.service",
        "selligent-to-segment-run.timer",
    }
    assert HOME in section(OPERATIONS, "Run as a service")


def test_systemd_finds_nothing_wrong_with_the_units(copied: Copy, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        is_lacking("systemd is not installed: the units were not verified (Debian: `apt-get install systemd`)")
    for name, unit in units().items():
        (tmp_path / name).write_text(unit.replace(HOME, str(copied.folder)), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(tmp_path / name) for name in units())],
        capture_output=True,
        text=True,
        check=False,
    )
    # What it says of other units is the machine's own affair.
    assert [line for line in (done.stdout + done.stderr).splitlines() if "selligent" in line] == []


def test_what_root_types_is_sh_and_no_more_than_the_container_does(copied: Copy) -> None:
    [installing] = blocks("sh", section(OPERATIONS, "Run as a service"))
    [containing] = blocks("sh", section(OPERATIONS, "Run in a container"))
    for text in (installing, containing):
        subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    assert copied.sh("make --dry-run .venv/.ready").stdout.endswith("is up to date.\n")
    # The user and the folder of the container are made in the same words.
    for line in ("install -d -o selligent -g selligent -m 700 data", "--no-create-home", "--shell /usr/sbin/nologin"):
        assert line in installing
        assert line in DOCKERFILE
    assert "--home-dir /app/data" in DOCKERFILE
    assert '--home-dir "$PWD/data"' in installing


def test_the_container_has_what_it_needs_and_nothing_secret(copied: Copy) -> None:
    [containing] = blocks("sh", section(OPERATIONS, "Run in a container"))
    [user] = re.findall(r"--uid (\d+)", DOCKERFILE)
    assert f"chown {user} .env" in containing
    assert "VOLUME /app/data" in DOCKERFILE
    assert containing.count("-v selligent:/app/data") == 2
    # `*` first: what is not named is not even handed to the builder.
    ignored = [line for line in (PROJECT_ROOT / ".dockerignore").read_text("utf-8").splitlines() if line[:1] != "#"]
    assert ignored[0] == "*"
    assert [line[1:] for line in ignored if line.startswith("!")] == copied_into_the_image()
    for command in re.findall(r"selligent-to-segment (python -m pipeline .+)$", containing, re.MULTILINE):
        assert copied.sh(f".venv/bin/{command} --help").stdout.startswith("Usage:")
    assert 'CMD ["python", "-m", "pipeline", "run"]' in DOCKERFILE
    extras = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    [asked] = re.findall(r"EXTRAS=(\S+)", containing)
    assert set(asked.split(",")) <= set(extras)
