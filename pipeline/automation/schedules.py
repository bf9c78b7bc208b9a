"""The schedules of the jobs."""

from datetime import UTC, date, datetime

import dagster as dg

from pipeline.automation.job_names import MAIN_JOB, UPKEEP_JOB
from pipeline.automation.jobs import running_dates, selligent_to_segment, warehouse_upkeep
from pipeline.automation.pending_dates import dates_with_new_files, unfinished_loads
from pipeline.errors import PipelineError
from pipeline.exports.discovery import known_in
from pipeline.exports.resources import Exports
from pipeline.orchestration.instance import fail_dead_runs
from pipeline.orchestration.resources import WarehouseResource
from pipeline.segment.resources import SegmentResource


@dg.schedule(
    name=f"{MAIN_JOB}_daily",
    description="At 06:00 UTC: runs today's date and each date that is not delivered completely. A safety net beside "
    "the sensor.",
    job=selligent_to_segment,
    cron_schedule="0 6 * * *",
    execution_timezone="UTC",
)
def selligent_to_segment_daily(
    context: dg.ScheduleEvaluationContext, exports: Exports, warehouse: WarehouseResource, segment: SegmentResource
) -> list[dg.RunRequest]:
    """Run today's date at 06:00 UTC, and each unfinished date: its files are not loaded, since their run failed; its
    files have not reached the report; or some of its events are waiting.
    """
    fail_dead_runs(context.instance)
    today = (context.scheduled_execution_time or datetime.now(UTC)).date()
    left: set[date] = set()
    try:
        lake, ledger = warehouse.open().impatient(), warehouse.ledger()
        lake.bring_up_to_date()
        left = set(unfinished_loads(lake, ledger))
        if segment.settings().delivers:
            left |= ledger.waiting_dates()
        left |= set(dates_with_new_files(known_in(lake), exports.discover()))
    except PipelineError as error:  # today's run fails for the same reason, and reports it
        context.log.warning(f"Unfinished dates can't be determined: {error}")
    busy = running_dates(context.instance)
    due = sorted(day for day in {today, *left} if not any(day in dates for dates in busy))
    return [dg.RunRequest(partition_key=f"{day}", run_key=f"daily-{today}-{day}") for day in due]


warehouse_upkeep_weekly = dg.ScheduleDefinition(
    name=f"{UPKEEP_JOB}_weekly",
    job=warehouse_upkeep,
    cron_schedule="0 3 * * 0",
    execution_timezone="UTC",
    description="Sundays at 03:00 UTC: merges small files and expires old snapshots, so that runs stay fast.",
)
