"""The sensor that requests runs for new exports."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import dagster as dg

from pipeline.automation.jobs import running_dates, selligent_to_segment
from pipeline.automation.pending_dates import dates_with_new_files, gone_files
from pipeline.errors import PipelineError
from pipeline.exports.resources import Exports
from pipeline.finding import counted
from pipeline.masking import file_name
from pipeline.orchestration.instance import fail_dead_runs
from pipeline.orchestration.resources import WarehouseResource


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
        discovered = exports.discover()
        new = dates_with_new_files(place, discovered)
        gone = gone_files(place, discovered)
    except PipelineError as error:
        return dg.SkipReason(str(error))
    asked = Asked.of(context.cursor)
    if gone and _digest(gone) != asked.gone:
        context.log.info(
            f"{counted(len(gone), 'loaded file')} gone from the folder, which changes nothing: {file_name(gone[-1])}"
        )
    busy = running_dates(context.instance)
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
