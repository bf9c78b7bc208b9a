"""Dagster's in-process executor with this project's locks in place of Dagster's pools."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.definitions.executor_definition import IN_PROC_CONFIG
from dagster._core.events import EngineEventData
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.execute_plan import inner_plan_execution_iterator
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from pipeline.orchestration.instance import is_of_command_line
from pipeline.orchestration.reader_copy import update_copy
from pipeline.orchestration.run_locks import StepLocks, turn_of_step
from pipeline.settings import load_settings

# Tags of a step that also runs if steps before it failed; not if they never ran, since one before them failed.
AFTER_FAILURES = {"pipeline/after_failures": "true"}


@dg.executor(name="in_process", config_schema=IN_PROC_CONFIG)
def in_process(context: dg.InitExecutorContext) -> InProcessExecutor:
    """Execute all steps in a single process, under the locks of this project."""
    retries = RetryMode.from_config(context.executor_config["retries"])  # type: ignore[arg-type]
    assert retries is not None
    return _InProcess(retries)


class _InProcess(InProcessExecutor):
    def execute(self, plan_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
        """The events of the run."""
        # A command ends with a sentence, and the next one continues.
        retries = RetryMode.DISABLED if is_of_command_line(plan_context.dagster_run) else plan_context.retry_mode
        steps = EngineEventData.in_process(os.getpid(), execution_plan.step_keys_to_execute)
        yield dg.DagsterEvent.engine_event(plan_context, f"Executing steps in process {os.getpid()}", steps)
        yield from ExecuteRunWithPlanIterable(
            execution_plan=plan_context.execution_plan,
            iterator=_iterator,
            execution_context_manager=PlanExecutionContextManager(
                job=plan_context.job,
                retry_mode=retries,
                execution_plan=plan_context.execution_plan,
                run_config=plan_context.run_config,
                dagster_run=plan_context.dagster_run,
                instance=plan_context.instance,
                raise_on_error=plan_context.raise_on_error,
                output_capture=plan_context.output_capture,
                step_dependency_config=self.step_dependency_config,
            ),
        )


def _iterator(job_context: Any, execution_plan: Any) -> Iterator[dg.DagsterEvent]:
    """Execute the steps that run whatever became of those before them in a plan of their own, after all others."""
    keys = [step.key for step in execution_plan.get_steps_to_execute_in_topo_order()]
    last = [key for key in keys if execution_plan.get_step_by_key(key).tags.keys() & AFTER_FAILURES.keys()]
    first = [key for key in keys if key not in last]
    ended: set[str] = set()
    with StepLocks(job_context.run_id, partial(turn_of_step, settings=load_settings()), job_context.log.info) as locks:
        for steps in (first, last):
            due: list[str] = []
            for key in steps:  # in the order of their dependencies
                if steps is first or _dependencies(execution_plan, key) & set(keys) <= {*ended, *due}:
                    due.append(key)
            if not due:
                continue
            plan = execution_plan.build_subset_plan(due, job_context.job_def, job_context.resolved_run_config)
            for event in inner_plan_execution_iterator(job_context, plan, locks):  # type: ignore[arg-type]
                if event.is_step_success or event.is_step_failure:
                    ended.add(str(event.step_key))
                yield event
    update_copy(load_settings(), job_context.log.warning)


def _dependencies(execution_plan: Any, key: str) -> set[str]:
    step = execution_plan.get_step_by_key(key)
    return {needed for each in step.step_inputs for needed in each.dependency_keys}
