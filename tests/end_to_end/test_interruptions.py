"""Killed, refused, looked at: whatever happens to a run, the next one goes on where it stopped."""

import json
import signal
import subprocess
import sys
from collections import Counter

import dagster as dg
import pytest

from pipeline.settings import PROJECT_ROOT
from tests.end_to_end.project import SCHEMA, Project
from tests.end_to_end.tiny_exports import LAYOUTS, log
from tests.fakes.segment_faults import Answer, Message, Slow
from tests.fakes.segment_server import SegmentServer


def test_a_run_that_is_killed_in_the_middle_of_a_delivery_loses_nothing(
    delivering: Project, segment: SegmentServer
) -> None:
    """Two connections, slow answers, and a kill after the fourth request: at most two batches were in flight."""
    delivering.with_examples()
    delivering.settings["SEGMENT_CONNECTIONS"] = "2"
    in_flight: set[str] = set()

    def from_the_fourth_on(number: int, messages: list[Message]) -> bool:
        if number >= 4:
            in_flight.update(message["messageId"] for message in messages)
        return number >= 4

    segment.misbehave_when(from_the_fourth_on, Slow(60))
    process = delivering.start("run")
    segment.wait_for_requests(5, timeout=300)
    process.send_signal(signal.SIGKILL)
    process.wait()
    segment.behave()

    delivering.run()
    assert segment.received_ids == delivering.ids("tracks")
    assert not segment.dropped
    assert segment.duplicates
    assert set(segment.duplicates) <= in_flight
    assert len(in_flight) < len(segment.received_ids) / 2
    assert delivering.query("SELECT DISTINCT status FROM delivery.events") == [("delivered",)]


def test_one_delivery_that_failed_is_finished_alone(delivering: Project, segment: SegmentServer) -> None:
    delivering.with_files(
        {
            "log_20240611.csv": log(
                [f"u{n},m1,c1,{what},,2024-06-10T08:00:0{n}Z" for n in range(5) for what in ("SENT", "VIEW")]
            )
        },
        LAYOUTS,
    )
    segment.misbehave_when(
        lambda _number, messages: any(message["event"] == "Email Opened" for message in messages),
        Answer(401, body="no such key"),
    )
    done = delivering.command("run")
    assert done.returncode == 1
    assert "Check SEGMENT_WRITE_KEY" in done.stderr
    assert segment.received_ids == delivering.ids("email_delivered")
    statuses = "SELECT DISTINCT event, status FROM delivery.events ORDER BY ALL"
    assert delivering.query(statuses) == [("email_delivered", "delivered"), ("email_opened", "waiting")]

    segment.behave()
    assert delivering.materialize("delivery/email_opened", "2024-06-11")
    assert segment.received_ids == delivering.ids("tracks")
    assert delivering.query(statuses) == [("email_delivered", "delivered"), ("email_opened", "delivered")]
    assert not segment.duplicates


_KILLED = """
from tests.end_to_end.kill_process import dies_after
from tests.end_to_end.materialize import main

dies_after("pipeline.exports.assets:load_in_turns")
main("raw/events", "2024-06-11", "2024-06-11", "{}")
"""


def test_a_run_of_the_service_that_was_killed_holds_nothing(project: Project) -> None:
    """No slot of a pool, that is, for which every later run would wait."""
    project.with_files({"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}, LAYOUTS)
    killed = [sys.executable, "-c", _KILLED]
    assert subprocess.run(killed, env=project.environment, cwd=PROJECT_ROOT, check=False).returncode == 9
    project.run()
    assert len(project.ids()) == 1
    with dg.DagsterInstance.from_config(str(project.data / "dagster")) as instance:
        statuses = [record.dagster_run.status for record in instance.get_run_records()]
        assert statuses == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
        assert instance.event_log_storage.get_concurrency_info("warehouse_writers").active_slot_count == 0


def test_loading_alone_again_changes_nothing_downstream(once: Project) -> None:
    tables = ("staging.event_rows", "staging.events", f"{SCHEMA}.email_opened", f"{SCHEMA}.tracks", "delivery.outbox")
    before = {table: once.query(f"SELECT * FROM {table}") for table in tables}
    reload = json.dumps({"ops": {"raw": {"config": {"reload": True}}}})
    loaded_at = once.query("SELECT loaded_at FROM raw.events")

    assert once.materialize("raw/events", "2024-06-11", config=reload)
    assert once.query("SELECT loaded_at FROM raw.events") > loaded_at
    assert {table: once.query(f"SELECT * FROM {table}") for table in tables} == before


_ANALYST = """
import sys
from pipeline import connect
with connect() as connection:
    connection.execute("BEGIN")
    count = "SELECT count(*) FROM tracks"
    seen = connection.execute(count).fetchone()
    print("open", flush=True)
    for line in sys.stdin:
        assert connection.execute(count).fetchone() == seen
        print(seen[0], flush=True)
"""


def test_an_open_transaction_of_an_analyst_neither_fails_a_run_nor_sees_half_of_it(once: Project) -> None:
    analyst = subprocess.Popen(
        [sys.executable, "-c", _ANALYST],
        cwd=PROJECT_ROOT,
        env=once.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert analyst.stdin is not None
    assert analyst.stdout is not None
    assert analyst.stdout.readline() == "open\n"

    (once.exports / "log_20240612.csv").write_text(log(["kim,m1,c1,VIEW,,2024-06-11T08:00:00Z"]), "utf-8")
    once.run()
    analyst.stdin.write("again\n")
    analyst.stdin.close()
    assert analyst.stdout.read() == "4\n"
    assert analyst.wait() == 0
    answer = once.command("sql", "SELECT count(*) AS n FROM tracks")
    assert answer.returncode == 0
    assert "5" in answer.stdout


_BUSY_ANALYST = """
import json
import sys
import threading
from pipeline import connect
from tests.end_to_end.project import TABLES
stopped, seen = threading.Event(), []
threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
counts = "SELECT " + ", ".join(f"(SELECT count(*) FROM {table})" for table in (*TABLES, "tracks"))
looks = 0
with connect() as connection:
    print("open", flush=True)
    while not stopped.is_set():
        connection.execute("BEGIN")
        found = connection.execute(counts).fetchone()
        assert connection.execute(counts).fetchone() == found
        assert connection.execute("SELECT count(DISTINCT id) FROM tracks").fetchone() == found[-1:]
        connection.execute("COMMIT")
        connection.execute("SELECT status, count(*) FROM delivery.events GROUP BY ALL").fetchall()
        looks += 1
        stopped.wait(0.2)  # three that never rest would be slower than a run is
        if found not in seen:
            seen.append(found)
print(json.dumps({"looks": looks, "seen": seen}))
"""


@pytest.mark.stores("sqlite", "servers")  # connections to the copy of a plain file don't see later runs
def test_three_analysts_at_work_fail_no_run_and_see_each_table_before_or_after_and_never_between(
    project: Project,
) -> None:
    """Each date brings 40 delivered and 40 opened; every table takes them in one transaction of its own."""

    def export(day: int) -> str:
        moments = [f"2024-06-{day - 1:02}T08:00:{second:02}Z" for second in range(40)]
        return log([f"u{day},m1,c1,{what},,{moment}" for moment in moments for what in ("SENT", "VIEW")])

    project.with_files({"log_20240611.csv": export(11)}, LAYOUTS)
    project.run()
    analysts = [
        subprocess.Popen(
            [sys.executable, "-c", _BUSY_ANALYST],
            cwd=PROJECT_ROOT,
            env=project.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    for analyst in analysts:
        assert analyst.stdout is not None
        assert analyst.stdout.readline() == "open\n"
    # Days with days between them are one run each.
    project.with_files({f"log_202406{day}.csv": export(day) for day in (13, 15)}, {})
    project.run()

    whole = {40 * days for days in (1, 2, 3)}
    for analyst in analysts:
        output, error = analyst.communicate(timeout=60)
        assert analyst.returncode == 0, error
        answer = json.loads(output)
        assert answer["looks"] > 10
        assert len(answer["seen"]) > 2
        for delivered, opened, *others, tracks in answer["seen"]:
            assert {delivered, opened, tracks / 2} <= whole
            assert set(others) == {0}
        assert answer["seen"][-1][-1] == 3 * 80
    assert len(project.ids("tracks")) == 3 * 80


def test_a_file_that_cannot_be_read_is_refused_and_the_others_go_on(project: Project) -> None:
    project.with_files(
        {
            "log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"]),
            "log_20240611_again.csv": "WHO,MAIL\nann,m1\n",
            "notes.txt": "what is this",
        },
        LAYOUTS,
    )
    done = project.command("run")
    assert done.returncode == 0
    reported = done.stderr  # which cron sends by mail
    assert len(project.ids()) == 1
    assert "log_20240611_again.csv: refused: line 1: the header has no column 'WHEN'" in reported
    assert "notes.txt: unmatched: no layout matches its name" in reported
    statuses = Counter(row[0] for row in project.query("SELECT status FROM raw.export_files"))
    assert statuses == {"loaded": 1, "refused": 1, "unmatched": 1}
    assert "There is nothing new" in project.run()


_RUNS = """
import json
import dagster as dg
from pipeline.orchestration.dagster_home import dagster_home
dagster_home()
with dg.DagsterInstance.get() as instance:
    slots = instance.event_log_storage.get_concurrency_info("warehouse_writers")
    print(json.dumps([
        [run.status.value for run in instance.get_runs(ascending=True)],
        slots.active_slot_count + slots.pending_step_count,
    ]))
"""


def test_a_run_that_was_killed_has_failed_and_holds_nothing(project: Project) -> None:
    """It is dead while it holds the warehouse, a slot of its pool, and its date."""
    project.with_files({"log_20240611.csv": log(["ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"])}, LAYOUTS)
    assert project.killed("pipeline.exports.assets:load_in_turns", "run").returncode == 9
    project.run()
    done = subprocess.run(
        [sys.executable, "-c", _RUNS], env=project.environment, cwd=PROJECT_ROOT, capture_output=True, text=True
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [["FAILURE", "SUCCESS"], 0], done.stderr
    assert len(project.ids()) == 1

    project.with_files({"log_20240612.csv": log(["bob,m1,c1,VIEW,,2024-06-11T08:00:00Z"])}, {})
    assert project.killed("pipeline.exports.assets:load_in_turns", "run").returncode == 9
    shown = " ".join(project.command("status", "--problems").stdout.split())
    assert "UTC: failure: The process of this run was killed. The next run completes its work." in shown
