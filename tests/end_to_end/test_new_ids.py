"""A change after the delivery that gives events other ids: nothing is sent twice until it is released."""

import pytest

from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Ledger
from pipeline.segment.checks import due_is_settled
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import ANN, BOB, EVE, LAYOUT, ZOE, log
from tests.fakes.segment_server import SegmentServer

# A day's opens, and a click.
CLICK = "ann,m1,c1,CLICK,l1,2024-06-10T08:09:00"
ROWS = [*(row.removesuffix("Z") for row in (ANN, BOB, EVE, ZOE)), CLICK]
LOCAL = {"log.yml": LAYOUT}
ELSEWHERE = {"log.yml": LAYOUT.replace("timezone: UTC", "timezone: Europe/Brussels")}
RELEASE = ("replay", "--held", "--reason", "new ids", "--date", "2024-06-11")
STATUSES = "SELECT status, count(*) FROM delivery.events GROUP BY ALL ORDER BY ALL"
HELD = "5 new events of 2024-06-11 (new ids: 5 delivered events of this date are no longer in the tables, since layout"


@pytest.fixture
def delivered(delivering: Project) -> Project:
    """A project whose export of five events was delivered."""
    delivering.with_files({"log_20240611.csv": log(ROWS)}, LOCAL).run()
    return delivering


def balance_holds(project: Project) -> None:
    with project.warehouse.reading() as connection:
        balance = due_is_settled(connection, Ledger(project.environment["LEDGER"]), EVERY_DATE)
    assert balance.holds, balance


def test_a_changed_time_zone_sends_nothing_until_it_is_restored_or_released(
    delivered: Project, segment: SegmentServer
) -> None:
    project, before = delivered, set(segment.received_ids)
    assert len(before) == 5
    project.with_files({}, ELSEWHERE)
    done = project.command("run")
    assert done.returncode == 0, done.stderr
    assert f"warning: delivered_events_keep_their_ids: Held instead of sent: {HELD} log changed)" in done.stderr
    assert 'replay --held --reason "new ids" --date 2024-06-11` releases them' in done.stderr
    assert "events of machines" not in done.stdout
    assert "no_delivered_event_is_withdrawn" not in done.stderr, "nothing has to be deleted in Segment"
    assert project.query(STATUSES) == [("delivered", 5), ("held", 5)]
    assert "corrected export" not in project.command("status").stderr
    problems = " ".join(project.command("status", "--problems").stdout.split())
    assert "held 4 new email_opened events of 2024-06-11 new ids: 5 delivered events" in problems
    assert "withdrawn" not in problems
    assert '<td class="text">new ids: 5 delivered events' in (project.data / "report/index.html").read_text()
    for _ in range(2):  # neither a further run nor a release of other events sends them
        project.run("--from", "2024-06-11", "--to", "2024-06-11")
        other = project.command("replay", "--held")
        assert "No held event matches." in other.stdout
        assert HELD in " ".join(other.stdout.split())
    # Nor is a further event of the date sent while it is not decided which ids are right.
    project.with_files({"log_20240611_0900.csv": log(["kim,m1,c1,VIEW,,2024-06-10T09:00:00"])}, {})
    project.run()
    assert segment.received_ids == before
    assert project.query(STATUSES) == [("delivered", 5), ("held", 6)]
    balance_holds(project)

    # Restored: what was delivered is not sent again, and the further event is new.
    project.with_files({}, LOCAL).run()
    assert segment.received_ids >= before
    assert len(segment.received_ids) == 6
    assert project.query(STATUSES) == [("dead", 6), ("delivered", 6)]
    assert "new ids" not in project.command("status", "--problems").stdout
    balance_holds(project)


def test_after_the_release_all_are_sent_and_a_later_file_of_the_date_is_sent_at_once(
    delivered: Project, segment: SegmentServer
) -> None:
    project, before = delivered, set(segment.received_ids)
    for layouts in (ELSEWHERE, LOCAL, ELSEWHERE):  # events that come back are held again
        project.with_files({}, layouts).run()
        assert segment.received_ids == before
    released = project.command(*RELEASE)
    assert "5 held events released" in released.stdout, released.stderr
    assert "No held event matches." in project.command(*RELEASE).stdout
    project.run()
    assert len(segment.received_ids) == 10
    assert not segment.duplicates
    project.with_files({"log_20240611_0900.csv": log(["kim,m1,c1,VIEW,,2024-06-10T09:00:00"])}, {})
    assert project.command("run").stderr.count("delivered_events_keep_their_ids") == 0
    assert len(segment.received_ids) == 11
    balance_holds(project)

    # A second change is a change like the first.
    project.with_files({}, {"log.yml": LAYOUT.replace("timezone: UTC", "timezone: Asia/Tokyo")}).run()
    assert len(segment.received_ids) == 11
    assert project.query("SELECT count(*) FROM delivery.events WHERE status = 'held'") == [(6,)]


def test_another_column_as_the_person_is_held_and_a_correction_of_two_events_is_sent(
    delivered: Project, segment: SegmentServer
) -> None:
    project = delivered
    corrected = [row.replace("bob,", "rob,").replace("eve,", "eva,") for row in ROWS]
    project.with_files({"log_20240611.csv": log([*corrected, "kim,m1,c1,VIEW,,2024-06-10T09:00:00"])}, {})
    assert "delivered_events_keep_their_ids" not in project.command("run").stderr
    assert len(segment.received_ids) == 8

    project.with_files({}, {"log.yml": LAYOUT.replace("MAIL: email_id", "MAIL: send_id")})
    assert "Held instead of sent: 6 new events of 2024-06-11" in project.command("run").stderr
    assert len(segment.received_ids) == 8


def test_what_a_killed_run_has_held_stays_held(delivered: Project, segment: SegmentServer) -> None:
    project, before = delivered, set(segment.received_ids)
    project.with_files({}, ELSEWHERE)
    assert project.killed("pipeline.segment.enqueue:cut", "run").returncode == 9
    project.run()
    assert segment.received_ids == before
    assert project.query(STATUSES) == [("delivered", 5), ("held", 5)]
    assert project.killed("pipeline.segment.new_ids:accept_released", *RELEASE).returncode == 9
    assert "5 held events released" in project.command(*RELEASE).stdout
    project.run()
    assert len(segment.received_ids) == 10
    balance_holds(project)
