"""The commands of the documents do what the documents say, in a copy of the project."""

import re

from tests.docs.documents import HOME, OPERATIONS, README, blocks, section
from tests.end_to_end.copying import Copy
from tests.end_to_end.ui_process import running_ui


def test_the_commands_do_what_the_documents_say(copied: Copy) -> None:
    start = section(README, "Quick start")
    [first], [table] = blocks("sh", start), blocks("text", start)
    run, ui = (line.split("#")[0].strip() for line in first.splitlines())

    done = copied.sh(run)
    assert table in "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())
    assert "warning: every_event_code_is_known" in done.stderr
    assert list((copied.folder / "data" / "dry_run").rglob("*.json"))
    assert (copied.folder / "data" / "report" / "index.html").exists()

    # A run of cron's with nothing to do prints nothing that cron would send by mail.
    [line] = blocks("crontab", section(OPERATIONS, "Run from a timer"))
    cron = line.split(maxsplit=6)[6].replace(HOME, str(copied.folder))
    done = copied.sh(cron)
    assert (done.stdout, done.stderr) == ("", "")
    assert "There is nothing new" in copied.sh(".venv/bin/python -m pipeline run").stdout

    assert "4326" in copied.sh("make sql", "SELECT count(*) FROM tracks;\n").stdout
    done = copied.sh(".venv/bin/python -m pipeline sql --format csv 'SELECT count(*) AS events FROM tracks'")
    assert (done.stdout, done.stderr) == ("events\n4326\n", "")
    assert "snapshots" in copied.sh(".venv/bin/python -m pipeline upkeep").stdout
    assert "2024-06-13" in copied.sh(".venv/bin/python -m pipeline status").stdout
    [replay_and_run] = blocks("sh", section(OPERATIONS, "Replay dead events"))
    done = copied.sh(replay_and_run)
    assert "No dead event matches" in done.stdout
    assert "There is nothing new" in done.stdout
    [release_and_run] = blocks("sh", section(OPERATIONS, "Hold events of machines"))
    assert "No held event matches" in copied.sh(release_and_run).stdout
    export = "examples/exports/ACME_clicks_20240611060500.txt"
    copied.sh(f".venv/bin/python -m pipeline inspect {export} > draft.yml")
    assert "columns:" in (copied.folder / "draft.yml").read_text("utf-8")

    _start_the_ui(copied, ui)

    [reruns] = blocks("sh", section(OPERATIONS, "Rerun a step"))
    done = copied.sh(reruns)
    one, several, reloaded = re.split("^(?=.* of export dates )", done.stderr, flags=re.MULTILINE)[1:]
    assert one.splitlines()[:2] == ["raw/events of export dates 2024-06-11", "… raw"]
    assert "reading" not in one
    assert several.startswith("segment/* of export dates 2024-06-11 to 2024-06-13\n")
    assert re.search("^segment/tracks +4,326 rows$", several, re.MULTILINE)
    assert "reading ACME_clicks_20240611060500.txt" in reloaded
    assert "DEBUG" not in done.stderr
    one_table = copied.sh(".venv/bin/python -m pipeline run --select segment/email_opened").stderr
    assert [line.split()[0] for line in one_table.splitlines()] == ["segment/email_opened", "…", "segment/email_opened"]

    copied.sh("rm -r data")
    assert not (copied.folder / "data").exists()


def _start_the_ui(copied: Copy, command: str) -> None:
    typed = copied.sh(f"{command} --dry-run").stdout.strip()
    assert typed == ".venv/bin/python -m pipeline ui"
    with running_ui(typed.split(), copied.folder, copied.environment):
        pass  # it answers, and stops on a signal
