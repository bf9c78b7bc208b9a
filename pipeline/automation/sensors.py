"""The sensor that requests runs for new exports."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date

import dagster as dg

from pipeline.automation.alert_webhook import Alert, send
from pipeline.automation.jobs import failed_dates, running_dates, selligent_to_segment
from pipeline.automation.pending_dates import dates_with_new_files, gone_files, unfinished_loads
from pipeline.automation.redaction import redacted
from pipeline.errors import LayoutError, PipelineError
from pipeline.exports.discovery import known_in
from pipeline.exports.layout_files import faults_of
from pipeline.exports.resources import Exports
from pipeline.finding import counted
from pipeline.masking import file_name
from pipeline.orchestration.instance import fail_dead_runs
from pipeline.orchestration.resources import WarehouseResource
from pipeline.settings import load_settings


@dataclass(frozen=True)
class Cursor:
    """Digests of the files for which the sensor requested a run, by date, of the missing files that it reported, and of
    the mistakes in layouts that it reported. `again`: of what it requested a second time, after a run that failed.

    `run_key` alone is not enough: Dagster compares it only with runs that it still has, and old runs are deleted.
    """

    dates: dict[str, str] = field(default_factory=dict)
    gone: str = ""
    broken: str = ""
    again: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, cursor: str | None) -> "Cursor":
        """Read a cursor; one that can't be read, perhaps of another version, is empty."""
        try:
            stored = json.loads(cursor or "{}")
            dates, again = (
                {str(day): str(digest) for day, digest in stored.get(name, {}).items()} for name in ("dates", "again")
            )
            return cls(dates, str(stored.get("gone", "")), str(stored.get("broken", "")), again)
        except (ValueError, AttributeError):
            return cls()

    def as_json(self) -> str:
        """The text that Dagster stores."""
        return json.dumps(asdict(self))


@dg.sensor(
    name="new_exports",
    description="Every minute: requests one run for each export date with new or changed files, or a changed layout.",
    job=selligent_to_segment,
    minimum_interval_seconds=60,
)
def new_exports(
    context: dg.SensorEvaluationContext, exports: Exports, warehouse: WarehouseResource
) -> dg.SensorResult | dg.SkipReason:
    """Request one run for each date with new or changed exports. While a run of that date is active, the request waits.

    A date whose run failed before its end, such as one that was killed, is requested a second time, but not a third:
    the daily schedule does that.

    A loaded file that is no longer in its folder requests no run: most are moved away on purpose, and their rows stay.
    Missing files are logged once. While a layout can't be used, the tick requests runs for the files of the others, and
    fails if there are none. The mistake is also reported to ALERT_WEBHOOK, once.
    """
    fail_dead_runs(context.instance)  # otherwise their dates would count as running
    lake, before = warehouse.open().impatient(), Cursor.parse(context.cursor)
    try:
        lake.bring_up_to_date()
        discovered = exports.discover()
        new = dates_with_new_files(known_in(lake), discovered)
        gone = gone_files(lake, discovered)
        unfinished = unfinished_loads(lake, warehouse.ledger())
    except LayoutError as error:
        reported = _report(str(error), before, context)
        return dg.SensorResult(skip_reason=str(error), cursor=replace(before, broken=reported).as_json())
    except PipelineError as error:
        return dg.SkipReason(str(error))
    if gone and _digest(gone) != before.gone:
        context.log.info(
            f"{counted(len(gone), 'loaded file')} no longer in the folder; their rows are kept: {file_name(gone[-1])}"
        )
    busy = running_dates(context.instance)
    seen = {str(day): _digest(files) for day, files in new.items()}
    wanted = {day for day, files in seen.items() if before.dates.get(day) != files}
    waiting = sorted(day for day in wanted if any(date.fromisoformat(day) in dates for dates in busy))
    due = sorted(wanted - set(waiting))
    failed = failed_dates(context.instance)
    left = {str(day): f"load {load.number}" for day, load in unfinished.items()} | seen
    again = {
        day: digest
        for day, digest in left.items()
        if day not in wanted
        and before.again.get(day) != digest
        and any(date.fromisoformat(day) in dates for dates in failed)
        and not any(date.fromisoformat(day) in dates for dates in busy)
    }
    # Dates that wait are not recorded as requested, so a later tick requests them. Loaded dates leave the cursor.
    kept = {day: files for day, files in before.dates.items() if day in seen} | {day: seen[day] for day in due}
    requested = {day: digest for day, digest in before.again.items() if day in left} | again
    cursor = Cursor(kept, _digest(gone) if gone else "", before.broken, requested)
    fault = [f"A layout can't be used: {faults_of(discovered.broken)}."] if discovered.broken else []
    if fault:
        context.log.error(fault[0])
        may_fail = cursor == before and not due and not again
        cursor = replace(cursor, broken=_report(faults_of(discovered.broken), before, context, may_fail=may_fail))
    else:
        cursor = replace(cursor, broken="")
    requests = [dg.RunRequest(run_key=f"{day}-{seen[day]}", partition_key=day) for day in due]
    requests += [dg.RunRequest(run_key=f"{day}-{again[day]}-again", partition_key=day) for day in sorted(again)]
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else " ".join([*fault, _skip_reason(waiting, len(seen), gone)]),
        cursor=cursor.as_json(),
    )


def _report(fault: str, before: Cursor, context: dg.SensorEvaluationContext, *, may_fail: bool = True) -> str:
    """Report a mistake in a layout, unless that was done; its digest. A tick that fails keeps no cursor and requests no
    run, so it fails only (`may_fail`) where it has neither. Raises LayoutError then.
    """
    digest, settings = _digest([fault]), load_settings()
    if digest == before.broken:
        if may_fail:
            raise LayoutError(fault)
        return digest
    alert = Alert("new_exports", None, "", "failed", [], redacted(fault, settings))
    if settings.alert_webhook is None or send(alert, settings, context.log.warning):
        return digest
    return before.broken


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
