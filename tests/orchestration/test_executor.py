"""A run in one process, of the service and of a command."""

import dagster as dg
import pytest
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

from pipeline.orchestration.executor import in_process

SERVICE = JobPythonOrigin("job", RepositoryPythonOrigin("python", ModuleCodePointer("module", "defs")))


@pytest.mark.parametrize(("origin", "attempts"), [(None, 1), (SERVICE, 3)])
def test_only_the_service_tries_a_failed_step_again(origin: JobPythonOrigin | None, attempts: int) -> None:
    tried = []

    @dg.asset(retry_policy=dg.RetryPolicy(max_retries=2))
    def failing() -> None:
        tried.append(True)
        raise OSError

    defs = dg.Definitions([failing], jobs=[dg.define_asset_job("job")], executor=in_process)
    job = defs.resolve_job_def("job")
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(job, job_code_origin=origin)
        assert not execute_run(InMemoryJob(job), run, instance).success
    assert len(tried) == attempts
