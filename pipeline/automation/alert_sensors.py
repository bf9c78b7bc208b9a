"""Sensors that report runs to ALERT_WEBHOOK: one for failed runs, one for runs with failed checks."""

from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from pipeline.automation.alert_webhook import Alert, Outcome, send
from pipeline.automation.job_names import MAIN_JOB, UPKEEP_JOB
from pipeline.automation.redaction import reason_of, redacted
from pipeline.export_dates import EVERY_DATE
from pipeline.orchestration.brands import is_of_this_brand
from pipeline.orchestration.markdown import plain
from pipeline.orchestration.partitions import dates_of_run
from pipeline.settings import Settings, load_settings

# Dagster has a job of its own for assets that are materialized from the UI.
_JOBS = {MAIN_JOB: MAIN_JOB, "__ASSET_JOB": MAIN_JOB, UPKEEP_JOB: UPKEEP_JOB}


# All code locations: a workspace may give this one another name than runs of the command line have.
@dg.run_failure_sensor(
    name="failed_runs",
    description="Reports each failed run to ALERT_WEBHOOK, whatever started it: dates, step, reason and a link.",
    monitor_all_code_locations=True,
    minimum_interval_seconds=30,
)
def failed_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Report a failed run to ALERT_WEBHOOK, whatever started it."""

    def alert(run: dg.DagsterRun, settings: Settings) -> Alert:
        failures = context.get_step_failure_events()
        reasons = (reason_of(failure, settings) for failure in failures)
        error = "; ".join(dict.fromkeys(reasons)) or context.failure_event.message or ""
        steps = [str(failure.step_key).replace("__", "/") for failure in failures]
        return Alert(_JOBS[run.job_name], run.run_id, _dates_of(run), "failed", steps, redacted(error, settings))

    return _report(context, alert)


@dg.run_status_sensor(
    name="warned_runs",
    description="Reports each successful run with checks that warn or failed to ALERT_WEBHOOK, whatever started it.",
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitor_all_code_locations=True,
    minimum_interval_seconds=30,
)
def warned_runs(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
    """Report a successful run with failed checks to ALERT_WEBHOOK, whatever started it."""

    def alert(run: dg.DagsterRun, settings: Settings) -> Alert | None:
        warnings = list(_warnings(context.instance, run.run_id))
        if not warnings:
            return None
        assets = list(dict.fromkeys(warning.asset_key.to_user_string() for warning in warnings))
        words = "; ".join(f"{warning.check_name}: {plain(warning.description or '')}" for warning in warnings)
        # A failed check of severity ERROR does not fail the run if no asset depends on it.
        grave = any(warning.severity is dg.AssetCheckSeverity.ERROR for warning in warnings)
        outcome: Outcome = "has a failed check" if grave else "warns"
        return Alert(_JOBS[run.job_name], run.run_id, _dates_of(run), outcome, assets, redacted(words, settings))

    return _report(context, alert)


def _report(
    context: dg.RunStatusSensorContext, alert_of: Callable[[dg.DagsterRun, Settings], Alert | None]
) -> dg.SkipReason | None:
    run = context.dagster_run
    if run.job_name not in _JOBS or not is_of_this_brand(run):
        return None
    try:
        settings = load_settings()
        if settings.alert_webhook is not None and (alert := alert_of(run, settings)) is not None:
            send(alert, settings, context.log.warning)
    except Exception as error:  # of any kind: an alert that fails must neither fail the sensor nor be retried forever
        context.log.warning(f"Run {run.run_id} could not be reported ({type(error).__name__}).")
    return None


def _dates_of(run: dg.DagsterRun) -> str:
    dates = dates_of_run(run.tags)
    return "all dates" if dates == EVERY_DATE else str(dates)


def _warnings(instance: dg.DagsterInstance, run_id: str) -> Iterator[Any]:
    found = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    for record in found.records:
        event = record.event_log_entry.dagster_event
        if event is not None and not event.asset_check_evaluation_data.passed:
            yield event.asset_check_evaluation_data
