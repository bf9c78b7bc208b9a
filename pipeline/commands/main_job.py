"""The main job from the command line, for what is new or for the dates given."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import UTC, date, datetime

from pipeline.automation.job_names import MAIN_JOB
from pipeline.automation.pending_dates import dates_with_new_files, newest_date
from pipeline.catalog import IDENTIFIES
from pipeline.commands.run_job import run_job
from pipeline.commands.status import show
from pipeline.console import err, out
from pipeline.errors import LayoutError
from pipeline.export_dates import EVERY_DATE, ExportDates, ranges
from pipeline.exports.discovery import Discovered, discover, is_known, known_files, shared_watch
from pipeline.exports.layout_files import BrokenLayout, faults_of, read_usable_layouts
from pipeline.exports.layouts import Layout
from pipeline.exports.locations import ExportLocation
from pipeline.exports.matching import Unmatched
from pipeline.exports.property_registry import contradicting
from pipeline.filesystems.remote_files import warning_of, without_login
from pipeline.filesystems.temporary_files import remove_abandoned
from pipeline.finding import counted, plural
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_copy import mirror
from pipeline.ledger.warehouse_pairing import check_pair, is_copy_behind
from pipeline.masking import on_one_line
from pipeline.orchestration.reader_copy import update_copy
from pipeline.preflight.points import Outcome
from pipeline.preflight.write_key import key_point
from pipeline.privacy.addresses import are_outdated
from pipeline.privacy.suppression import has_people_to_remove
from pipeline.privacy.suppression_list import check
from pipeline.report.location import destination_of
from pipeline.report.summary import summary, totals
from pipeline.segment.unfinished_dates import unfinished
from pipeline.settings import DRY_RUN_DIR, ENV_FILE, REPORT_PAGE, Settings
from pipeline.warehouse import Warehouse, has_rows
from pipeline.warehouse.attached import keep_attached
from pipeline.warehouse.immutable_settings import check_origin
from pipeline.warehouse.loads import last_load_number
from pipeline.warehouse.up_to_date import reading_up_to_date

# Files to review although the run went well; on stderr, which cron sends by mail.
_FILES_TO_REVIEW = """
    SELECT DISTINCT name, concat_ws('; ',
        CASE WHEN status = 'loaded' THEN reason ELSE status || ': ' || reason END,
        CASE WHEN rejected > 0 THEN format('{{:d}} of {{:d}} rows rejected{{}}; raw.rejected_rows has the reasons',
            rejected, rows, CASE WHEN layouts > 1 THEN ' as ' || kind ELSE '' END) END
    ) AS words
    FROM (
        SELECT *, count(*) OVER (PARTITION BY export_date, name) AS layouts
        FROM raw.export_files WHERE load_number > {} AND status <> 'replaced'
    )
    WHERE status IN ('refused', 'unmatched', 'duplicate')
        OR (status = 'loaded' AND (rejected > 0 OR reason IS NOT NULL))
    ORDER BY name, words
"""
_SHOWN_FILES = 20
_LONGEST = 2000


@keep_attached()
def run_main_job(
    settings: Settings, dates: ExportDates | None, *, withhold: bool = False, release: bool = False
) -> int:
    """Run the main job. Returns the exit status; PipelineError before anything is done, if something is not usable. If
    only some layouts are not, the files of the others are loaded, and the exit status is that of a wrong setting.

    `withhold` delivers nothing and withholds these dates until `release`; without dates, it withholds every date with
    undelivered events.
    """
    check(settings.selligent_suppressed)
    remove_abandoned()  # what a killed run has left
    destination_of(settings).require_packages()
    warehouse, ledger = Warehouse.of(settings), Ledger(settings.ledger)
    layouts = read_usable_layouts(settings.selligent_layouts)
    for name, url in (("SELLIGENT_EXPORTS", settings.selligent_exports), ("REPORT", settings.report)):
        if warning := warning_of(url):
            err.print(f"{name}: {warning}", style="yellow")
    if (key := key_point(settings)).outcome is Outcome.WARNING:
        err.print(f"{key.subject}: {key.sentence}; see `python -m pipeline check`", style="yellow")
    with ExportLocation(settings.selligent_exports, follow_links=settings.selligent_follow_links) as location:
        discovered = discover(location, layouts.usable, settings.loadable_dates(), broken=layouts.broken)
    shared_watch(settings.selligent_exports).note(file.file for file in discovered.matched)
    for file in discovered.waiting:
        err.print(on_one_line(f"{file.file.name} waits: {file.reason}", _LONGEST), style="yellow")
    # A wrong setting is reported before Dagster starts.
    found = _look(settings, warehouse, ledger, layouts.usable, discovered)
    for layout in found.broken:
        err.print(on_one_line(f"layout not used: {layout.fault}", _LONGEST), style="red")
    if withhold and dates is None and found.broken:  # the dates of their files are not known
        raise LayoutError(f"--no-delivery needs --from and --to while a layout is broken: {faults_of(found.broken)}")
    if found.is_copy_behind:  # the dates may not be part of any run soon
        mirror(warehouse, ledger, EVERY_DATE)
    days = found.days if dates is None else set[date]()
    # From here on released dates are unfinished, too, but they only need to be sent.
    released = set(ledger.release(dates or EVERY_DATE)) if release else set[date]()
    if dates is not None:
        work, sending = [dates], []
    else:
        waiting = ledger.waiting_dates() if settings.delivers and not withhold else set[date]()
        work, sending = ranges(days), ranges((waiting | released) - days)
    if withhold:
        # Also dates without files now: these may come later, or have been moved since a dry run loaded them.
        withheld = set(dates or days | ledger.waiting_dates() | {file.export_date for file in discovered.waiting})
        ledger.withhold(withheld, datetime.now(UTC))
        if withheld and warehouse.exists():  # the report lists these dates, and they may not be part of any run soon
            mirror(warehouse, ledger, ExportDates(min(withheld), max(withheld)))
    if not work and not sending:
        out.print("There is nothing new.")
        for ignored in found.unmatched[:_SHOWN_FILES]:  # on stdout: cron would mail stderr at each call
            out.print(on_one_line(f"{ignored.file.name}: ignored: {ignored.reason}", _LONGEST), style="yellow")
    runs = [_run_job(span, everything=True) for span in work]
    runs += [_run_job(span, everything=False) for span in sending]
    has_failed = not all(run.has_succeeded for run in runs)
    # Each run does that, too; but the last one may have been killed, or a replay may have written since.
    update_copy(settings, lambda words: err.print(words, style="yellow"))
    if _print_result(settings, warehouse, ledger, found.last_load):
        _print_report(settings, is_new=any(run.has_reported for run in runs), has_failed=has_failed)
        _print_next(settings)
    for layout in found.broken:  # once more, where it is read
        err.print(on_one_line(f"Files wait for a layout: {layout.fault}", _LONGEST), style="red")
    if has_failed:
        return 1
    return 2 if found.broken else 0


@dataclass(frozen=True)
class _Found:
    """What the warehouse, the ledger and the files show before the run: export dates that need a run, unmatched files
    that no run has recorded, and layouts that can't be used.
    """

    days: Set[date]
    unmatched: Sequence[Unmatched]
    is_copy_behind: bool = False
    last_load: int = 0
    broken: Sequence[BrokenLayout] = ()


def _look(
    settings: Settings, warehouse: Warehouse, ledger: Ledger, layouts: Sequence[Layout], discovered: Discovered
) -> _Found:
    """Read all of it over one connection: to open another takes longer than the queries."""
    with reading_up_to_date(warehouse) as connection:
        if connection is None:
            check_pair(None, ledger)
            return _Found(set(dates_with_new_files({}, discovered)), discovered.unmatched, broken=discovered.broken)
        check_origin(connection, settings)
        discovered = discovered.without(contradicting(connection, layouts))
        check_pair(connection, ledger)
        known = known_files(connection)
        days = set(dates_with_new_files(known, discovered)) | set(unfinished(connection, ledger))
        if not days and has_people_to_remove(connection, settings.selligent_suppressed):
            days = newest_date(connection)  # any run removes them from the tables, whatever its dates
        if are_outdated(connection, settings):  # any run writes them anew, but dry runs only of its dates
            days |= newest_date(connection) | (set() if settings.delivers else ledger.waiting_dates())
        unmatched = [file for file in discovered.unmatched if not is_known(file, known)]
        is_behind, last_load = is_copy_behind(connection, ledger), last_load_number(connection)
        return _Found(days, unmatched, is_behind, last_load, discovered.broken)


@dataclass(frozen=True)
class _Run:
    """Whether all steps of a run succeeded, and whether its report did."""

    has_succeeded: bool
    has_reported: bool


def _run_job(dates: ExportDates, *, everything: bool) -> _Run:
    # Imported here, as they import Dagster.
    from pipeline.orchestration.asset_keys import CONFIRMATION, DELIVERIES, OUTBOX, REPORT
    from pipeline.orchestration.partitions import tags_of

    if everything:
        result = run_job(MAIN_JOB, f"Export dates {dates}", tags_of(dates), meanwhile=_load_dbt)
    else:
        sending = [OUTBOX, *DELIVERIES, REPORT, CONFIRMATION]
        result = run_job(MAIN_JOB, f"Waiting events of export dates {dates}", tags_of(dates), sending)
    step = REPORT.to_python_identifier()
    reported = result.filter_events(lambda event: event.is_step_success and event.step_key == step)
    return _Run(bool(result.success), bool(reported))


def _load_dbt() -> None:
    """Start to load dbt and its project, which the second step needs: the first waits for its second listing."""
    from pipeline.models.dbt_runner import preload

    preload()


def _print_result(settings: Settings, warehouse: Warehouse, ledger: Ledger, last_load: int) -> bool:
    """Print what became of the events; whether there is a warehouse."""
    with warehouse.reading_if_any() as connection:
        if connection is None:
            out.print(f"There is nothing to load in {without_login(settings.selligent_exports)}.")
            return False
        lines = summary(connection, ledger, None)
        odd = connection.execute(_FILES_TO_REVIEW.format(last_load)).fetchall()
        waiting = has_rows(connection, "SELECT 1 FROM delivery.outbox LIMIT 1")
    if not lines:
        out.print(f"There is nothing to load in {without_login(settings.selligent_exports)}.")
    else:
        show(lines, by_date=False)
    if withheld := ledger.withheld():
        spans = ", ".join(str(span) for span in ranges(withheld))
        out.print(f"Withheld until released with --release: {spans}")
    in_doubt = ledger.in_doubt(EVERY_DATE)
    identities = sum(line.numbers["held"] for line in lines if line.event == IDENTIFIES.table)
    identities -= sum(each.events for each in in_doubt if each.event == IDENTIFIES.table)
    if identities:
        out.print(
            f"{counted(identities, 'identify call')} held, since SEGMENT_IDENTIFY is false; a run sends "
            f"{plural(identities, 'it', 'them')} once it is true"
        )
    if new_ids := sum(each.events for each in ledger.replacing(EVERY_DATE)):
        out.print(
            f"{counted(new_ids, 'event')} {plural(new_ids, 'is', 'are')} held as delivered before under other ids; "
            "`python -m pipeline status --problems` has the reason"
        )
    if doubtful := sum(each.events for each in in_doubt):
        out.print(
            f"{counted(doubtful, 'event')} {plural(doubtful, 'is', 'are')} held since a restore; "
            "`python -m pipeline status --problems` lists them"
        )
    if held := totals(lines)["held"] - identities - new_ids - doubtful:
        out.print(
            f"{counted(held, 'event')} of machines {plural(held, 'is', 'are')} held; "
            "`python -m pipeline replay --held` releases them"
        )
    for reason, events in ledger.dead_reasons():
        out.print(on_one_line(f"{counted(events, 'event')} dead: {reason}", _LONGEST))
    for name, words in odd[:_SHOWN_FILES]:
        err.print(on_one_line(f"{name}: {words}", _LONGEST), style="yellow")
    if len(odd) > _SHOWN_FILES:
        err.print(f"{counted(len(odd) - _SHOWN_FILES, 'more file')}; see raw.export_files", style="yellow")
    if not settings.delivers and waiting:
        out.print(f"Dry run, since SEGMENT_WRITE_KEY is not set: the requests are in {DRY_RUN_DIR}")
    return True


def _print_report(settings: Settings, *, is_new: bool, has_failed: bool) -> None:
    """The location of the page, if this command wrote it, or if it can be seen at once that an earlier one did."""
    report = destination_of(settings)
    if is_new or (report.folder is not None and (report.folder / REPORT_PAGE).exists()):
        of_before = "" if is_new or not has_failed else " of an earlier run, since this one failed before its report"
        out.print(f"The report{of_before}: {report.shown(REPORT_PAGE)}")


def _print_next(settings: Settings) -> None:
    if settings.brand:
        command = f"python -m pipeline --env-file {ENV_FILE}"
        out.print(f"Next: `{command} sql` (tables), `{command} status` (each date)", soft_wrap=True)
        return
    out.print("Next: `make ui` (steps), `make sql` (tables), `python -m pipeline status` (each date)")
