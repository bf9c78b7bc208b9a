"""The jobs, and the export dates of their active runs."""

import dagster as dg

from pipeline.automation.job_names import MAIN_JOB, UPKEEP_JOB
from pipeline.export_dates import ExportDates
from pipeline.orchestration.asset_keys import UPKEEP
from pipeline.orchestration.brands import brand_tags, is_of_this_brand
from pipeline.orchestration.partitions import EXPORT_DATES, dates_of_run

# So many runs are enough to find those that ended since the last tick of a sensor.
_NEWEST_FAILED = 100
# A run with any other status has ended.
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

selligent_to_segment = dg.define_asset_job(
    MAIN_JOB,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(UPKEEP),
    partitions_def=EXPORT_DATES,
    tags=brand_tags(),
    description="From export files to delivered events, for a date or a range of dates.",
)


warehouse_upkeep = dg.define_asset_job(
    UPKEEP_JOB,
    selection=dg.AssetSelection.assets(UPKEEP),
    tags=brand_tags(),
    description="Merges small files, expires old snapshots and deletes old runs, so that runs stay fast.",
)


def running_dates(instance: dg.DagsterInstance) -> list[ExportDates]:
    """The export dates of this brand's runs of the main job that are queued or in progress."""
    runs = instance.get_runs(dg.RunsFilter(job_name=MAIN_JOB, statuses=_UNFINISHED))
    return [dates_of_run(run.tags) for run in runs if is_of_this_brand(run)]


def failed_dates(instance: dg.DagsterInstance) -> list[ExportDates]:
    """The export dates of this brand's newest runs of the main job that failed or were ended."""
    filters = dg.RunsFilter(job_name=MAIN_JOB, statuses=[dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED])
    runs = instance.get_runs(filters, limit=_NEWEST_FAILED)
    return [dates_of_run(run.tags) for run in runs if is_of_this_brand(run)]
