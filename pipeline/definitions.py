"""What Dagster loads; nothing but putting together."""

import dagster as dg

from pipeline.automation import (
    new_exports,
    selligent_to_segment,
    selligent_to_segment_daily,
    warehouse_upkeep,
    warehouse_upkeep_weekly,
)
from pipeline.executor import in_process
from pipeline.exports.assets import raw
from pipeline.models.assets import dbt_resource, models
from pipeline.models.checks import event_checks
from pipeline.presenting import presented
from pipeline.progress import progress_logger
from pipeline.report.assets import report
from pipeline.resources import Exports, SegmentResource, WarehouseResource
from pipeline.run_alerts import failed_runs, warned_runs
from pipeline.segment.assets import deliveries, outbox
from pipeline.segment.confirming import confirmation
from pipeline.segment.late import lateness_check
from pipeline.settings import load_settings
from pipeline.upkeep.assets import upkeep

# A wrong setting is told when the code is loaded, before anything is touched.
load_settings()

defs = dg.Definitions(
    assets=presented([raw, models, outbox, *deliveries, report, confirmation, upkeep]),
    asset_checks=[event_checks, lateness_check],
    jobs=[selligent_to_segment, warehouse_upkeep],
    schedules=[selligent_to_segment_daily, warehouse_upkeep_weekly],
    sensors=[new_exports, failed_runs, warned_runs],
    resources={
        "exports": Exports(),
        "warehouse": WarehouseResource(),
        "segment": SegmentResource(),
        "dbt": dbt_resource,
    },
    loggers={"progress": progress_logger},
    # Every step in the run's own process: starting one costs seconds, and no step has anything to gain from it.
    executor=in_process,
)


def job_of(name: str) -> dg.JobDefinition:
    """A job by its name, for those who run it outside of the service."""
    return defs.resolve_job_def(name)
