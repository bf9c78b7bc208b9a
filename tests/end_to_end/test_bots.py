"""SEGMENT_BOTS=hold by the commands: what machines did is in the tables, and leaves when it is released."""

import json

from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Ledger
from pipeline.segment.checks import due_is_settled
from tests.end_to_end.project import Project
from tests.fakes.segment_server import SegmentServer

LAYOUT = r"""
name: log
files: 'log_(?P<date>\d{8})\.csv'
kind: events
timezone: UTC
event_column: WHAT
event_codes: {VIEW: Email Opened, CLICK: Email Link Clicked}
columns: {WHO: user_id, ADDRESS: email, MAIL: email_id, LINK: link_id, BOT: is_bot, WHEN: timestamp}
"""
HEADER = "WHO,ADDRESS,MAIL,LINK,BOT,WHEN,WHAT\n"
STATUSES = "SELECT event, status, count(*) FROM delivery.events GROUP BY ALL ORDER BY ALL"


def log(day: int) -> str:
    """Opens of Ann, Bob and Eve, and clicks of Ann and Bob; those of Bob and Eve by machines."""
    rows = [
        f"ann,ann@example.org,m1,,Nee,2024-06-{day}T08:00:00Z,VIEW",
        f"bob,bob@example.org,m1,,J,2024-06-{day}T08:00:01Z,VIEW",
        f",eve@example.org,m1,,yes,2024-06-{day}T08:00:02Z,VIEW",
        f"ann,ann@example.org,m1,l1,,2024-06-{day}T08:01:00Z,CLICK",
        f"bob,bob@example.org,m1,l1,true,2024-06-{day}T08:01:01Z,CLICK",
    ]
    return HEADER + "\n".join(rows) + "\n"


def people(segment: SegmentServer) -> set[str]:
    return {str(message.get("userId")) for message in segment.messages.values()}


def balance_holds(project: Project) -> None:
    with project.warehouse.reading() as connection:
        balance = due_is_settled(connection, Ledger(project.environment["LEDGER"]), EVERY_DATE)
    assert balance.holds, balance


def test_events_of_machines_are_modelled_and_held_and_leave_once_when_they_are_released(
    delivering: Project, segment: SegmentServer
) -> None:
    project = delivering.with_files({"log_20240611.csv": log(10), "log_20240612.csv": log(11)}, {"log.yml": LAYOUT})
    project.settings["SEGMENT_BOTS"] = "hold"
    output = project.run()
    assert "6 events of machines are held; `python -m pipeline replay --held` releases them" in output
    assert len(project.ids()) == 10
    assert people(segment) == {"ann"}
    assert len(segment.received_ids) == 4
    assert project.query(STATUSES) == [
        ("email_link_clicked", "delivered", 2),
        ("email_link_clicked", "held", 2),
        ("email_opened", "delivered", 2),
        ("email_opened", "held", 4),
    ]
    status = project.command("status").stdout.splitlines()
    assert status[0].split()[-3:] == ["waiting", "dead", "held"]
    assert status[-1].split() == ["all", "10", "0", "10", "4", "0", "0", "6"]
    assert "of machines; held until released with replay --held" in (project.data / "report/index.html").read_text()
    balance_holds(project)
    assert "There is nothing new." in project.run()

    refused = project.command("replay", "--delivered", "--reason", "answered")
    assert (refused.returncode, refused.stderr) == (
        2,
        "--delivered and --reason contradict each other: delivered events have no reason\n",
    )
    assert "No held event matches." in project.command("replay", "--held", "--reason", "answered").stdout
    assert "No held event matches." in project.command("replay", "--held", "--event", "email_bounced").stdout
    released = project.command("replay", "--held", "--event", "Email Opened", "--date", "2024-06-11")
    assert "2 held events released" in released.stdout, released.stderr
    assert project.query("SELECT count(*) FROM delivery.events WHERE status = 'waiting'") == [(2,)]
    project.run()
    assert len(segment.received_ids) == 6

    # Back to the default: what is held stays so, and what is new is sent at once.
    project.settings["SEGMENT_BOTS"] = "send"
    project.with_files({"log_20240613.csv": log(12)}, {})
    project.run()
    assert len(segment.received_ids) == 11
    assert "4 held events released" in project.command("replay", "--held").stdout
    project.run()
    assert segment.received_ids == project.ids()
    assert not segment.duplicates
    assert project.query("SELECT DISTINCT status FROM delivery.events") == [("delivered",)]
    balance_holds(project)


def test_whenever_a_run_or_a_release_is_killed_the_next_one_completes_it(
    delivering: Project, segment: SegmentServer
) -> None:
    project = delivering.with_files({"log_20240611.csv": log(10)}, {"log.yml": LAYOUT})
    project.settings["SEGMENT_BOTS"] = "hold"
    assert project.killed("pipeline.segment.enqueue:cut", "run").returncode == 9
    done = project.command("replay", "--held", "--event", "email_opened")  # what the outbox has, and the ledger lacks
    assert "2 held events released" in done.stdout, done.stderr
    assert segment.requests == []
    in_the_ledger, before_its_copy = "pipeline.ledger.held_batches:advance", "pipeline.ledger.warehouse_copy:_sync"
    assert project.killed(in_the_ledger, "replay", "--held").returncode == 9
    project.run()
    assert project.query(STATUSES) == [
        ("email_link_clicked", "delivered", 1),
        ("email_link_clicked", "held", 1),
        ("email_opened", "delivered", 3),
    ]
    assert project.killed(before_its_copy, "replay", "--held").returncode == 9
    project.run()
    assert segment.received_ids == project.ids()
    assert not segment.duplicates
    assert project.query("SELECT DISTINCT status FROM delivery.events") == [("delivered",)]
    balance_holds(project)


def test_people_are_forgotten_while_their_events_are_held_and_a_dry_run_shows_none_of_them(project: Project) -> None:
    project.with_files({"log_20240611.csv": log(10), "log_20240612.csv": log(11)}, {"log.yml": LAYOUT})
    project.settings["SEGMENT_BOTS"] = "hold"
    project.run()
    bodies = [json.loads(path.read_bytes()) for path in (project.data / "dry_run").rglob("*.json")]
    assert {message["userId"] for body in bodies for message in body["batch"]} == {"ann"}

    (project.folder / "suppressed.csv").write_text("email\neve@example.org\n", "utf-8")
    project.settings["SELLIGENT_SUPPRESSED"] = str(project.folder / "suppressed.csv")
    project.run()
    assert project.query("SELECT status, count(*) FROM delivery.events GROUP BY ALL ORDER BY ALL") == [
        ("dead", 2),
        ("held", 4),
        ("waiting", 4),
    ]
    balance_holds(project)
    (project.folder / "suppressed.csv").write_text("email,user_id\neve@example.org,bob\n", "utf-8")
    done = project.command("forget")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Nothing was found." in done.stdout
    assert project.query("SELECT status, count(*) FROM delivery.events GROUP BY ALL ORDER BY ALL") == [("waiting", 4)]
    assert project.query("SELECT sum(events) FROM delivery.forgotten_events") == [(6,)]
    balance_holds(project)
    assert "No held event matches." in project.command("replay", "--held").stdout
