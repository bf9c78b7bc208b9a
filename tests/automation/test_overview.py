"""The last run and what is switched on, as `status --problems` shows them."""

from pathlib import Path

import dagster as dg
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

from pipeline.automation.job_names import AUTOMATIONS, MAIN_JOB
from pipeline.automation.overview import last_run, switched_off
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
