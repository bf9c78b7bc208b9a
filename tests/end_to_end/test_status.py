"""What `status` prints, and what a run reports of the same rows."""

import re

from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS, log


def test_what_is_odd_is_a_warning_and_status_shows_each_date_and_event_in_numbers(project: Project) -> None:
    rows = [
        "ann,m1,c1,SENT,,2024-06-10T07:00:00Z",
        "ann,m1,c1,VIEW,,2024-06-10T08:00:00Z",
        "bob,m1,c1,VIEW,,2024-06-10T08:00:00Z",
        "bob,m1,c1,FWD,,2024-06-10T08:00:00Z",
        "bob,m1,c1,VIEW,,tomorrow",
        "bob,m1",
    ]
    project.with_files({"log_20240611.csv": log(rows)}, LAYOUTS)
    done = project.command("run")
    assert done.returncode == 0, done.stderr
    unknown = "1 event code is not listed in its layout: 'FWD' in log_20240611.csv"
    assert f"warning: every_event_code_is_known: {unknown}" in done.stderr
    assert len(project.ids()) == 3
    lines = [line.split() for line in project.command("status").stdout.splitlines()]
    assert lines == [
        ["export", "date", "event", "loaded", "rejected", "modelled", "delivered", "waiting", "dead", "held"],
        ["2024-06-11", "email_delivered", "1", "0", "1", "0", "1", "0", "0"],
        ["2024-06-11", "email_opened", "2", "1", "2", "0", "2", "0", "0"],
        ["2024-06-11", "(no", "event)", "0", "2", "0", "0", "0", "0", "0"],
        ["all", "3", "3", "3", "0", "3", "0", "0"],
    ]


def test_problems_are_listed_with_their_reasons(project: Project) -> None:
    row = "ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"
    late = [row, "bob,m1,c1,VIEW,,tomorrow", "eve,m1,c1,VIEW,,yesterday", "bob,m1"]
    files = {
        "log_20240611.csv": log(late),
        "log_20240612.csv": log([row.replace("ann", "zoe")]),
        "log_20240613.csv": log([row.replace("ann", "zoe")]),  # the same again
        "log_20240614.csv": "another,header\n1,2\n",
        "notes of ann@example.com.csv": "a,b\n",
    }
    project.with_files(files, LAYOUTS)
    assert project.command("run", "--no-delivery").returncode == 0
    done = project.command("status", "--problems", COLUMNS="300")
    assert done.returncode == 0, done.stderr
    lines = [re.split(r" {2,}", line.strip()) for line in done.stdout.splitlines()]
    assert [line[:2] for line in lines[:-1]] == [
        ["unmatched", "notes of a***@example.com.csv"],
        ["refused", "log_20240614.csv"],
        ["duplicate", "log_20240613.csv"],
        ["rejected", "log_20240611.csv"],
        ["withheld", "2024-06-11 to 2024-06-14"],
        ["last run", lines[-2][1]],
    ]
    words = {line[0]: line[-1] for line in lines}
    assert words["duplicate"] == "is identical to log_20240612.csv"
    assert words["rejected"] == (
        "3 of 4 rows: the date-time '…' in column WHEN cannot be read as ISO 8601, like 2024-06-11T09:15:10 (2); "
        "the row has fewer columns than the header (1)"
    )
    assert "--release" in words["withheld"]
    assert words["last run"].endswith("UTC: success")
    assert words["Dagster"] == (
        "switched off: new_exports, selligent_to_segment_daily, warehouse_upkeep_weekly, failed_runs, warned_runs"
    )
    rejected = project.command("sql", "--format", "csv", "FROM raw.rejected_rows").stdout.splitlines()
    assert len(rejected) == 1 + 3


def test_status_before_any_run_says_what_to_do(project: Project) -> None:
    done = project.with_files({}, LAYOUTS).command("status")
    assert done.returncode == 1
    assert done.stderr == "There is no warehouse yet; `make run` creates it.\n"
