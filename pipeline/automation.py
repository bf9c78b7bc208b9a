"""When things run: the job, its schedule, and the sensor that looks for new exports."""

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from pipeline.errors import PipelineError
from pipeline.partitions import EXPORT_DATES
from pipeline.resources import Exports, WarehouseResource
from pipeline.upkeep.assets import UPKEEP
from pipeline.work import dates_with_new_files

JOB_NAME = "selligent_to_segment"
UPKEEP_JOB_NAME = "warehouse_upkeep"

selligent_to_segment = dg.define_asset_job(
    JOB_NAME,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(UPKEEP),
    partitions_def=EXPORT_DATES,
    description="From export files to delivered events, for a date or a range of dates.",
)


warehouse_upkeep = dg.define_asset_job(
    UPKEEP_JOB_NAME,
    selection=dg.AssetSelection.assets(UPKEEP),
    description="Small files merged, old snapshots ended, so that a year of runs stays as quick as the first week.",
)
warehouse_upkeep_weekly = dg.ScheduleDefinition(
    name=f"{UPKEEP_JOB_NAME}_weekly",
    job=warehouse_upkeep,
    cron_schedule="0 3 * * 0",
    execution_timezone="UTC",
    description="Sundays at three in the morning (UTC).",
)


@dg.schedule(name=f"{JOB_NAME}_daily", job=selligent_to_segment, cron_schedule="0 6 * * *", execution_timezone="UTC")
def selligent_to_segment_daily(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Today's exports at six in the morning (UTC), whether or not the sensor saw them."""
    today = (context.scheduled_execution_time or datetime.now(UTC)).strftime("%Y-%m-%d")
    return dg.RunRequest(partition_key=today, run_key=f"daily-{today}")


@dg.sensor(name="new_exports", job=selligent_to_segment, minimum_interval_seconds=60)
def new_exports(
    _context: dg.SensorEvaluationContext, exports: Exports, warehouse: WarehouseResource
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """A new or changed export asks for a run of its date, once."""
    try:
        new = dates_with_new_files(warehouse.open(), exports.look())
    except PipelineError as error:
        yield dg.SkipReason(str(error))
        return
    if not new:
        yield dg.SkipReason("No export is new.")
    for day, files in sorted(new.items()):
        seen = hashlib.sha256(json.dumps(files).encode()).hexdigest()[:16]
        yield dg.RunRequest(run_key=f"{day}-{seen}", partition_key=str(day))
