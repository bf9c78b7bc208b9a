"""The definitions that Dagster loads."""

import dagster as dg

from pipeline.automation.alert_sensors import failed_runs, warned_runs
from pipeline.automation.jobs import selligent_to_segment, warehouse_upkeep
from pipeline.automation.schedules import selligent_to_segment_daily, warehouse_upkeep_weekly
from pipeline.automation.sensors import new_exports
from pipeline.exports.assets import raw
from pipeline.exports.resources import Exports
from pipeline.models.assets import models
from pipeline.models.checks import event_checks
from pipeline.models.identity_checks import identity_checks
from pipeline.orchestration.asset_defaults import with_defaults
from pipeline.orchestration.executor import in_process
from pipeline.orchestration.resources import WarehouseResource
from pipeline.orchestration.run_progress import progress_logger
from pipeline.report.assets import report
from pipeline.segment.assets import deliveries, outbox
from pipeline.segment.checks import lateness_check
from pipeline.segment.confirmation.assets import confirmation
from pipeline.segment.confirmation.resources import PublicApiResource
from pipeline.segment.resources import SegmentResource
from pipeline.settings import load_settings
from pipeline.upkeep.assets import upkeep

# A wrong setting is reported when the code is loaded, before anything is written.
load_settings()

defs = dg.Definitions(
    assets=with_defaults([raw, models, outbox, *deliveries, report, confirmation, upkeep]),
    asset_checks=[event_checks, lateness_check, *identity_checks],
    jobs=[selligent_to_segment, warehouse_upkeep],
    schedules=[selligent_to_segment_daily, warehouse_upkeep_weekly],
    sensors=[new_exports, failed_runs, warned_runs],
    resources={
        "exports": Exports(),
        "warehouse": WarehouseResource(),
        "segment": SegmentResource(),
        "public_api": PublicApiResource(),
    },
    loggers={"progress": progress_logger},
    # All steps in the run's own process: starting another takes seconds, and no step gains from it.
    executor=in_process,
)


def job_of(name: str) -> dg.JobDefinition:
    """A job by its name, to be run outside of Dagster's service."""
    return defs.resolve_job_def(name)
