"""The last run and what is switched on, as `status --problems` shows them."""

from pathlib import Path

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

from pipeline.automation.job_names import AUTOMATIONS, MAIN_JOB
from pipeline.automation.overview import failed_run, last_run, switched_off
from pipeline.orchestration.partitions import PARTITION_TAG
from pipeline.settings import load_settings
from tests.automation.test_alerts import fail
from tests.end_to_end.project import Project


@dg.job(name=MAIN_JOB, executor_def=dg.in_process_executor)
def succeeding() -> None:
    pass


@dg.job
def another() -> None:
    pass


def test_the_reason_of_a_failed_run_is_shown_without_secrets(instance: dg.DagsterInstance, project: Project) -> None:
    assert last_run(instance, load_settings()) is None
    fail(instance)
    another.execute_in_process(instance=instance)
    shown = last_run(instance, load_settings())
    assert shown is not None
    assert " UTC: failure: raw: ValueError: login of z***@example.com with " in shown


def test_the_newest_run_counts(instance: dg.DagsterInstance, project: Project) -> None:
    fail(instance)
    succeeding.execute_in_process(instance=instance)
    assert str(last_run(instance, load_settings())).endswith(" UTC: success")


def test_a_failed_run_is_shown_until_a_later_one_completes_its_dates(
    instance: dg.DagsterInstance, project: Project
) -> None:
    assert failed_run(instance, load_settings()) is None
    fail(instance)
    assert failed_run(instance, load_settings()) is None  # it is the last run
    succeeding.execute_in_process(instance=instance, tags={PARTITION_TAG: "2024-06-11"})  # of one date
    assert " UTC: failure: raw: ValueError: login of" in str(failed_run(instance, load_settings()))
    assert failed_run(instance, load_settings(), lambda _: False) is None  # the other dates were complete already
    succeeding.execute_in_process(instance=instance)
    assert failed_run(instance, load_settings()) is None


def test_a_failed_run_is_shown_while_only_runs_of_other_dates_succeed(
    instance: dg.DagsterInstance, project: Project
) -> None:
    fail(instance, **{PARTITION_TAG: "2024-06-12"})
    succeeding.execute_in_process(instance=instance, tags={PARTITION_TAG: "2024-06-11"})
    assert failed_run(instance, load_settings(), lambda _: False) is not None


@dg.job(name=MAIN_JOB, executor_def=dg.in_process_executor)
def ended_by_a_signal() -> None:
    @dg.op
    def interrupted() -> None:
        raise DagsterExecutionInterruptedError

    interrupted()


def test_a_run_that_a_signal_ended_is_described_in_words(instance: dg.DagsterInstance, project: Project) -> None:
    ended_by_a_signal.execute_in_process(instance=instance, raise_on_error=False)
    shown = str(last_run(instance, load_settings()))
    assert shown.endswith(": a signal ended the run: Ctrl+C, or its service was stopped; the next run continues"), shown
    assert "Dagster" not in shown


def test_a_sensor_is_on_or_off_in_this_code_location(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        assert switched_off(instance) == list(AUTOMATIONS)  # never switched on
        _switch(instance)
        assert switched_off(instance) == [name for name in AUTOMATIONS if name != "new_exports"]


def _switch(instance: dg.DagsterInstance) -> None:
    for location, name, status in (
        ("selligent_to_segment", "new_exports", InstigatorStatus.RUNNING),
        ("selligent_to_segment", "failed_runs", InstigatorStatus.STOPPED),
        ("another_brand", "warned_runs", InstigatorStatus.RUNNING),
    ):
        repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")
        origin = RemoteInstigatorOrigin(repository, name)
        instance.add_instigator_state(InstigatorState(origin, InstigatorType.SENSOR, status, SensorInstigatorData()))
