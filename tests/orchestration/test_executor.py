"""Steps that run whatever became of those before them."""

from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from pipeline.orchestration.executor import AFTER_FAILURES, in_process


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def run(instance: dg.DagsterInstance, failing: str) -> tuple[list[str], bool]:
    """load → (send, post) → report → review, of which one step fails; the steps that ended, in order."""

    def step(name: str, *needed: str, **options: object) -> dg.AssetsDefinition:
        @dg.asset(name=name, deps=list(needed), **options)  # type: ignore[call-overload]
        def asset() -> None:
            if name == failing:
                raise ValueError(name)

        return asset  # type: ignore[no-any-return]

    assets = [
        step("load"),
        step("send", "load"),
        step("post", "load"),
        step("report", "send", "post", op_tags=AFTER_FAILURES),
        step("review", "report", op_tags=AFTER_FAILURES),
    ]
    job = dg.define_asset_job("job")
    definitions = dg.Definitions(assets=assets, jobs=[job], executor=in_process)
    found = definitions.resolve_job_def("job")
    # Not `execute_in_process`, which takes Dagster's executor.
    done = execute_run(InMemoryJob(found), instance.create_run_for_job(found), instance)
    records = instance.all_logs(done.run_id)
    events = [each.dagster_event for each in records if each.dagster_event is not None]
    return [str(each.step_key) for each in events if each.is_step_success or each.is_step_failure], done.success


def test_they_run_after_a_failure_of_those_before_them_and_the_run_fails(instance: dg.DagsterInstance) -> None:
    ended, success = run(instance, "send")
    assert sorted(ended[:3]) == ["load", "post", "send"]
    assert ended[3:] == ["report", "review"]
    assert not success


def test_they_do_not_run_if_those_before_them_never_did(instance: dg.DagsterInstance) -> None:
    assert run(instance, "load") == (["load"], False)


def test_without_a_failure_all_run_once(instance: dg.DagsterInstance) -> None:
    ended, success = run(instance, "none")
    assert len(ended) == 5
    assert ended[3:] == ["report", "review"]
    assert success
