"""Every block and every command of the README is run, or read by what it is meant for; one that no test knows is a
failure here. Queries and Python are run by `test_questions.py`.

Commands are typed in a copy of the project that has what the container would have, and the Makefile.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.catalog import EMAIL_PROPERTIES, EVENTS
from pipeline.exports.layouts import read_layouts
from pipeline.settings import PROJECT_ROOT, Settings
from tests.end_to_end.test_questions import FENCED, README, blocks, section

TITLE = "Selligent → DuckDB → Segment"
HOME = "/opt/selligent-to-segment"
DOCKERFILE = (PROJECT_ROOT / "Dockerfile").read_text("utf-8")
MAKEFILE = (PROJECT_ROOT / "Makefile").read_text("utf-8")

# Under which heading a block of which language stands, and how many: each is dealt with by a test below, queries and
# Python by `test_questions.py`, and the excerpt of a draft by `exports/test_inspect.py`.
KNOWN_BLOCKS = {
    (TITLE, "sh"): 1,
    (TITLE, "text"): 1,
    ("With your own exports", "dotenv"): 1,
    ("Layouts", "yaml"): 1,
    ("From an unknown export to a layout", "yaml"): 1,
    ("From other tools", "python"): 1,
    ("What a rerun does", "sh"): 1,
    ("As a service", "sh"): 1,
    ("As a service", "ini"): 1,
    ("By a timer", "ini"): 1,
    ("By a timer", "crontab"): 1,
    ("In a container", "sh"): 1,
    ("How it is built", "text"): 1,
}


@dataclass(frozen=True)
class By:
    """Another test runs the command: its file below `tests`, and its name."""

    file: str
    test: str


@dataclass(frozen=True)
class Only:
    """The command can't be run in a test, for this reason; what is run instead, in the project itself."""

    reason: str
    instead: str


STORY = By("end_to_end/test_readme.py", "test_the_commands_do_what_the_readme_says")
PRODUCTION = By("end_to_end/test_readme.py", "test_units_name_what_there_is")
MINUTES = "takes minutes, and is what runs this test or is run beside it"
SERVES = "serves until it is stopped; what it serves is made in test_questions.py"
A_SERVER = "is for the server it is about"
COMMANDS: Mapping[str, By | Only] = {
    "make run": STORY,
    "make ui": STORY,
    "make sql": STORY,
    "rm -r data": STORY,
    "python -m pipeline run": STORY,
    "python -m pipeline run --no-delivery": By(
        "end_to_end/test_holding_back.py", "test_history_is_loaded_without_delivery_and_delivered_when_it_is_released"
    ),
    "python -m pipeline run [--from DATE] [--to DATE]": By(
        "end_to_end/test_main_job.py",
        "test_every_event_of_the_examples_is_delivered_once_and_a_second_run_does_nothing",
    ),
    "python -m pipeline run --from DATE --to DATE": By(
        "end_to_end/test_main_job.py",
        "test_every_event_of_the_examples_is_delivered_once_and_a_second_run_does_nothing",
    ),
    "python -m pipeline replay [--event NAME] [--reason TEXT] [--date DATE]": STORY,
    "python -m pipeline inspect FILE": STORY,
    "python -m pipeline inspect FILE > draft.yml": STORY,
    "python -m pipeline status": STORY,
    "python -m pipeline sql [QUERY]": STORY,
    "python -m pipeline forget": By(
        "end_to_end/test_forget.py",
        "test_a_person_on_the_list_is_not_loaded_not_sent_and_then_forgotten_everywhere",
    ),
    "sudo -u selligent .venv/bin/python -m pipeline status": STORY,
    "duckdb -init attach.sql": By(
        "end_to_end/test_questions.py", "test_duckdbs_own_command_line_attaches_as_the_readme_says"
    ),
    "make docs": Only(SERVES, "make --dry-run docs"),
    "make test": Only(MINUTES, "make --dry-run test"),
    "make bench": Only(MINUTES, "make --dry-run bench"),
    "make lint": Only(MINUTES, "make --dry-run lint"),
    "make .venv/.ready": Only("installs", "make --dry-run .venv/.ready"),
    "python -m benchmarks.year": Only(MINUTES, "python -m benchmarks.year --help"),
    "pip install -e '.[sftp]'": Only("installs; that there is such an extra is tested below", "true"),
    "pip install -e '.[postgres]'": Only("installs; that there is such an extra is tested below", "true"),
    "systemctl enable --now selligent-to-segment": PRODUCTION,
    "ssh -L 3000:127.0.0.1:3000 HOST": Only(A_SERVER, "true"),
    "docker inspect": Only("is no command to type, but what shows an environment", "true"),
    "git pull": Only(A_SERVER, "true"),
}
PROGRAMS = {
    *("make", "python", "pip", "dagster", "dbt", "duckdb", "rm", "cp", "mv", "cd", "sudo", "ssh", "scp", "tar"),
    *("systemctl", "journalctl", "docker", "podman", "git", "curl", "psql", "sqlite3", "chmod", "chown", "install"),
}


def titled_blocks() -> list[tuple[str, str]]:
    """Under which heading each block stands, and its language."""
    found = []
    for block in FENCED.finditer(README):
        before = FENCED.sub("", README[: block.start()])
        found.append((re.findall(r"^#+ (.+)$", before, re.MULTILINE)[-1], block["language"]))
    return found


def inline_commands() -> set[str]:
    """What is set as code in running text and in tables, and begins with the name of a program."""
    found = {" ".join(code.split()) for code in re.findall(r"`([^`]+)`", FENCED.sub("", README))}
    return {code for code in found if " " in code and Path(code.split()[0]).name in PROGRAMS}


def test_every_block_is_known() -> None:
    fences = re.findall(r"^ *```", README, re.MULTILINE)
    assert len(fences) == 2 * len(titled_blocks()), "a block without a language"
    counted = {key: titled_blocks().count(key) for key in titled_blocks() if key[1] != "sql"}
    assert counted == KNOWN_BLOCKS


def test_every_command_is_known_and_its_test_is_there() -> None:
    as_typed = {
        command.replace(".venv/bin/", "", 1) if command.startswith(".venv") else command
        for command in inline_commands()
    }
    assert as_typed == set(COMMANDS)
    for how in COMMANDS.values():
        if isinstance(how, By):
            assert f"def {how.test}(" in (PROJECT_ROOT / "tests" / how.file).read_text("utf-8")


@pytest.mark.parametrize(
    ("command", "how"), [pair for pair in COMMANDS.items() if isinstance(pair[1], Only)], ids=lambda value: str(value)
)
def test_a_command_that_is_not_run_is_there(command: str, how: Only) -> None:
    assert how.reason
    words = shlex.split(how.instead)
    if words[0] == "python":
        words[0] = sys.executable
    done = subprocess.run(words, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if extra := re.search(r"\.\[(\w+)\]", command):
        assert (
            extra[1]
            in tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        )


# Commands, as they stand there


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
        unwanted = {*ours, "DAGSTER_HOME", "PIPELINE_DATA_DIR", "DAGSTER_UI_URL", "MAKEFLAGS", "MAKELEVEL", "COLUMNS"}
        return {name: value for name, value in os.environ.items() if name not in unwanted}


@pytest.fixture
def copied(tmp_path: Path) -> Copy:
    folder = tmp_path / "project"
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
    lines = re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split()]


def test_the_commands_do_what_the_readme_says(copied: Copy) -> None:
    [first] = blocks("sh", README[: README.index("### The six events")])
    run, ui = (line.split("#")[0].strip() for line in first.splitlines())
    [table] = blocks("text", README[: README.index("### The six events")])

    said = copied.sh(run)
    assert table in "".join(f"{line.rstrip()}\n" for line in said.stdout.splitlines())
    assert "warning: every_event_code_is_known" in said.stderr
    assert list((copied.folder / "data" / "dry_run").rglob("*.json"))
    assert (copied.folder / "data" / "report" / "index.html").exists()

    # What cron would type, of a run with nothing to do: nothing that it would send by mail.
    [line] = blocks("crontab", section("By a timer"))
    cron = line.split(maxsplit=6)[6].replace(HOME, str(copied.folder))
    said = copied.sh(cron)
    assert (said.stdout, said.stderr) == ("", "")
    assert "Nothing is new" in copied.sh(".venv/bin/python -m pipeline run").stdout

    assert "4326" in copied.sh("make sql", "SELECT count(*) FROM tracks;\n").stdout
    assert "4326" in copied.sh(".venv/bin/python -m pipeline sql 'SELECT count(*) FROM tracks'").stdout
    assert "2024-06-13" in copied.sh(".venv/bin/python -m pipeline status").stdout
    replay = ".venv/bin/python -m pipeline replay --event email_opened --reason late --date 2024-06-11"
    assert "No dead event is meant" in copied.sh(replay).stdout
    export = "examples/exports/ACME_clicks_20240611060500.txt"
    copied.sh(f".venv/bin/python -m pipeline inspect {export} > draft.yml")
    assert "columns:" in (copied.folder / "draft.yml").read_text("utf-8")

    _start_the_ui(copied, ui)

    [reruns] = blocks("sh", section("What a rerun does"))
    said = copied.sh(reruns)
    assert said.stderr.count("RUN_SUCCESS") == 3
    assert "reading ACME_clicks_20240611060500.txt" in said.stderr, "reload reads what is known"

    copied.sh("rm -r data")
    assert not (copied.folder / "data").exists()


def _start_the_ui(copied: Copy, command: str) -> None:
    """What `make ui` types, on a port that is free; and Ctrl+C, which goes to its process group."""
    typed = copied.sh(f"{command} --dry-run").stdout.strip()
    assert typed == ".venv/bin/python -m pipeline ui"
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    log = copied.folder / "ui.log"
    with log.open("w") as said:
        started = subprocess.Popen(
            [*typed.split(), "--port", str(port)],
            cwd=copied.folder,
            env=copied.environment,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        assert "dagster_webserver_version" in _answer(f"http://127.0.0.1:{port}/server_info", started), log.read_text()
        os.killpg(started.pid, signal.SIGINT)
        assert started.wait(60) == 0, log.read_text()
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)


def _answer(url: str, started: "subprocess.Popen[bytes]") -> str:
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            if started.poll() is not None:
                break
            time.sleep(0.5)
    return ""


# What is written down for others to read


def test_the_settings_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    [written] = blocks("dotenv", section("With your own exports"))
    names = {line.lstrip("# ").partition("=")[0] for line in written.splitlines()}
    assert names <= {name.upper() for name in Settings.model_fields}
    file = tmp_path / ".env"
    file.write_text(written, "utf-8")
    settings = Settings(_env_file=file)  # type: ignore[call-arg]
    assert settings.selligent_exports == "/srv/selligent/out"
    assert (settings.message_id_namespace, settings.segment_region) == ("example.com", "eu")
    assert not settings.delivers


def test_the_table_of_settings_has_every_setting() -> None:
    of_the_environment = {"DAGSTER_UI_URL", "PIPELINE_DATA_DIR"}
    named = re.findall(r"^\| `([A-Z_]+)` \|", section("Settings"), re.MULTILINE)
    assert set(named) == {name.upper() for name in Settings.model_fields} | of_the_environment
    assert len(named) == len(set(named))


def test_the_layout_is_one(tmp_path: Path) -> None:
    [written] = blocks("yaml", section("Layouts"))
    (tmp_path / "interactions.yml").write_text(written, "utf-8")
    [layout] = read_layouts(tmp_path)
    assert layout.name == "interactions"


def test_the_six_events_are_those_of_the_catalog() -> None:
    rows = [
        [cell.strip().strip("`") for cell in line.strip("|").split("|")]
        for line in section("The six events").splitlines()
        if line.startswith("|")
    ][2:]
    own = [tuple(re.findall(r"\w+", row[3])) for row in rows]
    assert [(row[1], row[2]) for row in rows] == [(event.name, event.table) for event in EVENTS]
    assert [(*EMAIL_PROPERTIES, *columns) for columns in own] == [event.properties for event in EVENTS]


def test_links_lead_somewhere() -> None:
    text = FENCED.sub("", README)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    links = re.findall(r"(?<!!)\[[^\]]+\]\(([^)]+)\)", text)
    assert [link for link in links if link.startswith("#") and link[1:] not in anchors] == []
    files = [link for link in links if not link.startswith(("#", "https://"))]
    assert [file for file in files if not (PROJECT_ROOT / file).exists()] == []


def test_pictures_are_there_and_say_what_they_show() -> None:
    pictures = re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", README)
    assert len(pictures) == 2
    assert all(len(words) > 40 for words, _ in pictures)
    if not (PROJECT_ROOT / "docs").exists():
        pytest.skip("the pictures of the README are not here")
    assert [file for _, file in pictures if not (PROJECT_ROOT / file).is_file()] == []


# In production


def units() -> dict[str, str]:
    """The unit files by name, each up to the comment that names the next."""
    text = "".join(blocks("ini", section("As a service")) + blocks("ini", section("By a timer")))
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
        said = copied.sh(f"{started.replace(HOME, str(copied.folder))} --help")
        assert said.stdout.startswith("Usage:")
    named = re.findall(r"systemctl enable --now (\S+)", " ".join(inline_commands()))
    assert {f"{name}.service" for name in named} == {"selligent-to-segment.service"}
    assert HOME in section("As a service")


def test_systemd_finds_nothing_wrong_with_the_units(copied: Copy, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not on this machine: the units of the README are not verified")
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
    [installing] = blocks("sh", section("As a service"))
    [containing] = blocks("sh", section("In a container"))
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
    [containing] = blocks("sh", section("In a container"))
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
