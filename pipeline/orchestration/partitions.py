"""Daily partitions by export date, and the dates of a step or a run."""

import warnings
from collections.abc import Mapping
from datetime import date, datetime, time

import dagster as dg

from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.settings import load_settings

# Dagster warns at every use that backfill policies are beta; the constraints pin its version.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

EXPORT_DATES = dg.DailyPartitionsDefinition(
    start_date=datetime.combine(load_settings().first_export_date, time()),
    end_offset=1,  # today is a partition, too
)
# Tags with a run's date or range of dates; Dagster's own, which it does not export.
PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
# Dagster's list of runs shows this tag, and not those of a range.
_SHOWN_TAG = "dates"
# A range of dates is one run, in the UI as on the command line.
ONE_RUN = dg.BackfillPolicy.single_run()

# Pools of steps of which one runs at a time: two writers of a warehouse, or two deliveries of a batch, would conflict.
# Steps that only read wait for writers of a plain DuckDB file, not of a DuckLake.
# `pipeline/orchestration/run_locks.py` enforces the limits, not Dagster.
WAREHOUSE_WRITERS = "warehouse_writers"
WAREHOUSE_READERS = "warehouse_readers"
SEGMENT_DELIVERY = "segment_delivery"


def dates_of(context: dg.AssetExecutionContext) -> ExportDates:
    """The export dates of this step."""
    keys = context.partition_key_range
    return ExportDates(date.fromisoformat(keys.start), date.fromisoformat(keys.end))


def tags_of(dates: ExportDates) -> dict[str, str]:
    """The tags of a run of these dates."""
    if dates.first == dates.last:
        return {PARTITION_TAG: str(dates.first)}
    return {_SHOWN_TAG: str(dates), RANGE_START_TAG: str(dates.first), RANGE_END_TAG: str(dates.last)}


def dates_of_run(tags: Mapping[str, str]) -> ExportDates:
    """The export dates in a run's tags; every date where it has none."""
    first = tags.get(RANGE_START_TAG) or tags.get(PARTITION_TAG)
    last = tags.get(RANGE_END_TAG) or tags.get(PARTITION_TAG)
    if first is None or last is None:
        return EVERY_DATE
    return ExportDates(date.fromisoformat(first), date.fromisoformat(last))
