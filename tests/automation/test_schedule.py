"""What the daily schedule asks for."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import dagster as dg
import pytest

from pipeline.automation.schedules import selligent_to_segment_daily
from pipeline.exports.resources import Exports
from pipeline.ledger import REPORTED, Batch
from pipeline.orchestration.partitions import PARTITION_TAG
from pipeline.orchestration.resources import WarehouseResource
from pipeline.segment.resources import SegmentResource
from pipeline.warehouse.loads import newest_loads
from tests.automation.daily import TUESDAY, WEDNESDAY, going_on, load_all, put
from tests.end_to_end.project import Project


@pytest.fixture
def stored() -> Iterator[dg.DagsterInstance]:
    """On disk, as a schedule wants it."""
    with dg.instance_for_test() as instance:
        yield instance


def scheduled(instance: dg.DagsterInstance) -> dict[str, str]:
    """What the schedule asks for on the Wednesday."""
    with dg.build_schedule_context(
        instance,
        scheduled_execution_time=datetime(2024, 6, 12, 6, tzinfo=UTC),
        resources={"exports": Exports(), "warehouse": WarehouseResource(), "segment": SegmentResource()},
    ) as context:
        requests: Any = selligent_to_segment_daily(context)
    return {str(request.partition_key): str(request.run_key) for request in requests}


@pytest.mark.usefixtures("project")
def test_the_schedule_asks_for_the_day_whatever_the_sensor_saw(stored: dg.DagsterInstance) -> None:
    assert scheduled(stored) == {WEDNESDAY: "daily-2024-06-12-2024-06-12"}


def test_the_schedule_asks_again_for_what_did_not_go_all_the_way(
    stored: dg.DagsterInstance, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(project, "log_20240611.csv")
    load_all(project)
    assert scheduled(stored) == {
        TUESDAY: "daily-2024-06-12-2024-06-11",
        WEDNESDAY: "daily-2024-06-12-2024-06-12",
    }
    running = going_on(stored, **{PARTITION_TAG: TUESDAY})
    assert set(scheduled(stored)) == {WEDNESDAY}
    stored.delete_run(running.run_id)

    with project.warehouse.reading() as connection:
        WarehouseResource().ledger().reach(REPORTED, newest_loads(connection))
    assert set(scheduled(stored)) == {WEDNESDAY}
    waits = Batch("b", "email_opened", date(2024, 6, 11), 0, 1)
    WarehouseResource().ledger().register([waits], [], datetime.now(UTC))
    assert set(scheduled(stored)) == {WEDNESDAY}  # for good: there is no write key
    monkeypatch.setenv("SEGMENT_WRITE_KEY", "a-write-key")
    assert set(scheduled(stored)) == {TUESDAY, WEDNESDAY}


def test_the_schedule_asks_again_for_a_date_whose_loading_failed(stored: dg.DagsterInstance, project: Project) -> None:
    """The sensor asked for it once, and the run failed before it had read the file, as the server of SFTP was away."""
    put(project, "log_20240611.csv")
    assert set(scheduled(stored)) == {TUESDAY, WEDNESDAY}


def test_the_schedule_asks_no_more_for_a_file_that_was_refused_until_it_is_sent_again(
    stored: dg.DagsterInstance, project: Project
) -> None:
    project.with_files({"log_20240611.csv": "WHO,MAIL\nann,m1\n"}, {})
    load_all(project)
    assert project.query("SELECT status FROM raw.export_files") == [("refused",)]
    assert set(scheduled(stored)) == {WEDNESDAY}
    put(project, "log_20240611.csv")
    assert set(scheduled(stored)) == {TUESDAY, WEDNESDAY}


def test_the_schedule_asks_for_what_is_left_even_where_the_exports_cannot_be_looked_at(
    stored: dg.DagsterInstance, project: Project
) -> None:
    put(project, "log_20240611.csv")
    load_all(project)
    project.with_files({}, {"log.yml": "name: log\n"})
    assert set(scheduled(stored)) == {TUESDAY, WEDNESDAY}


def test_the_schedule_asks_for_the_day_even_where_the_ledger_cannot_be_asked(
    stored: dg.DagsterInstance, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEDGER", f"sqlite:///{project.exports}")
    assert set(scheduled(stored)) == {WEDNESDAY}
