"""What goes wrong in operation, and the commands that docs/operations.md names for it, as they are typed."""

import os
import re
import subprocess
import sys
from pathlib import Path

from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Ledger
from pipeline.segment.checks import due_is_settled
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import ANN, BOB, CAMPAIGNS, EVE, LAYOUT, LAYOUTS, ZOE, log
from tests.fakes.segment_faults import Answer
from tests.fakes.segment_server import SegmentServer
from tests.fakes.sftp import PASSWORD, sftp_server

BAD = '{"success": false, "message": "a message was rejected"}'


def on_a_terminal(project: Project, answer: str, *arguments: str) -> str:
    """What a command prints whose input is a terminal, on which a person types the answer."""
    ours, theirs = os.openpty()
    os.write(ours, answer.encode())
    words = [sys.executable, "-m", "pipeline", *arguments]
    done = subprocess.run(
        words, env=project.environment, cwd=project.folder, stdin=theirs, capture_output=True, text=True, check=False
    )
    for end in (ours, theirs):
        os.close(end)
    assert done.returncode == 0, done.stderr
    return done.stdout


def balance_holds(project: Project) -> None:
    with project.warehouse.reading() as connection:
        balance = due_is_settled(connection, Ledger(project.environment["LEDGER"]), EVERY_DATE)
    assert balance.holds, balance


def test_events_that_went_to_a_wrong_source_are_sent_again(project: Project, segment: SegmentServer) -> None:
    """The key was that of another source. The replay is declined on a terminal, then killed before its copy is made."""
    project.with_files({"log_20240611.csv": log([ANN, BOB]), "log_20240612.csv": log([EVE])}, LAYOUTS)
    with SegmentServer() as wrong:
        project.delivering_to(wrong.url).run()
        assert len(wrong.received_ids) == 3
    project.delivering_to(segment.url)
    assert "There is nothing new." in project.run()

    refused = project.command("replay", "--delivered", "--reason", "answered")
    assert (refused.returncode, refused.stderr) == (
        2,
        "--delivered and --reason contradict each other: delivered events have no reason\n",
    )
    nothing = project.command("replay", "--delivered", "--event", "email_bounced", "--from", "2024-06-11")
    assert nothing.stdout == "No delivered event matches.\n"
    printed = on_a_terminal(project, "n\n", "replay", "--delivered")
    assert printed.startswith("3 delivered events of export dates 2024-06-11 to 2024-06-12, delivered ")
    assert printed.endswith("Nothing was changed.\n")
    one = project.command("replay", "--delivered", "--from", "2024-06-12", "--to", "2024-06-12")
    assert "1 delivered event set back to waiting; `python -m pipeline run` sends those" in one.stdout, one.stderr
    assert project.killed("pipeline.ledger.earlier_deliveries:advance", "replay", "--delivered").returncode == 9
    project.run()
    assert len(segment.received_ids) == 1
    assert project.killed("pipeline.ledger.warehouse_copy:_sync", "replay", "--delivered", "--date", "2024-06-11")
    project.run()
    assert segment.received_ids == project.ids()
    assert not segment.duplicates
    assert project.query("SELECT DISTINCT status FROM delivery.events") == [("delivered",)]
    assert project.query("SELECT sum(events) FROM delivery.earlier_deliveries") == [(3,)]
    balance_holds(project)
    assert "There is nothing new." in project.run()


def test_a_broken_layout_stops_no_other_and_its_files_are_loaded_once_it_is_corrected(
    delivering: Project, segment: SegmentServer
) -> None:
    broken = CAMPAIGNS.replace("kind: campaigns", "kind: campaign")
    project = delivering.with_files(
        {"log_20240611.csv": log([ANN]), "campaigns_20240611.csv": "ID,NAME\nc1,Soldes\n"},
        {"log.yml": LAYOUT, "campaigns.yml": broken},
    )
    done = project.command("run")
    assert done.returncode == 2
    assert "layout not used: campaigns.yml: kind: 'campaign' is not " in done.stderr
    assert "every_layout_is_usable" in done.stderr
    assert len(segment.received_ids) == 1
    assert project.query("SELECT name, status FROM raw.export_files") == [("log_20240611.csv", "loaded")]
    listed = project.command("status", "--problems", COLUMNS="300").stdout
    assert re.search(r"^layout +campaigns\.yml +campaigns\.yml: kind: 'campaign' is not ", listed)
    again = project.command("run")
    assert (again.returncode, again.stdout.splitlines()[0]) == (2, "There is nothing new.")
    refused = project.command("run", "--no-delivery")
    assert refused.returncode == 2
    assert "--no-delivery needs --from and --to while a layout is broken: campaigns.yml: " in refused.stderr

    project.with_files({}, LAYOUTS).run()
    assert len(project.query("SELECT * FROM raw.lookups")) == 1
    assert project.query("SELECT DISTINCT campaign_name FROM selligent_marketing_cloud.email_opened") == [("Soldes",)]
    assert not segment.duplicates


def test_a_delivery_that_fails_still_leaves_the_report_of_its_run(delivering: Project, segment: SegmentServer) -> None:
    """Segment refuses the key; then a layout reads no file, so that the run fails before its report."""
    project = delivering.with_files({"log_20240611.csv": log([ANN])}, LAYOUTS)
    segment.misbehave_when(lambda *_: True, Answer(401, body="no such key"))
    done = project.command("run")
    assert done.returncode == 1
    assert "failed: delivery/email_opened: " in done.stderr
    assert "Not executing" not in done.stderr
    page = project.data / "report" / "index.html"
    assert f"The report: {page}" in done.stdout
    assert "no such key" in page.read_text()
    assert project.query("SELECT status, count(*) FROM delivery.events GROUP BY ALL") == [("waiting", 1)]
    problems = " ".join(project.command("status", "--problems").stdout.split())
    assert problems.startswith("waiting 1 event ")
    assert "no such key" in problems
    assert project.command("status").stdout.splitlines()[-1].split() == ["all", "1", "0", "1", "0", "1", "0", "0"]

    before = page.read_text()
    project.with_files({"log_20240612.csv": log([BOB.replace("2024", "2999") for _ in range(20)])}, LAYOUTS)
    done = project.command("run", "--from", "2024-06-12", "--to", "2024-06-12")
    assert done.returncode == 1
    assert f"The report of an earlier run, since this one failed before its report: {page}" in done.stdout
    assert page.read_text() == before

    segment.behave()
    project.settings["SEGMENT_ENDPOINT"] = segment.url
    (project.exports / "log_20240612.csv").write_text(log([BOB]), "utf-8")
    project.run()
    assert len(segment.received_ids) == 2


def test_losses_are_warnings_of_the_run_and_of_status(delivering: Project, segment: SegmentServer) -> None:
    """A file of half-understood rows, the same file twice, a rejected event, and a correction after the delivery."""
    bad = [f"u{number},m1,c1,VIEW,,tomorrow" for number in range(9)]
    project = delivering.with_files(
        {"log_20240611.csv": log([ANN, BOB, EVE]), "log_20240612.csv": log([*bad, ZOE])}, LAYOUTS
    )
    segment.misbehave_when(lambda _, messages: any(one["userId"] == "eve" for one in messages), Answer(400, body=BAD))
    done = project.command("run")
    assert done.returncode == 0, done.stderr
    rejected = "1 file with many rejected rows: log_20240612.csv (9 of 10 rows, usually 0%, layout log). Reasons: "
    dead = "1 event dead: Segment answered 400: "
    assert f"warning: few_rows_are_rejected: {rejected}" in done.stderr
    assert f"warning: no_event_is_dead: {dead}" in done.stderr
    segment.behave()

    project.with_files({"log_20240611_0900.csv": log([ANN, BOB, EVE]), "log_20240612.csv": log([*bad])}, {})
    done = project.command("run")
    assert done.returncode == 0, done.stderr
    twice = "1 file came twice: log_20240611_0900.csv is identical to log_20240611.csv."
    assert f"warning: no_file_came_twice: {twice}" in done.stderr
    assert (
        "warning: no_delivered_event_is_withdrawn: 1 event delivered, but a corrected export no longer" in done.stderr
    )
    status = project.command("status")
    assert rejected.replace("9 of 10", "9 of 9") in status.stderr
    assert twice in status.stderr
    assert "1 event dead: Segment answered 400" in status.stderr
    corrected = "1 delivered event is no longer in the tables, since a corrected export does not contain it; so more"
    assert corrected in status.stderr
    listed = project.command("status", "--problems", COLUMNS="300").stdout
    assert re.search(r"withdrawn +1 delivered event +a corrected export no longer contains them", listed)
    balance_holds(project)


def test_a_renamed_column_of_the_person_is_a_warning_until_the_layout_names_it(
    delivering: Project, segment: SegmentServer
) -> None:
    """The address still identifies the person, so no row is rejected; but the user id is part of no message."""
    both = LAYOUT.replace("{WHO: user_id", "{WHO: user_id, ADDRESS: email")
    renamed = "WHOM,ADDRESS,MAIL,CAMPAIGN,WHAT,LINK,WHEN\nann,ann@example.com,m1,c1,VIEW,,2024-06-10T08:00:00Z\n"
    project = delivering.with_files({"log_20240611.csv": renamed}, {"log.yml": both})
    done = project.command("run", "--no-delivery")
    assert done.returncode == 0, done.stderr
    lacks = (
        "1 file without a column that identifies the person: log_20240611.csv ('WHO' (the file has 'WHOM'), layout log)"
    )
    assert f"warning: every_person_column_is_found: {lacks}" in done.stderr
    assert lacks in project.command("status").stderr

    project.with_files({}, {"log.yml": both.replace("WHO: user_id", "WHOM: user_id")})
    done = project.command("run", "--release")
    assert done.returncode == 0, done.stderr
    assert "every_person_column_is_found" not in done.stderr
    assert project.command("status").stderr == ""
    assert [message["userId"] for message in segment.messages.values()] == ["ann"]


def test_a_report_whose_server_is_down_fails_alone_and_the_next_run_writes_it(
    delivering: Project, segment: SegmentServer, home: Path
) -> None:
    project = delivering.with_files({"log_20240611.csv": log([ANN])}, LAYOUTS)
    pages = project.folder / "pages"
    pages.mkdir()
    with sftp_server(pages) as server:
        (home / ".ssh" / "known_hosts").write_text(server.host_key)
        project.settings["REPORT"] = server.url("/reports")
    refused = project.command("run", REPORT="stfp://127.0.0.1/reports")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        "REPORT: stfp:// is not a known protocol; use s3://, sftp://, ftps://, abfs:// or a folder\n"
    )
    assert not (project.folder / "ledger.sqlite").exists()

    done = project.command("run")
    assert done.returncode == 1
    location = f"sftp://127.0.0.1:{server.port}/reports/index.html"
    assert f"failed: delivery/report: REPORT: {location} can't be written (ConnectionRefusedError" in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("failed: ")] == [done.stderr.splitlines()[-1]]
    assert "The report" not in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    assert len(segment.received_ids) == 1
    assert project.query("SELECT status FROM delivery.events") == [("delivered",)]

    with sftp_server(pages, server.port):
        assert f"The report: {location}\n" in project.run()
    assert "Every number reconciles" in (pages / "reports" / "index.html").read_text("utf-8")
    assert len(segment.requests) == 1
    project.settings["REPORT"] = str(project.folder / "other")
    done = project.command("run", "--select", "delivery/report")
    assert done.returncode == 0, done.stderr
    assert (project.folder / "other" / "index.html").exists()
