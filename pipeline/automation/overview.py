"""The last run, and what is switched on in Dagster, in a sentence each."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg
from dagster._core.scheduler.instigation import InstigatorStatus

from pipeline.automation.job_names import AUTOMATIONS, MAIN_JOB
from pipeline.automation.redaction import SEE_THE_RUN, reason_of, redacted
from pipeline.orchestration.brands import is_of_this_brand
from pipeline.orchestration.instance import CODE_LOCATION
from pipeline.settings import Settings

# Runs of other brands or of single assets may be newer.
_LOOKED_AT = 200


def last_run(instance: dg.DagsterInstance, settings: Settings) -> str | None:
    """When the newest run of the main job started, how it ended, and why it failed; None if there is none."""
    for record in instance.get_run_records(dg.RunsFilter(job_name=MAIN_JOB), limit=_LOOKED_AT):
        run = record.dagster_run
        if is_of_this_brand(run):
            started = datetime.fromtimestamp(record.start_time or record.create_timestamp.timestamp(), UTC)
            words = f"{started:%Y-%m-%d %H:%M} UTC: {run.status.value.lower()}"
            reasons = "; ".join(dict.fromkeys(_reasons(instance, run, settings)))
            return f"{words}: {redacted(reasons, settings)}" if reasons else words
    return None


def _reasons(instance: dg.DagsterInstance, run: dg.DagsterRun, settings: Settings) -> Iterator[str]:
    if run.status is not dg.DagsterRunStatus.FAILURE:
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
