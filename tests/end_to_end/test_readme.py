"""Every block and every command of the README is run, or read by what it is meant for; one that no test knows is a
failure here. Queries and Python are run by `test_questions.py`, what is said of production by `test_production.py`.
"""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from pipeline.__main__ import app
from pipeline.catalog import EMAIL_PROPERTIES, EVENTS
from pipeline.exports.layout_files import read_layouts
from pipeline.settings import PROJECT_ROOT, Settings
from pipeline.warehouse import Warehouse
from tests.end_to_end.copying import Copy
from tests.end_to_end.readme import FENCED, HOME, README, blocks, inline_commands, section
from tests.end_to_end.ui_process import running_ui

TITLE = "Selligent → DuckDB → Segment"
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
    ("By a timer", "ini"): 2,
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
PRODUCTION = By("end_to_end/test_production.py", "test_units_name_what_there_is")
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
    "python -m pipeline run --release": By(
        "end_to_end/test_holding_back.py", "test_history_is_loaded_without_delivery_and_delivered_when_it_is_released"
    ),
    "python -m pipeline replay [--event NAME] [--reason TEXT] [--date DATE]": STORY,
    "python -m pipeline inspect FILE": STORY,
    "python -m pipeline inspect FILE > draft.yml": STORY,
    "python -m pipeline status": STORY,
    "python -m pipeline sql [--format FORMAT] [QUERY]": STORY,
    "python -m pipeline upkeep": STORY,
    "python -m pipeline reconcile": By(
        "end_to_end/test_reconcile.py", "test_a_lost_warehouse_is_rebuilt_and_only_what_is_other_is_sent"
    ),
    "python -m pipeline forget": By(
        "end_to_end/test_forget.py",
        "test_a_person_on_the_list_is_not_loaded_not_sent_and_then_forgotten_everywhere",
    ),
    "python -m pipeline ui [--host HOST] [--port PORT]": STORY,
    "python -m pipeline docs [--port PORT] [--no-serve]": By(
        "end_to_end/test_questions.py", "test_the_documentation_has_every_table_with_its_columns"
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
    "python -m benchmarks.soak": Only(MINUTES, "python -m benchmarks.soak --help"),
    "python -m pip install -c constraints.txt -e '.[sftp]'": Only(
        "installs; that there is such an extra is tested below", "true"
    ),
    "systemctl enable --now selligent-to-segment": PRODUCTION,
    "systemctl enable --now selligent-to-segment-run.timer": PRODUCTION,
    "ssh -L 3000:127.0.0.1:3000 HOST": Only(A_SERVER, "true"),
    "docker inspect": Only("is no command to type, but what shows an environment", "true"),
    "git pull": Only(A_SERVER, "true"),
}


def titled_blocks() -> list[tuple[str, str]]:
    """Under which heading each block stands, and its language."""
    found = []
    for block in FENCED.finditer(README):
        before = FENCED.sub("", README[: block.start()])
        found.append((re.findall(r"^#+ (.+)$", before, re.MULTILINE)[-1], block["language"]))
    return found


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
    said = copied.sh(".venv/bin/python -m pipeline sql --format csv 'SELECT count(*) AS events FROM tracks'")
    assert (said.stdout, said.stderr) == ("events\n4326\n", "")
    assert "snapshots" in copied.sh(".venv/bin/python -m pipeline upkeep").stdout
    assert "2024-06-13" in copied.sh(".venv/bin/python -m pipeline status").stdout
    replay = ".venv/bin/python -m pipeline replay --event email_opened --reason late --date 2024-06-11"
    assert "No dead event matches" in copied.sh(replay).stdout
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
    typed = copied.sh(f"{command} --dry-run").stdout.strip()
    assert typed == ".venv/bin/python -m pipeline ui"
    with running_ui(typed.split(), copied.folder, copied.environment):
        pass  # it answers, and stops when it is told to


# What is written down for others to read


def test_the_settings_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    [written] = blocks("dotenv", section("With your own exports"))
    names = {line.lstrip("# ").partition("=")[0] for line in written.splitlines() if "=" in line}
    assert not re.search(r"=.*#", written), "systemd and docker would take a comment for a part of the value"
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


def test_the_table_of_commands_has_every_command_and_option() -> None:
    table = section("Commands")
    context = click.Context(app)
    for name in app.list_commands(context):
        command = app.get_command(context, name)
        assert command is not None
        assert f"`python -m pipeline {name}" in table
        options = [option for option in command.params if isinstance(option, click.Option)]
        spellings = [(*option.opts, *option.secondary_opts) for option in options]
        assert [names for names in spellings if not any(name in table for name in names)] == [], name


def test_the_table_of_tables_has_every_table_that_no_model_makes(tmp_path: Path) -> None:
    with Warehouse(f"{tmp_path}/warehouse.duckdb", "").writing() as connection:
        made = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE schema_name IN ('raw', 'delivery') "
            "UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE schema_name IN ('raw', 'delivery')"
        ).fetchall()
    rows = re.findall(r"^\| `(raw|delivery)` \| (.+) \|$", section("The tables"), re.MULTILINE)
    named = {(schema, table) for schema, cell in rows for table in re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", cell))}
    assert named == set(made)


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
    assert [file for _, file in pictures if not (PROJECT_ROOT / file).is_file()] == []
