"""What `status` prints, and what a run reports of the same rows."""

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


def test_status_before_any_run_says_what_to_do(project: Project) -> None:
    done = project.with_files({}, LAYOUTS).command("status")
    assert done.returncode == 1
    assert done.stderr == "There is no warehouse yet; `make run` creates it.\n"
