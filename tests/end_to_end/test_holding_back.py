"""What an operator does with history and with dead events, by the commands."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.project import Prepare, Project, copied_to
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.fakes import segment_faults as faults
from tests.fakes.segment_server import SegmentServer


@pytest.fixture(scope="module")
def has_history(prepare: Prepare) -> Path:
    """A project with two dates that were loaded without delivery; to be copied."""

    def load(project: Project) -> None:
        exports = {
            "log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"]),
            "log_20240613.csv": log(["bob,m1,c1,VIEW,,2024-06-12T08:00:00Z"]),
        }
        output = project.with_files(exports, LAYOUTS).delivering_to("http://127.0.0.1:9").run("--no-delivery")
        assert "Withheld until released with --release: 2024-06-11, 2024-06-13" in output

    return prepare(load)


@pytest.fixture
def withheld(has_history: Path, segment: SegmentServer, place: Path, tmp_path: Path) -> Iterator[Project]:
    with copied_to(place, has_history, tmp_path / "project") as project:
        yield project.delivering_to(segment.url)


def test_history_is_loaded_without_delivery_and_delivered_when_it_is_released(
    withheld: Project, segment: SegmentServer
) -> None:
    delivering = withheld
    delivering.settings["SEGMENT_INTEGRATIONS"] = "Amplitude"
    assert len(delivering.ids()) == 2
    assert delivering.query("SELECT count(*) FROM delivery.events") == [(0,)]
    assert "There is nothing new." in delivering.run()
    delivering.run("--from", "2024-06-11", "--to", "2024-06-13")
    assert segment.requests == []

    delivering.run("--release", "--from", "2024-06-11", "--to", "2024-06-11")
    assert len(segment.received_ids) == 1
    delivering.run("--release")
    assert segment.received_ids == delivering.ids()
    assert not segment.duplicates
    assert {str(message["integrations"]) for message in segment.messages.values()} == {
        "{'All': False, 'Amplitude': True}"
    }


def test_every_date_of_a_range_is_withheld_also_for_files_that_come_later(
    delivering: Project, segment: SegmentServer
) -> None:
    delivering.with_files({"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}, LAYOUTS)
    output = delivering.run("--no-delivery", "--from", "2024-06-10", "--to", "2024-06-13")
    assert "Withheld until released with --release: 2024-06-10 to 2024-06-13" in output
    delivering.with_files({"log_20240613.csv": log(["bob,m1,c1,VIEW,,2024-06-12T08:00:00Z"])}, {})
    delivering.run()
    assert len(delivering.ids()) == 2
    assert segment.requests == []


def test_without_a_range_whatever_is_not_delivered_yet_is_withheld(delivering: Project, segment: SegmentServer) -> None:
    """Events that a dry run left waiting, whose file was moved away since, and a file that lacks its ready marker."""
    delivering.with_files(
        {"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])},
        {"log.yml": f"{LAYOUTS['log.yml']}ready_marker: .ready\n"},
    )
    (delivering.exports / "log_20240611.ready").touch()
    delivering.run(SEGMENT_WRITE_KEY="")
    (delivering.exports / "log_20240611.csv").unlink()
    delivering.with_files({"log_20240613.csv": log(["bob,m1,c1,VIEW,,2024-06-12T08:00:00Z"])}, {})

    output = delivering.run("--no-delivery")
    assert "There is nothing new." in output
    assert "Withheld until released with --release: 2024-06-11, 2024-06-13" in output
    assert len(delivering.query("SELECT export_date FROM delivery.withheld_dates")) == 2
    (delivering.exports / "log_20240613.ready").touch()
    delivering.run()
    assert len(delivering.ids()) == 2
    assert segment.requests == []


def test_a_release_that_is_killed_after_its_first_span_is_finished_by_the_next_run(
    withheld: Project, segment: SegmentServer
) -> None:
    """History of years is some hundred spans, and hours: a machine is started anew meanwhile."""
    delivering = withheld
    assert delivering.killed("pipeline.commands.main_job:_run_job", "run", "--release").returncode == 9
    assert len(segment.received_ids) == 1
    delivering.run()
    assert segment.received_ids == delivering.ids()
    assert not segment.duplicates
    assert "There is nothing new." in delivering.run()


def test_what_single_assets_left_behind_is_done_by_the_next_run(delivering: Project, segment: SegmentServer) -> None:
    delivering.with_files({"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}, LAYOUTS)
    delivering.run()
    delivering.with_files({"log_20240612.csv": log(["bob,m1,c1,VIEW,,2024-06-11T08:00:00Z"])}, {})
    for asset in ("raw/events", "delivery/outbox", "delivery/report"):
        assert delivering.materialize(asset, "2024-06-12")
    assert len(segment.received_ids) == 1
    assert "There is nothing new." not in delivering.run()
    assert len(segment.received_ids) == 2
    assert segment.received_ids == delivering.ids()
    assert "There is nothing new." in delivering.run()


def test_both_at_once_are_refused(project: Project) -> None:
    done = project.command("run", "--no-delivery", "--release")
    assert (done.returncode, done.stderr) == (2, "--no-delivery and --release contradict each other\n")


def test_a_dead_event_is_put_back_by_a_command_and_sent_by_the_next_run(
    delivering: Project, segment: SegmentServer
) -> None:
    delivering.with_files(
        {"log_20240611.csv": log([f"u{n},m1,c1,VIEW,,2024-06-10T08:00:0{n}Z" for n in range(5)])}, LAYOUTS
    )
    segment.misbehave_when(
        lambda _number, messages: any(message.get("userId") == "u3" for message in messages),
        faults.Answer(400, body='{"success": false, "message": "Schema violation"}'),
    )
    done = delivering.command("run")
    assert done.returncode == 0, done.stderr
    words = 'Segment answered 400: {"success": false, "message": "Schema violation"}'
    assert f"1 event dead: {words}" in done.stdout
    assert f"Segment rejected 1 Email Opened event; it is now dead. Reason: {words}" in done.stderr
    assert len(segment.received_ids) == 4
    segment.behave()

    wrong = delivering.command("replay", "--event", "email_opend")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("--event: 'email_opend' is not one of email_delivered, ")
    none = delivering.command("replay", "--reason", "something else")
    assert "No dead event matches" in none.stdout
    done = delivering.command("replay", "--event", "Email Opened", "--reason", "Schema", "--date", "2024-06-11")
    assert done.returncode == 0, done.stderr
    assert "1 dead event set back to waiting" in done.stdout
    assert "Schema violation" in done.stdout
    assert "u3" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) < 600
    assert delivering.query("SELECT status, count(*) FROM delivery.events GROUP BY ALL ORDER BY ALL") == [
        ("delivered", 4),
        ("waiting", 1),
    ]
    delivering.run()
    assert segment.received_ids == delivering.ids()
    assert not segment.duplicates
