"""From export files to delivered events, with the examples that the project ships."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import dagster as dg
import duckdb

from tests.end_to_end.project import SCHEMA, TABLES, Project, copied_to
from tests.end_to_end.stores import IN_DUCKDB
from tests.end_to_end.tiny_exports import ANN, BOB, LAYOUTS, log
from tests.fakes.segment_server import SegmentServer

# Counted by hand from what `examples/make_exports.py` says of its files.
EVENTS = {
    "email_delivered": 2372,
    "email_opened": 1255,
    "email_link_clicked": 582,
    "email_marked_as_spam": 7,
    "email_bounced": 93,
    "email_unsubscribed": 17,
}


def test_every_event_of_the_examples_is_delivered_once_and_a_second_run_does_nothing(
    first_run_of_examples: tuple[Project, str], examples_server: SegmentServer, place: Path, tmp_path: Path
) -> None:
    examples, output = first_run_of_examples
    assert f"The report: {place}/data/report/index.html\n" in output
    page = examples.data / "report" / "index.html"
    html = page.read_text("utf-8")
    assert "Every number reconciles" in html
    assert ">4,326</a> of <a" in html  # delivered of due
    assert "test-key" not in html

    assert {table: len(examples.ids(table)) for table in TABLES} == EVENTS
    assert examples_server.received_ids == examples.ids("tracks")
    assert len(examples_server.received_ids) == 4326
    assert not examples_server.dropped
    assert not examples_server.duplicates
    assert examples.query("SELECT status, count(*) FROM delivery.events GROUP BY ALL") == [("delivered", 4326)]

    # In a copy, since other tests look at the examples, too.
    with copied_to(place, examples.folder, tmp_path / "project") as project:
        delivering = project.delivering_to(examples_server.url)
        requests, snapshot = len(examples_server.requests), delivering.snapshot()
        assert "There is nothing new" in delivering.run()
        assert len(examples_server.requests) == requests
        assert delivering.snapshot() == snapshot

        # Asked for by date, everything is done again and nothing comes of it.
        before = delivering.query(f"SELECT * FROM {SCHEMA}.tracks ORDER BY id")
        delivering.run("--from", "2024-06-11", "--to", "2024-06-13")
        assert len(examples_server.requests) == requests
        assert delivering.query(f"SELECT * FROM {SCHEMA}.tracks ORDER BY id") == before


def test_each_step_shows_how_long_it_waited_for_its_lock_and_held_it(examples: Project) -> None:
    shown: dict[bool, set[str]] = {True: set(), False: set()}
    with dg.DagsterInstance.from_config(str(examples.data / "dagster")) as instance:
        for key in instance.all_asset_keys():
            event = instance.get_latest_materialization_event(key)
            assert event is not None
            assert event.asset_materialization is not None
            names = {"seconds_waiting_for_lock", "seconds_holding_lock"}
            shown[names <= event.asset_materialization.metadata.keys()].add(key.to_user_string())
    assert len(shown[True]) > 15
    assert shown[False] == {"delivery/confirmation"}  # which writes nothing


def test_messages_match_the_tables(examples: Project, examples_server: SegmentServer) -> None:
    messages = examples_server.messages
    rows = examples.query(
        f"SELECT id, user_id, anonymous_id, event_text, strftime(timestamp, '%Y-%m-%dT%H:%M:%S.%fZ'), email_subject, "
        f"link_name, context_traits_email, context_selligent_is_bot FROM {SCHEMA}.email_link_clicked"
    )
    assert len(rows) == EVENTS["email_link_clicked"]
    for key, user, anonymous, name, moment, subject, link, email, bot in rows:
        message = messages[str(key)]
        assert message.get("userId") == user
        assert message.get("anonymousId") == anonymous
        assert message["event"] == name
        assert message["timestamp"] == moment
        assert message["properties"].get("email_subject") == subject
        assert message["properties"].get("link_name") == link
        assert message["context"]["traits"].get("email") == email
        assert message["context"]["selligent"].get("is_bot") == bot


def test_without_a_write_key_the_requests_are_written_out_and_sent_when_there_is_one(
    project: Project, segment: SegmentServer
) -> None:
    project.with_examples()
    output = project.run()

    assert "Dry run" in output
    assert "Dry run" in (project.data / "report" / "index.html").read_text("utf-8")
    bodies = [json.loads(path.read_bytes()) for path in (project.data / "dry_run").rglob("*.json")]
    written = Counter(message["messageId"] for body in bodies for message in body["batch"])
    assert set(written) == project.ids("tracks")
    assert max(written.values()) == 1
    assert project.query("SELECT DISTINCT status FROM delivery.events") == [("waiting",)]
    assert "There is nothing new" in project.run()

    project.run(SEGMENT_ENDPOINT=segment.url, SEGMENT_WRITE_KEY="test-key")
    assert segment.received_ids == project.ids("tracks")
    assert not segment.duplicates
    assert not segment.dropped


# An analyst whose dashboard opens the file twenty times a second, and whose stdin ends the work.
DASHBOARD = """
import select, sys
import duckdb
answers = 0
while not select.select([sys.stdin], [], [], 0.05)[0]:
    try:
        with duckdb.connect(sys.argv[1], read_only=True) as connection:
            connection.sql("SELECT count(*) FROM raw.events").fetchall()
            answers += 1
    except duckdb.IOException:
        pass
print(answers)
"""


def test_a_run_and_the_readers_of_a_plain_duckdb_file_do_not_disturb_each_other(project: Project) -> None:
    project.store = IN_DUCKDB
    file, copy = project.folder / "warehouse.duckdb", project.folder / "warehouse.readable.duckdb"
    project.with_files({"log_20240611.csv": log([ANN])}, LAYOUTS).run()
    count = f"SELECT count(*) FROM {SCHEMA}.email_opened"
    command = [sys.executable, "-c", DASHBOARD, str(file)]
    dashboard = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with duckdb.connect(str(copy), read_only=True) as notebook:
        assert notebook.execute(count).fetchall() == [(1,)]
        project.with_files({"log_20240612.csv": log([BOB])}, LAYOUTS).run()
        assert notebook.execute(count).fetchall() == [(1,)]
    answers, _ = dashboard.communicate("")
    assert int(answers) > 0
    with duckdb.connect(str(copy), read_only=True) as notebook:
        assert notebook.execute(count).fetchall() == [(2,)]
    assert (copy.stat().st_mtime_ns, copy.stat().st_mode & 0o777) == (file.stat().st_mtime_ns, 0o600)
