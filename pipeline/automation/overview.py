"""The last run, a failed one before it, and what is switched on in Dagster, in a sentence each."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg
from dagster._core.execution.stats import StepEventStatus
from dagster._core.scheduler.instigation import InstigatorStatus

from pipeline.automation.job_names import AUTOMATIONS, MAIN_JOB
from pipeline.automation.redaction import SEE_THE_RUN, reason_of, redacted
from pipeline.export_dates import ExportDates
from pipeline.finding import some
from pipeline.orchestration.brands import is_of_this_brand
from pipeline.orchestration.instance import CODE_LOCATION
from pipeline.orchestration.partitions import dates_of_run
from pipeline.settings import Settings

# Runs of other brands or of single assets may be newer.
_LOOKED_AT = 200
_FAILED = (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)


def last_run(instance: dg.DagsterInstance, settings: Settings) -> str | None:
    """When the newest run of the main job started, how it ended, and why it failed; None if there is none."""
    record = next(_records(instance), None)
    return _words(instance, record, settings) if record else None


def failed_run(
    instance: dg.DagsterInstance, settings: Settings, is_open: Callable[[ExportDates], bool] = lambda _dates: True
) -> str | None:
    """The same of the newest run that failed before the last one, and whose failed steps no later run has completed
    for its dates; None if there is none. A later run need not have all of its dates: those that were complete already
    are not repeated. `is_open` decides whether any of some dates is incomplete.
    """
    later: list[dg.DagsterRun] = []
    for record in _records(instance):
        run = record.dagster_run
        if later and run.status in _FAILED and not _is_made_up_for(instance, run, later, is_open):
            return _words(instance, record, settings)
        later.append(run)
    return None


def _records(instance: dg.DagsterInstance) -> Iterator[dg.RunRecord]:
    """Runs of the main job of this brand, the newest first."""
    records = instance.get_run_records(dg.RunsFilter(job_name=MAIN_JOB), limit=_LOOKED_AT)
    return (record for record in records if is_of_this_brand(record.dagster_run))


def _words(instance: dg.DagsterInstance, record: dg.RunRecord, settings: Settings) -> str:
    run = record.dagster_run
    started = datetime.fromtimestamp(record.start_time or record.create_timestamp.timestamp(), UTC)
    only = some(sorted(key.to_user_string() for key in run.asset_selection or ()))
    part = f" (only {only})" if only else ""
    words = f"{started:%Y-%m-%d %H:%M} UTC{part}: {run.status.value.lower()}"
    reasons = "; ".join(dict.fromkeys(_reasons(instance, run, settings)))
    return f"{words}: {redacted(reasons, settings)}" if reasons else words


def _is_made_up_for(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    later: Sequence[dg.DagsterRun],
    is_open: Callable[[ExportDates], bool],
) -> bool:
    """Whether later runs of its dates completed each step that failed; where none did, whether one succeeded, or one of
    some of the dates while none of the others is incomplete.
    """
    dates = dates_of_run(run.tags)
    succeeded = [each for each in later if each.status is dg.DagsterRunStatus.SUCCESS and not each.asset_selection]
    if any(_overlap(dates, dates_of_run(each.tags)) for each in succeeded) and not is_open(dates):
        return True
    of_dates = [
        each for each in later if dates.first in dates_of_run(each.tags) and dates.last in dates_of_run(each.tags)
    ]
    if any(each.status is dg.DagsterRunStatus.SUCCESS and not each.asset_selection for each in of_dates):
        return True
    failed = _steps(instance, run, StepEventStatus.FAILURE)
    return bool(failed) and failed <= set[str]().union(
        *(_steps(instance, each, StepEventStatus.SUCCESS) for each in of_dates)
    )


def _overlap(one: ExportDates, other: ExportDates) -> bool:
    return one.first <= other.last and other.first <= one.last


def _steps(instance: dg.DagsterInstance, run: dg.DagsterRun, status: StepEventStatus) -> set[str]:
    return {step.step_key for step in instance.get_run_step_stats(run.run_id) if step.status is status}


def _reasons(instance: dg.DagsterInstance, run: dg.DagsterRun, settings: Settings) -> Iterator[str]:
    if run.status not in _FAILED:
        return
    for kind in (dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE):
        entries = [entry for entry in instance.all_logs(run.run_id, of_type=kind) if entry.dagster_event is not None]
        for entry in entries:
            assert entry.dagster_event is not None
            step = f"{entry.step_key.replace('__', '/')}: " if entry.step_key else ""
            reason = reason_of(entry.dagster_event, settings)
            if reason == SEE_THE_RUN:  # no step failed; a run whose process was killed has a message
                reason = entry.dagster_event.message or reason
            yield f"{step}{reason}"
        if entries:
            return


def switched_off(instance: dg.DagsterInstance) -> list[str]:
    """Sensors and schedules that are not switched on, in the order of AUTOMATIONS."""
    running = {
        state.instigator_name
        for state in instance.all_instigator_state()
        if state.status is InstigatorStatus.RUNNING
        and state.origin.repository_origin.code_location_origin.location_name == CODE_LOCATION
    }
    return [name for name in AUTOMATIONS if name not in running]
