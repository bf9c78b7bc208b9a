"""Every command in the documents is run by a test, or there is a reason why it can't be."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from pipeline.settings import PROJECT_ROOT
from tests.docs.documents import inline_commands


@dataclass(frozen=True)
class By:
    """Another test runs the command: its file below `tests`, and its name."""

    file: str
    test: str


@dataclass(frozen=True)
class Only:
    """The command can't be run in a test, for this reason; `instead` is run in the project itself."""

    reason: str
    instead: str


STORY = By("end_to_end/test_docs.py", "test_the_commands_do_what_the_documents_say")
PRODUCTION = By("end_to_end/test_production.py", "test_units_name_what_there_is")
MAIN_JOB = By(
    "end_to_end/test_main_job.py", "test_every_event_of_the_examples_is_delivered_once_and_a_second_run_does_nothing"
)
WITHHOLDING = By(
    "end_to_end/test_holding_back.py", "test_history_is_loaded_without_delivery_and_delivered_when_it_is_released"
)
HOLDING = By(
    "end_to_end/test_bots.py",
    "test_events_of_machines_are_modelled_and_held_and_leave_once_when_they_are_released",
)
WRONG_SOURCE = By("end_to_end/test_bad_days.py", "test_events_that_went_to_a_wrong_source_are_sent_again")
BRANDS = By(
    "end_to_end/test_brands.py", "test_two_brands_are_delivered_to_their_own_sources_and_are_in_one_ui_without_mixing"
)
QUESTIONS = By("layout_drafting/test_dialogue.py", "test_on_a_terminal_the_layout_is_written_and_tried_at_once")
COPY = By("end_to_end/test_copy.py", "test_everything_moves_to_a_server_and_back")
BACKUP = By("end_to_end/test_restore.py", "test_a_backup_during_a_delivery_lets_the_run_go_on")
RESTORE = By("end_to_end/test_restore.py", "test_a_ledger_that_survived_recognizes_what_was_sent_after_the_backup")
NEW_IDS = By(
    "end_to_end/test_new_ids.py",
    "test_after_the_release_all_are_sent_and_a_later_file_of_the_date_is_sent_at_once",
)
CHECK = By("commands/test_check.py", "test_a_usable_installation_passes_and_the_test_event_arrives")
PLAN = By("end_to_end/test_properties.py", "test_tables_messages_and_tracking_plan_agree_on_each_property")
MINUTES = "takes minutes, and runs this test itself or beside it"
A_SERVER = "needs the server that it is about"
COMMANDS: Mapping[str, By | Only] = {
    "make run": STORY,
    "make ui": STORY,
    "make ui PORT=3001": By("test_makefile.py", "test_the_port_of_the_ui_can_be_chosen"),
    "make sql": STORY,
    "rm -r data": STORY,
    "python -m pipeline run": STORY,
    "python -m pipeline run --no-delivery": WITHHOLDING,
    "python -m pipeline run --release": WITHHOLDING,
    "python -m pipeline run [--from DATE] [--to DATE]": MAIN_JOB,
    "python -m pipeline run --from DATE --to DATE": MAIN_JOB,
    "python -m pipeline run --select ASSET [--from DATE] [--to DATE]": STORY,
    "python -m pipeline run --select raw/events --from DATE --to DATE --reload": STORY,
    "python -m pipeline replay": STORY,
    "python -m pipeline replay [--event NAME] [--reason TEXT] [--date DATE]": STORY,
    "python -m pipeline replay --held [--event NAME] [--date DATE]": HOLDING,
    "python -m pipeline replay --held": HOLDING,
    'python -m pipeline replay --held --reason "new ids"': NEW_IDS,
    'python -m pipeline replay --held --reason "new ids" [--date DATE]': NEW_IDS,
    "python -m pipeline replay --delivered": WRONG_SOURCE,
    "python -m pipeline replay --delivered [--from DATE] [--to DATE] [--event NAME]": WRONG_SOURCE,
    "python -m pipeline inspect FILE": STORY,
    "python -m pipeline inspect FILE > draft.yml": STORY,
    "python -m pipeline inspect --write FILE": QUESTIONS,
    "make layout FILE=…": Only("asks on a terminal", "make --dry-run layout FILE=a.csv"),
    "make layout FILE=/srv/selligent/out/clicks.csv": Only("asks on a terminal", "make --dry-run layout FILE=a.csv"),
    "python -m pipeline check": CHECK,
    "python -m pipeline check --send-test": CHECK,
    "python -m pipeline check --read": CHECK,
    "python -m pipeline check [--read] [--send-test]": CHECK,
    "python -m pipeline tracking-plan": PLAN,
    "python -m pipeline tracking-plan > plan.json": PLAN,
    "python -m pipeline status": STORY,
    "python -m pipeline sql": STORY,
    "python -m pipeline sql [--format FORMAT] [QUERY]": STORY,
    "python -m pipeline upkeep": STORY,
    "python -m pipeline backup DIR [--files] [--keep NUMBER]": BACKUP,
    "python -m pipeline backup DIR": BACKUP,
    "python -m pipeline restore DIR": RESTORE,
    "python -m pipeline restore DIR [--delivered-until TIME]": RESTORE,
    "python -m pipeline replay --held --reason restored": RESTORE,
    "python -m pipeline replay --held --reason restored [--event NAME] [--date DATE]": RESTORE,
    "python -m pipeline reconcile": By(
        "end_to_end/test_reconcile.py", "test_a_lost_warehouse_is_rebuilt_and_only_what_is_other_is_sent"
    ),
    "python -m pipeline forget": By(
        "end_to_end/test_forget.py",
        "test_a_person_on_the_list_is_not_loaded_not_sent_and_then_forgotten_everywhere",
    ),
    "python -m pipeline ui [--host HOST] [--port PORT] [--workspace FILE]": STORY,
    "python -m pipeline ui --workspace brands/workspace.yaml": BRANDS,
    "python -m pipeline --env-file FILE run": BRANDS,
    "python -m pipeline --env-file FILE reconcile": BRANDS,
    "python -m pipeline run --select ASSET": STORY,
    "python -m pipeline run --select 'staging/*' --full-refresh": By(
        "end_to_end/test_increments.py", "test_a_full_refresh_gives_the_tables_that_the_days_gave"
    ),
    "python -m pipeline run --select delivery/report": By(
        "end_to_end/test_bad_days.py", "test_a_report_whose_server_is_down_fails_alone_and_the_next_run_writes_it"
    ),
    'python -m pipeline sql "FROM raw.rejected_rows"': By(
        "end_to_end/test_status.py", "test_problems_are_listed_with_their_reasons"
    ),
    "rm -r .venv; make run": By("test_makefile.py", "test_an_environment_of_another_folder_is_refused"),
    "python -m pipeline copy --to WAREHOUSE": COPY,
    "python -m pipeline copy --to WAREHOUSE [--files WAREHOUSE_FILES] [--ledger LEDGER]": COPY,
    "python -m pipeline status --problems": By(
        "end_to_end/test_status.py", "test_problems_are_listed_with_their_reasons"
    ),
    "python -m pipeline docs [--port PORT] [--no-serve]": By(
        "end_to_end/test_questions.py",
        "test_the_documentation_has_every_table_with_its_columns_and_is_served_until_a_signal",
    ),
    "sudo -u selligent .venv/bin/python -m pipeline status": STORY,
    "duckdb -init attach.sql": By(
        "end_to_end/test_questions.py", "test_duckdbs_own_command_line_attaches_as_the_documents_say"
    ),
    "make docs": Only("serves until it is stopped; test_questions.py makes the pages", "make --dry-run docs"),
    "make test": Only(MINUTES, "make --dry-run test"),
    "make bench": Only(MINUTES, "make --dry-run bench"),
    "make lint": Only(MINUTES, "make --dry-run lint"),
    "make .venv/.ready": Only("installs", "make --dry-run .venv/.ready"),
    "make .venv/.dev-ready": Only("installs", "make --dry-run .venv/.dev-ready"),
    "python -m benchmarks --whole-job ROWS": Only(MINUTES, "python -m benchmarks --help"),
    "python -m benchmarks.against": Only(MINUTES, "python -m benchmarks.against --help"),
    "python -m benchmarks.against REV": Only(MINUTES, "python -m benchmarks.against --help"),
    "python -m benchmarks.against 297b2a7": Only(MINUTES, "python -m benchmarks.against --help"),
    "python -m benchmarks.year": Only(MINUTES, "python -m benchmarks.year --help"),
    "python -m benchmarks.soak": Only(MINUTES, "python -m benchmarks.soak --help"),
    "python -m benchmarks.two_runs": Only(MINUTES, "python -m benchmarks.two_runs --help"),
    "python -m benchmarks.workers": Only(MINUTES, "python -m benchmarks.workers --help"),
    "python -m pip install -c constraints.txt -e '.[notebooks]'": Only("installs; its extra is looked up", "true"),
    "python -m pip install -c constraints.txt -e '.[sftp]'": Only("installs; its extra is looked up", "true"),
    "python -m pip install -c constraints.txt -e '.[pgp]'": Only("installs; its extra is looked up", "true"),
    "systemctl enable --now selligent-to-segment": PRODUCTION,
    "systemctl enable --now selligent-to-segment-run.timer": PRODUCTION,
    "ssh -L 3000:127.0.0.1:3000 HOST": Only(A_SERVER, "true"),
    "docker inspect": Only("is not typed: it shows the environment of a container", "true"),
    "python -m pipeline": Only("is how every command starts", "python -m pipeline --help"),
    "python -m pipeline …": Only("is how every command starts", "python -m pipeline --help"),
    "python -m pytest tests/exports": Only(
        MINUTES, "python -m pytest --collect-only -q -n0 tests/exports/test_matching.py"
    ),
    "python -m pytest -n0 tests/docs": Only(MINUTES, "true"),
    "python -m pipeline.models.dbt parse": Only("is a part of make lint", "grep -q pipeline.models.dbt Makefile"),
    "docker run": Only("is a part of a block that is read", "true"),
    "git pull": Only(A_SERVER, "true"),
}


def test_every_command_is_known_and_its_test_exists() -> None:
    as_typed = {command.removeprefix(".venv/bin/") for command in inline_commands()}
    assert as_typed == set(COMMANDS)
    for how in COMMANDS.values():
        if isinstance(how, By):
            assert f"def {how.test}(" in (PROJECT_ROOT / "tests" / how.file).read_text("utf-8")


@pytest.mark.parametrize(
    ("command", "how"), [pair for pair in COMMANDS.items() if isinstance(pair[1], Only)], ids=lambda value: str(value)
)
def test_a_command_that_is_not_run_exists(command: str, how: Only) -> None:
    assert how.reason
    words = shlex.split(how.instead)
    if words[0] == "python":
        words[0] = sys.executable
    done = subprocess.run(words, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    if extra := re.search(r"\.\[(\w+)\]", command):
        project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text("utf-8"))["project"]
        assert extra[1] in project["optional-dependencies"]
