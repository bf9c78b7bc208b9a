"""The jobs that a schedule, a sensor or a person starts."""

import dagster as dg

from pipeline.automation.job_names import MAIN_JOB, UPKEEP_JOB
from pipeline.orchestration.partitions import EXPORT_DATES
from pipeline.upkeep.assets import UPKEEP

selligent_to_segment = dg.define_asset_job(
    MAIN_JOB,
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets(UPKEEP),
    partitions_def=EXPORT_DATES,
    description="From export files to delivered events, for a date or a range of dates.",
)


warehouse_upkeep = dg.define_asset_job(
    UPKEEP_JOB,
    selection=dg.AssetSelection.assets(UPKEEP),
    description="Small files merged, old snapshots ended, so that a year of runs stays as quick as the first week.",
)
