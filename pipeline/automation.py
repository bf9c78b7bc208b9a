"""When things run: the jobs, their schedules, and the sensor that looks for new exports."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import dagster as dg

from pipeline.dates import ExportDates
from pipeline.errors import PipelineError
from pipeline.findings import counted
from pipeline.instance import fail_dead_runs
from pipeline.job_names import MAIN_JOB, UPKEEP_JOB
from pipeline.masking import file_name
from pipeline.partitions import EXPORT_DATES, dates_of_run
from pipeline.resources import Exports, SegmentResource, WarehouseResource
from pipeline.upkeep.assets import UPKEEP
from pipeline.work import dates_with_new_files, gone_files, unfinished_dates

# A run that is none of these has ended.
_GOING_ON = [
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
    description="From export files to delivered events, for a date or a range of dates.",
)


warehouse_upkeep = dg.define_asset_job(
    UPKEEP_JOB,
    selection=dg.AssetSelection.assets(UPKEEP),
    description="Small files merged, old snapshots ended, so that a year of runs stays as quick as the first week.",
)
warehouse_upkeep_weekly = dg.ScheduleDefinition(
    name=f"{UPKEEP_JOB}_weekly",
    job=warehouse_upkeep,
    cron_schedule="0 3 * * 0",
    execution_timezone="UTC",
    description="Sundays at three in the morning (UTC).",
)


@dg.schedule(name=f"{MAIN_JOB}_daily", job=selligent_to_segment, cron_schedule="0 6 * * *", execution_timezone="UTC")
def selligent_to_segment_daily(
    context: dg.ScheduleEvaluationContext, exports: Exports, warehouse: WarehouseResource, segment: SegmentResource
) -> list[dg.RunRequest]:
    """Today's exports at six in the morning (UTC), whether or not the sensor saw them, and each date that is left: with
    files that are still new, as the run that was to load them failed, not gone all the way, or with events that wait.
    """
    fail_dead_runs(context.instance)
    today = (context.scheduled_execution_time or datetime.now(UTC)).date()
    left: set[date] = set()
    try:
        place, ledger = warehouse.open(), segment.ledger()
        place.bring_up_to_date()
        left = unfinished_dates(place, ledger)
        if segment.settings().delivers:
            left |= ledger.waiting_dates()
        left |= set(dates_with_new_files(place, exports.look()))
    except PipelineError as error:  # today's run fails of it, too, and is told
        context.log.warning(f"Which dates are left can't be said: {error}")
    busy = _dates_of_runs(context.instance)
    due = sorted(day for day in {today, *left} if not any(day in dates for dates in busy))
    return [dg.RunRequest(partition_key=f"{day}", run_key=f"daily-{today}-{day}") for day in due]


@dataclass(frozen=True)
class Asked:
    """The sensor's cursor, which Dagster keeps: for which files of a date it asked for a run, as long as they are new,
    and of which files it said that they are gone.
    """

    dates: dict[str, str] = field(default_factory=dict)
    gone: str = ""

    @classmethod
    def of(cls, cursor: str | None) -> "Asked":
        """What the cursor says; one that can't be read, perhaps of another version, says nothing."""
        try:
            said = json.loads(cursor or "{}")
            return cls({str(day): str(seen) for day, seen in said.get("dates", {}).items()}, str(said.get("gone", "")))
        except (ValueError, AttributeError):
            return cls()

    def as_cursor(self) -> str:
        """For Dagster."""
        return json.dumps({"dates": self.dates, "gone": self.gone})


@dg.sensor(name="new_exports", job=selligent_to_segment, minimum_interval_seconds=60)
def new_exports(
    context: dg.SensorEvaluationContext, exports: Exports, warehouse: WarehouseResource
) -> dg.SensorResult | dg.SkipReason:
    """A new or changed export asks for a run of its date, once; a date that is being run is asked for when that ends.

    A file that was loaded and is gone from its folder asks for nothing: most are moved away on purpose, and their rows
    stay. It is told once.
    """
    fail_dead_runs(context.instance)  # else their dates would be taken for being run
    place = warehouse.open()
    try:
        place.bring_up_to_date()
        look = exports.look()
        new = dates_with_new_files(place, look)
        gone = gone_files(place, look)
    except PipelineError as error:
        return dg.SkipReason(str(error))
    asked = Asked.of(context.cursor)
    if gone and _digest(gone) != asked.gone:
        context.log.info(
            f"{counted(len(gone), 'loaded file')} gone from the folder, which changes nothing: {file_name(gone[-1])}"
        )
    busy = _dates_of_runs(context.instance)
    seen = {str(day): _digest(files) for day, files in new.items()}
    wanted = {day for day, files in seen.items() if asked.dates.get(day) != files}
    waiting = sorted(day for day in wanted if any(date.fromisoformat(day) in dates for dates in busy))
    due = sorted(wanted - set(waiting))
    # What waits is not noted as asked for, so that the next look asks; what was loaded by now is forgotten.
    kept = {day: files for day, files in asked.dates.items() if day in seen} | {day: seen[day] for day in due}
    cursor = Asked(kept, _digest(gone) if gone else "").as_cursor()
    requests = [dg.RunRequest(run_key=f"{day}-{seen[day]}", partition_key=day) for day in due]
    return dg.SensorResult(
        run_requests=requests, skip_reason=None if requests else _why_nothing(waiting, len(seen), gone), cursor=cursor
    )


def _why_nothing(waiting: Sequence[str], asked_for: int, gone: Sequence[str]) -> str:
    words = "No export is new."
    if waiting:
        words = f"{', '.join(waiting)}: a run is going on; the new exports are asked for when it has ended."
    elif asked_for:
        words = f"{counted(asked_for, 'date')} with new exports asked for already; see its run."
    return f"{words} {counted(len(gone), 'loaded file')} gone from the folder; their rows stay." if gone else words


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]


def _dates_of_runs(instance: dg.DagsterInstance) -> list[ExportDates]:
    """The dates of the main job's runs that are queued or going on."""
    runs = instance.get_runs(dg.RunsFilter(job_name=MAIN_JOB, statuses=_GOING_ON))
    return [dates_of_run(run.tags) for run in runs]
