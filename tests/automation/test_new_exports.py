"""When the sensor requests a run."""

from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from pipeline.automation.alert_webhook import Alert
from pipeline.automation.sensors import new_exports
from pipeline.errors import LayoutError
from pipeline.exports.resources import Exports
from pipeline.orchestration.partitions import PARTITION_TAG, RANGE_END_TAG, RANGE_START_TAG
from pipeline.orchestration.process_locks import process_lock
from pipeline.orchestration.resources import WarehouseResource
from tests.automation.daily import ROW, TUESDAY, WEDNESDAY, going_on, load_all, put
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS


@dataclass
class Daemon:
    """Evaluates the sensor with the cursor of the last tick."""

    instance: dg.DagsterInstance
    cursor: str | None = None
    skipped: str = ""

    def looks(self) -> dict[str, str]:
        """Requested dates with their run keys."""
        with dg.build_sensor_context(
            self.instance,
            self.cursor,
            resources={"exports": Exports(), "warehouse": WarehouseResource()},
        ) as context:
            found: Any = new_exports(context)
        if isinstance(found, dg.SkipReason):
            self.skipped = str(found.skip_message)
            return {}
        self.cursor = found.cursor
        self.skipped = str(found.skip_reason and found.skip_reason.skip_message)
        return {str(request.partition_key): str(request.run_key) for request in found.run_requests or []}


@pytest.fixture
def daemon(instance: dg.DagsterInstance, project: Project) -> Daemon:
    return Daemon(instance)


def test_without_new_exports_no_run_is_requested(daemon: Daemon) -> None:
    assert daemon.looks() == {}
    assert daemon.skipped == "There are no new exports."


def test_new_exports_request_one_run_per_date(daemon: Daemon, project: Project) -> None:
    put(project, "log_20240611.csv", "log_20240611_0700.csv", "log_20240612.csv")
    assert set(daemon.looks()) == {TUESDAY, WEDNESDAY}


def test_a_run_is_requested_once(daemon: Daemon, project: Project) -> None:
    put(project, "log_20240611.csv")
    daemon.looks()
    assert Daemon(daemon.instance, daemon.cursor).looks() == {}, "after a restart, the cursor is all that is left"
    assert daemon.looks() == {}
    assert daemon.skipped == "1 date with new exports already requested; see their runs."


def test_a_changed_export_requests_a_run_under_another_key(daemon: Daemon, project: Project) -> None:
    put(project, "log_20240611.csv")
    first = daemon.looks()
    load_all(project)
    assert daemon.looks() == {}
    put(project, "log_20240611.csv", rows=[ROW, ROW])
    second = daemon.looks()
    assert set(second) == {TUESDAY}
    assert second != first


def test_a_file_that_gets_a_second_layout_and_loses_it_requests_runs_under_other_keys(
    daemon: Daemon, project: Project
) -> None:
    """Dagster requests no run under a key that another one had."""
    put(project, "log_20240611.csv")
    keys = [daemon.looks()]
    load_all(project)
    links = project.layouts / "links.yml"
    links.write_text(r"""
name: links
files: 'log_(?P<date>\d{8})(_(?P<time>\d{4}))?(_again)?\.csv'
kind: links
columns: {LINK: link_id, WHAT: link_name}
""")
    keys.append(daemon.looks())
    load_all(project)
    links.unlink()
    keys.append(daemon.looks())
    load_all(project)
    assert [set(key) for key in keys] == [{TUESDAY}] * 3
    assert len({key[TUESDAY] for key in keys}) == 3
    assert daemon.looks() == {}


@pytest.mark.parametrize(
    ("status", "tags"),
    [
        (dg.DagsterRunStatus.NOT_STARTED, {PARTITION_TAG: TUESDAY}),
        (dg.DagsterRunStatus.STARTED, {PARTITION_TAG: TUESDAY}),
        (dg.DagsterRunStatus.STARTED, {RANGE_START_TAG: "2024-06-01", RANGE_END_TAG: "2024-06-30"}),
    ],
    ids=["about to start", "going on", "going on, a range"],
)
def test_a_date_in_progress_is_requested_when_its_run_has_ended(
    daemon: Daemon, project: Project, status: dg.DagsterRunStatus, tags: dict[str, str]
) -> None:
    run = going_on(daemon.instance, status, **tags)
    put(project, "log_20240611.csv", "log_20240705.csv")
    assert set(daemon.looks()) == {"2024-07-05"}
    assert daemon.looks() == {}
    assert daemon.skipped.startswith("2024-06-11: a run is active")

    daemon.instance.report_run_failed(run)
    assert set(daemon.looks()) == {TUESDAY}


def test_a_date_whose_run_was_killed_is_requested_once_more(daemon: Daemon, project: Project) -> None:
    """Before anything was loaded, then after that; a run that fails again is left to the daily schedule."""
    put(project, "log_20240611.csv")
    first = daemon.looks()
    daemon.instance.report_run_failed(going_on(daemon.instance, **{PARTITION_TAG: TUESDAY}))
    second = daemon.looks()
    assert set(second) == {TUESDAY}
    assert second != first
    assert daemon.looks() == {}

    load_all(project)
    run = going_on(daemon.instance, **{PARTITION_TAG: TUESDAY})
    assert daemon.looks() == {}, "it is in progress"
    daemon.instance.report_run_failed(run)
    third = daemon.looks()
    assert set(third) == {TUESDAY}
    assert third not in (first, second)
    daemon.instance.report_run_failed(going_on(daemon.instance, **{PARTITION_TAG: TUESDAY}))
    assert daemon.looks() == {}


def test_a_run_of_another_date_does_not_matter(daemon: Daemon, project: Project) -> None:
    going_on(daemon.instance, **{PARTITION_TAG: WEDNESDAY})
    put(project, "log_20240611.csv")
    assert set(daemon.looks()) == {TUESDAY}


def test_a_killed_run_of_the_command_line_blocks_no_date(daemon: Daemon, project: Project) -> None:
    run = going_on(daemon.instance, of_a_command=True, **{PARTITION_TAG: TUESDAY})
    put(project, "log_20240611.csv")
    assert set(daemon.looks()) == {TUESDAY}
    ended = daemon.instance.get_run_by_id(run.run_id)
    assert ended is not None
    assert ended.status is dg.DagsterRunStatus.FAILURE


def test_a_live_run_of_the_command_line_blocks_its_date(daemon: Daemon, project: Project) -> None:
    run = going_on(daemon.instance, of_a_command=True, **{PARTITION_TAG: TUESDAY})
    with process_lock(run.run_id):
        put(project, "log_20240611.csv")
        assert daemon.looks() == {}


def test_a_missing_file_requests_no_run_and_is_reported(daemon: Daemon, project: Project) -> None:
    put(project, "log_20240611.csv")
    put(project, "log_20240612.csv", rows=[ROW, ROW])
    load_all(project)
    (project.exports / "log_20240611.csv").unlink()
    assert daemon.looks() == {}
    assert daemon.skipped == "There are no new exports. 1 loaded file no longer in the folder; their rows are kept."
    assert project.query("SELECT count(*) FROM raw.events") == [(3,)]


@pytest.fixture
def alerts(monkeypatch: pytest.MonkeyPatch) -> list[Alert]:
    """The alerts that a webhook received, which answers 200."""
    received: list[Alert] = []
    monkeypatch.setattr("pipeline.automation.sensors.send", lambda alert, *_: received.append(alert) or True)
    monkeypatch.setenv("ALERT_WEBHOOK", "https://hooks.example.com/1")
    return received


def test_a_broken_layout_stops_no_other_and_is_an_alert_and_a_failed_tick(
    daemon: Daemon, project: Project, alerts: list[Alert]
) -> None:
    """The lookups come in, the log waits for its layout; once that is corrected, its date is requested."""
    project.with_files({"campaigns_20240612.csv": "ID,NAME\nc1,Soldes\n"}, {"log.yml": "name: log\n"})
    put(project, "log_20240611.csv")
    assert set(daemon.looks()) == {WEDNESDAY}
    [alert] = alerts
    assert alert.run_id is None
    assert "log.yml: files: is missing" in alert.error
    assert str(alert.as_json()["text"]).startswith("new_exports failed: log.yml: ")
    assert str(alert.as_json()["text"]).endswith("http://127.0.0.1:3000/automation")
    for _ in range(2):
        with pytest.raises(LayoutError, match=r"log\.yml: files: is missing"):
            daemon.looks()
    project.with_files({}, LAYOUTS)
    assert set(daemon.looks()) == {TUESDAY}
    assert len(alerts) == 1

    project.with_files({}, {"log.yml": "name: log\n"})
    assert daemon.looks() == {}
    assert daemon.skipped.startswith("A layout can't be used: log.yml: ")
    assert len(alerts) == 2


def test_where_no_layout_can_be_used_the_tick_fails_after_its_alert(
    daemon: Daemon, project: Project, alerts: list[Alert], monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.layouts / "campaigns.yml").unlink()
    project.with_files({}, {"log.yml": "name: log\n"})
    assert daemon.looks() == {}
    assert "log.yml" in daemon.skipped
    with pytest.raises(LayoutError, match=r"log\.yml"):
        daemon.looks()
    assert len(alerts) == 1
    monkeypatch.setattr("pipeline.automation.sensors.send", lambda *_: False)
    project.with_files({}, {"log.yml": "name: logs\n", "other.yml": "name: other\n"})
    for _ in range(2):  # an alert that does not arrive is sent again
        assert daemon.looks() == {}


@pytest.mark.parametrize("cursor", ["", "{", "[]", '{"dates": 3}', "20240611"])
def test_an_unreadable_cursor_is_replaced(daemon: Daemon, project: Project, cursor: str) -> None:
    put(project, "log_20240611.csv")
    daemon.cursor = cursor
    assert set(daemon.looks()) == {TUESDAY}
