"""One bad week of an operator, in one new copy of the project, with the commands as they are typed there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.copying import Copy, copy_of_the_project
from tests.end_to_end.tiny_exports import ANN, BOB, CAMPAIGNS, EVE, LAYOUT, ZOE, log
from tests.fakes.segment_faults import Answer
from tests.fakes.segment_server import SegmentServer

KEY = "test-key"
PIPELINE = ".venv/bin/python -m pipeline"
REJECTED = '{"success": false, "message": "a message was rejected"}'
HUGE = ANN.replace("ann", "u" * 3000)


class Week:
    """A new copy of the project: its `.env`, its exports, and what its commands print."""

    def __init__(self, copied: Copy) -> None:
        self.copied = copied

    @property
    def folder(self) -> Path:
        return self.copied.folder

    def deliver_to(self, url: str, key: str = KEY) -> None:
        lines = {
            "SEGMENT_WRITE_KEY": key,
            "SEGMENT_ENDPOINT": url,
            "SELLIGENT_EXPORTS": "exports/",
            "SELLIGENT_LAYOUTS": "layouts/",
        }
        (self.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in lines.items()), "utf-8")

    def put(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")

    def does(self, command: str, status: int = 0) -> str:
        """What a command prints that ends with this status."""
        done = subprocess.run(
            ["bash", "-uc", command],
            cwd=self.folder,
            env=self.copied.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{command}\n{done.stdout}{done.stderr}"
        return " ".join((done.stdout + done.stderr).split())

    def ids(self) -> set[str]:
        rows = self.copied.sh(f"{PIPELINE} sql --format csv 'SELECT id FROM selligent_marketing_cloud.tracks'").stdout
        return set(rows.split()[1:])


@pytest.fixture
def week(tmp_path: Path) -> Week:
    week = Week(copy_of_the_project(tmp_path / "project"))
    week.put("layouts/log.yml", LAYOUT)
    week.put("exports/log_20240611.csv", log([ANN, BOB]))
    return week


def test_each_bad_day_ends_with_every_event_where_it_belongs(week: Week, segment: SegmentServer) -> None:
    a_wrong_key_is_found_before_anything_is_sent(week)
    with SegmentServer() as wrong:
        events_go_to_a_wrong_source(week, wrong)
    they_are_sent_again_to_the_right_one(week, segment)
    a_delivery_fails_and_leaves_its_report(week, segment)
    most_rows_of_a_file_are_rejected_and_a_file_comes_twice(week, segment)
    a_broken_layout_stops_no_other(week, segment)
    a_run_is_cut_off_and_its_date_requested_again(week, segment)
    a_dead_event_is_listed_in_a_few_words(week, segment)
    the_folder_is_moved(week, segment)


def a_wrong_key_is_found_before_anything_is_sent(week: Week) -> None:
    """A.2 and A.8: `check` and `run` refuse it alike, and neither makes a warehouse."""
    for key, reason in (("short", "SEGMENT_WRITE_KEY"), ('"kk kk kk kk"', "SEGMENT_WRITE_KEY")):
        week.deliver_to("http://127.0.0.1:9", key)
        assert reason in week.does(f"{PIPELINE} check", 1)
        assert reason in week.does("make run", 2)
    assert not (week.folder / "data" / "warehouse.sqlite").exists()


def events_go_to_a_wrong_source(week: Week, wrong: SegmentServer) -> None:
    week.deliver_to(wrong.url)
    assert "exports" in week.does(f"{PIPELINE} check")
    week.does("make run")
    assert wrong.received_ids == week.ids()


def they_are_sent_again_to_the_right_one(week: Week, segment: SegmentServer) -> None:
    """A.1: under the same ids."""
    week.deliver_to(segment.url)
    assert "2 delivered events of export dates 2024-06-11" in week.does(f"{PIPELINE} replay --delivered")
    week.does("make run")
    assert segment.received_ids == week.ids()
    assert not segment.duplicates


def a_delivery_fails_and_leaves_its_report(week: Week, segment: SegmentServer) -> None:
    """A.3: the page of this run says what waits, and why."""
    week.put("exports/log_20240612.csv", log([EVE, ZOE]))
    segment.misbehave_when(lambda *_: True, Answer(401, body="no such key"))
    assert "no such key" in week.does(f"{PIPELINE} run", 1)
    assert "no such key" in (week.folder / "data" / "report" / "index.html").read_text("utf-8")
    assert "waiting 2 events" in week.does(f"{PIPELINE} status --problems")
    segment.behave()
    week.does("make run")
    assert segment.received_ids == week.ids()


def most_rows_of_a_file_are_rejected_and_a_file_comes_twice(week: Week, segment: SegmentServer) -> None:
    """A.4: warnings of the run, and of `status` for as long as they hold."""
    rows = [f"u{number},m1,c1,VIEW,,tomorrow" for number in range(83)]
    week.put("exports/log_20240613.csv", log([*rows, *(ANN.replace("ann", f"v{number}") for number in range(7))]))
    week.put("exports/log_20240611_again.csv", log([ANN, BOB]))
    printed = week.does("make run")
    for check in ("few_rows_are_rejected", "no_file_came_twice"):
        assert f"warning: {check}: 1 file" in printed
    assert "83 of 90 rows" in week.does(f"{PIPELINE} status")
    assert segment.received_ids == week.ids()
    assert len(week.ids()) == 2 + 2 + 7


def a_broken_layout_stops_no_other(week: Week, segment: SegmentServer) -> None:
    """A.5."""
    week.put("layouts/campaigns.yml", CAMPAIGNS.replace("kind: campaigns", "kind: campaign"))
    week.put("exports/campaigns_20240614.csv", "ID,NAME\nc1,Soldes\n")
    week.put("exports/log_20240614.csv", log([BOB.replace("bob", "kim")]))
    assert "campaigns.yml: kind: 'campaign' is not " in week.does(f"{PIPELINE} run", 2)
    assert segment.received_ids == week.ids()
    week.put("layouts/campaigns.yml", CAMPAIGNS)
    week.does("make run")
    names = "SELECT DISTINCT campaign_name FROM selligent_marketing_cloud.email_opened"
    assert "Soldes" in week.does(f'{PIPELINE} sql --format csv "{names}"')


def a_run_is_cut_off_and_its_date_requested_again(week: Week, segment: SegmentServer) -> None:
    """A.6: killed once its file is loaded; the sensor requests the date that did not go all the way."""
    week.put("exports/log_20240615.csv", log([BOB.replace("bob", "lea")]))
    killed = ".venv/bin/python -m tests.end_to_end.kill_process pipeline.exports.assets:load_in_turns run"
    shutil.copytree(Path(__file__).parents[1], week.folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    week.does(killed, 9)
    preview = "DAGSTER_HOME=$PWD/data/dagster .venv/bin/dagster sensor preview new_exports -w workspace.yaml"
    assert "Sensor returning run requests for 1 run(s)" in week.does(preview)
    week.does("make run")
    assert segment.received_ids == week.ids()


def a_dead_event_is_listed_in_a_few_words(week: Week, segment: SegmentServer) -> None:
    """A.7: Segment refuses an event of many kilobytes; the lists show its reason and not the event."""
    week.put("exports/log_20240616.csv", log([HUGE, BOB.replace("bob", "max")]))
    segment.misbehave_when(
        lambda _, messages: any(len(one["userId"]) > 1000 for one in messages), Answer(400, body=REJECTED)
    )
    assert "warning: no_event_is_dead: 1 event dead: Segment answered 400" in week.does("make run")
    segment.behave()
    listed, replayed = week.does(f"{PIPELINE} status --problems"), week.does(f"{PIPELINE} replay")
    assert "Segment answered 400" in listed
    assert re.search(r"duplicate log_20240611_again\.csv .* rejected log_20240613\.csv .* dead ", listed)
    assert "1 dead event set back to waiting" in replayed
    assert "u" * 201 not in listed + replayed
    week.does("make run")
    assert segment.received_ids == week.ids()
    assert not segment.duplicates


def the_folder_is_moved(week: Week, segment: SegmentServer) -> None:
    """A.8: `make` refuses the environment of another folder; with its own, nothing is sent twice."""
    (week.folder / ".venv" / ".ready").write_text(f"{week.folder}\n", "utf-8")
    moved = week.folder.rename(week.folder.with_name("moved"))
    week.copied = Copy(moved)
    assert "rm -r .venv; make run" in week.does("make run", 2)
    (moved / ".venv" / ".ready").write_text(f"{moved}\n", "utf-8")
    assert "There is nothing new." in week.does("make run")
    assert not segment.duplicates
