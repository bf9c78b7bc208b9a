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
from pipeline.exports.discovery import known_in
from pipeline.exports.resources import Exports
from pipeline.finding import counted
from pipeline.masking import file_name
from pipeline.orchestration.instance import fail_dead_runs
from pipeline.orchestration.resources import WarehouseResource


@dataclass(frozen=True)
class Cursor:
    """Digests of the files for which the sensor requested a run, by date, and of the missing files that it reported.

    `run_key` alone is not enough: Dagster compares it only with runs that it still has, and old runs are deleted.
    """

    dates: dict[str, str] = field(default_factory=dict)
    gone: str = ""

    @classmethod
    def parse(cls, cursor: str | None) -> "Cursor":
        """Read a cursor; one that can't be read, perhaps of another version, is empty."""
        try:
            stored = json.loads(cursor or "{}")
            dates = {str(day): str(digest) for day, digest in stored.get("dates", {}).items()}
            return cls(dates, str(stored.get("gone", "")))
        except (ValueError, AttributeError):
            return cls()

    def as_json(self) -> str:
        """The text that Dagster stores."""
        return json.dumps({"dates": self.dates, "gone": self.gone})


@dg.sensor(name="new_exports", job=selligent_to_segment, minimum_interval_seconds=60)
def new_exports(
    context: dg.SensorEvaluationContext, exports: Exports, warehouse: WarehouseResource
) -> dg.SensorResult | dg.SkipReason:
    """Request one run for each date with new or changed exports. While a run of that date is active, the request waits.

    A loaded file that is no longer in its folder requests no run: most are moved away on purpose, and their rows stay.
    Missing files are logged once.
    """
    fail_dead_runs(context.instance)  # otherwise their dates would count as running
    lake = warehouse.open()
    try:
        lake.bring_up_to_date()
        discovered = exports.discover()
        new = dates_with_new_files(known_in(lake), discovered)
        gone = gone_files(lake, discovered)
    except PipelineError as error:
        return dg.SkipReason(str(error))
    before = Cursor.parse(context.cursor)
    if gone and _digest(gone) != before.gone:
        context.log.info(
            f"{counted(len(gone), 'loaded file')} no longer in the folder; their rows are kept: {file_name(gone[-1])}"
        )
    busy = running_dates(context.instance)
    seen = {str(day): _digest(files) for day, files in new.items()}
    wanted = {day for day, files in seen.items() if before.dates.get(day) != files}
    waiting = sorted(day for day in wanted if any(date.fromisoformat(day) in dates for dates in busy))
    due = sorted(wanted - set(waiting))
    # Dates that wait are not recorded as requested, so a later tick requests them. Loaded dates leave the cursor.
    kept = {day: files for day, files in before.dates.items() if day in seen} | {day: seen[day] for day in due}
    cursor = Cursor(kept, _digest(gone) if gone else "").as_json()
    requests = [dg.RunRequest(run_key=f"{day}-{seen[day]}", partition_key=day) for day in due]
    return dg.SensorResult(
        run_requests=requests, skip_reason=None if requests else _skip_reason(waiting, len(seen), gone), cursor=cursor
    )


def _skip_reason(waiting: Sequence[str], requested: int, gone: Sequence[str]) -> str:
    words = "There are no new exports."
    if waiting:
        words = f"{', '.join(waiting)}: a run is active; the new exports will be requested when it ends."
    elif requested:
        words = f"{counted(requested, 'date')} with new exports already requested; see their runs."
    if gone:
        words += f" {counted(len(gone), 'loaded file')} no longer in the folder; their rows are kept."
    return words


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()[:16]
