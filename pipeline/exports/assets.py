"""The tables of `raw` as one multi-asset: the export files are read once for all of them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date
from functools import cache

import dagster as dg
import duckdb
from pydantic import Field

from pipeline.export_dates import ExportDates
from pipeline.exports.checks import (
    broken_layouts,
    future_events,
    missing_dates,
    placeholder_dates,
    suspect_quotes,
    unknown_codes,
    unread_files,
    unusual_volumes,
)
from pipeline.exports.discovery import FileKey, is_known
from pipeline.exports.event_id_checks import shared_event_ids
from pipeline.exports.file_checks import many_rejected, repeated_files, without_person
from pipeline.exports.loading import Loaded, load_in_turns
from pipeline.exports.matching import MatchedFile
from pipeline.exports.preparing import Preparer
from pipeline.exports.property_values import unreadable_properties
from pipeline.exports.raw_writing import RawWriting
from pipeline.exports.resources import Exports
from pipeline.exports.row_accounting import rows_accounted_for
from pipeline.exports.writer_turns import WriterTurns
from pipeline.filesystems.remote_files import warning_of
from pipeline.masking import file_name
from pipeline.orchestration import markdown
from pipeline.orchestration.asset_checks import Check, results
from pipeline.orchestration.asset_keys import raw_table
from pipeline.orchestration.long_steps import Progress, every_minute
from pipeline.orchestration.metadata import PARTITION_ROWS, add_by_date, preview, summed
from pipeline.orchestration.partitions import EXPORT_DATES, ONE_RUN, dates_of
from pipeline.orchestration.resources import WarehouseResource
from pipeline.orchestration.run_locks import release_lock
from pipeline.privacy.suppression_list import Suppressed
from pipeline.warehouse.in_memory import in_memory

_DESCRIPTIONS = {
    "export_files": "One row for each file, layout and content: its number of rows, and its status. Look here first if "
    "a file seems to be missing.",
    "events": "Every data row of the export files, as text, with its file and row number. The layout "
    "decides whether a row becomes an event, is skipped (known but not needed), or is rejected with a reason.",
    "rejected_rows": "Every row that could not be read or used: file, line, reason, and the row itself. No row is "
    "dropped silently.",
    "lookups": "Names and contacts from lookup files: all snapshots, of which the newest is used.",
    "suppressed": "People who are not loaded, modelled or delivered, as hashes: the list of SELLIGENT_SUPPRESSED.",
}


class LoadConfig(dg.Config):
    """How files are loaded."""

    reload: bool = Field(
        default=False, description="Also read files that were already loaded with the same bytes and layout."
    )


Metadata = dict[str, dg.MetadataValue | float | int | str]


ACCOUNTS = Check(
    "every_row_is_accounted_for",
    raw_table("events"),
    "Rows in a file = events + skipped + rejected + suppressed, file by file.",
    blocking=True,
)
FILES = Check(
    "every_file_is_read",
    raw_table("export_files"),
    "No file of these dates is refused, and every new file matches a layout.",
)
LAYOUTS = Check(
    "every_layout_is_usable",
    raw_table("export_files"),
    "Every layout can be read and contradicts no other one. Otherwise the files of the others are loaded.",
)
REPEATED = Check(
    "no_file_came_twice",
    raw_table("export_files"),
    "No new file has the content of another one; such a file is not loaded again.",
)
EVENT_CHECKS = {
    Check(
        "every_person_column_is_found",
        raw_table("export_files"),
        "Every file has the columns by which its layout identifies the person: user id, email, Selligent user id.",
    ): without_person,
    Check(
        "few_rows_are_rejected",
        raw_table("rejected_rows"),
        "No file has far more rejected rows than its layout usually has: at most 5% of its rows more.",
    ): many_rejected,
    Check(
        "no_event_is_in_the_future",
        raw_table("events"),
        "No event is more than five minutes later than its loading. If at least ten events and a tenth of a file are, "
        "the layout reads the date-times wrongly, and the run stops.",
        blocking=True,
    ): future_events,
    Check(
        "every_date_time_is_a_moment",
        raw_table("events"),
        "No date-time is a placeholder for a missing one, such as 1900-01-01, 1970-01-01 or 9999-12-31.",
    ): placeholder_dates,
    Check(
        "every_event_id_is_of_one_event",
        raw_table("events"),
        "Rows of one file that share an event_id have the same person and time, and event ids don't begin anew with "
        "each file.",
    ): shared_event_ids,
    Check(
        "every_event_code_is_known",
        raw_table("events"),
        "Every event code is listed in its layout; rows with any other code are rejected.",
    ): unknown_codes,
    Check(
        "every_property_is_of_its_type",
        raw_table("events"),
        "Every value of a property that a layout declares can be read as the declared type; others are null.",
    ): unreadable_properties,
    Check(
        "no_value_holds_rows",
        raw_table("events"),
        "No quoted value contains lines with all columns of a row, which is a sign of stray quotes.",
    ): suspect_quotes,
    Check(
        "no_date_is_missing",
        raw_table("events"),
        "Every layout has an export on each date on which its weekday usually has one.",
    ): missing_dates,
    Check(
        "volume_is_as_usual",
        raw_table("events"),
        "Every export has between half and twice the rows that its weekday had in the weeks before.",
    ): unusual_volumes,
}


@dg.multi_asset(
    name="raw",
    specs=[
        dg.AssetSpec(
            raw_table(table), group_name="raw", description=description, kinds={"csv", "duckdb"}, skippable=True
        )
        for table, description in _DESCRIPTIONS.items()
    ],
    check_specs=[check.spec for check in (ACCOUNTS, FILES, LAYOUTS, REPEATED, *EVENT_CHECKS)],
    can_subset=True,
    partitions_def=EXPORT_DATES,
    backfill_policy=ONE_RUN,
)
def raw(
    context: dg.AssetExecutionContext, config: LoadConfig, exports: Exports, warehouse: WarehouseResource
) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
    """Read each export file of these dates once, identified by its bytes; known files are skipped.

    The step is in no pool: it takes the lock of writers only while it writes, and not while it reads files.
    """
    dates, started = dates_of(context), time.monotonic()
    if warning := warning_of(exports.settings().selligent_exports):
        context.log.warning(f"SELLIGENT_EXPORTS: {warning}")
    with ExitStack() as stack:
        location, layouts = stack.enter_context(exports.location()), exports.layouts()
        look = exports.look(location, layouts)
        progress = stack.enter_context(every_minute(context))
        writing = RawWriting(context, exports.settings(), warehouse.open(), layouts.usable, progress)
        known = writing.known_before()
        first = look.first.without(writing.broken).within(dates)
        new = [matched for matched in first.matched if config.reload or not is_known(matched, known)]

        def log(words: str) -> None:
            context.log.info(words)
            progress.current = words

        reader = stack.enter_context(in_memory())
        progress.watch(reader)
        key, done = exports.settings().pgp_key, _noting(progress, new)
        preparer = Preparer(reader, location, known, config.reload, key, log, done)
        turns = stack.enter_context(WriterTurns(writing.turn))
        complete = cache(lambda broken: look.settled(lambda: known).without(broken))
        of_dates = cache(lambda broken: complete(broken).within(dates))
        loaded = load_in_turns(turns, preparer, first, lambda: of_dates(writing.broken))
        connection, discovered = turns.take(), complete(writing.broken)
        for file in discovered.waiting:
            context.log.info(f"{file_name(file.file.name)} waits: {file.reason}")
        accounts = rows_accounted_for(connection, dates)
        files = unread_files(connection, dates, writing.last_load, discovered.names)
        repeated = repeated_files(connection, writing.last_load, dates)
        event_checks = {check: found(connection, dates) for check, found in EVENT_CHECKS.items()}
        counts = _rows_in_tables(connection, dates)
        rows = preview(
            connection, "SELECT * FROM raw.events WHERE export_date BETWEEN ? AND ?", [dates.first, dates.last]
        )
    lock_seconds = release_lock(context)
    seconds = time.monotonic() - started - lock_seconds.get("seconds_waiting_for_lock", 0.0)
    for key in sorted(context.selected_asset_keys):
        table = key.path[-1]
        metadata = _metadata(table, loaded, writing.people) | {"seconds": round(seconds, 1)} | lock_seconds
        if table in counts:
            numbers = {day: {PARTITION_ROWS: rows} for day, rows in counts[table].items()}
            add_by_date(context, key, numbers)
            metadata = summed(numbers) | metadata
        if key == raw_table("events"):
            metadata |= {"preview": rows, "rows_per_second": round(loaded.total("rows") / seconds)}
        yield dg.MaterializeResult(asset_key=key, metadata=metadata)
    checks = {ACCOUNTS: accounts, FILES: files, LAYOUTS: broken_layouts(discovered), REPEATED: repeated, **event_checks}
    yield from results(checks, context.selected_asset_check_keys)


def _noting(progress: Progress, new: Sequence[MatchedFile]) -> Callable[[MatchedFile, int], None]:
    """Notes each file that is read, with its rows; bytes decide how much is left, since rows are known only afterwards.

    To write the rows takes less time than to read a file, and the next file of another date is read only then.
    """
    of_all, of_files = sum(matched.file.size for matched in new), len({matched.key for matched in new})
    files = set[FileKey]()
    read = rows = 0

    def note(matched: MatchedFile, of_file: int) -> None:
        nonlocal read, rows
        files.add(matched.key)
        read, rows = read + matched.file.size, rows + of_file
        words = f"{len(files):,} of {max(len(files), of_files):,} files and {rows:,} rows"
        progress.note(min(read / of_all, 1.0) if of_all else 0.0, rows, "rows", words)

    return note


def _rows_in_tables(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> dict[str, dict[date, int]]:
    """The rows of each of these dates in the tables, from this and earlier runs."""
    counts = {table: dict.fromkeys(dates, 0) for table in ("events", "rejected_rows", "lookups")}
    query = " UNION ALL ".join(
        f"SELECT '{table}', export_date, count(*) FROM raw.{table} WHERE export_date BETWEEN $1 AND $2 GROUP BY 2"
        for table in counts
    )
    for table, day, rows in connection.execute(query, [dates.first, dates.last]).fetchall():
        counts[table][day] = rows
    return counts


def _metadata(table: str, loaded: Loaded, people: Suppressed) -> Metadata:
    if table == "suppressed":
        return {"user_ids": people.user_ids, "emails": people.emails}
    lookups = table == "lookups"
    common: Metadata = {
        "files_loaded": loaded.count("loaded"),
        "files_unchanged": loaded.unchanged,
        "files_refused": loaded.count("refused"),
        "files_unmatched": loaded.count("unmatched"),
        "files_sent_again": loaded.count("duplicate"),
    }
    if table == "export_files":
        return common | {"files": dg.MetadataValue.md(files_as_markdown(loaded))}
    return common | {
        "rows": loaded.total("rows", lookups=lookups),
        "skipped": loaded.total("skipped", lookups=lookups),
        "rejected": loaded.total("rejected", lookups=lookups),
        "suppressed": loaded.total("suppressed", lookups=lookups),
    }


def files_as_markdown(loaded: Loaded) -> str:
    """The files that this step processed, as a table without their content."""
    if not loaded.files:
        return "No file is new or changed."
    numbers = ["rows", "skipped", "rejected", "suppressed"]
    rows = [
        (
            file.export_date,
            file.name,
            file.layout or "",
            file.status,
            *(getattr(file, number) for number in numbers),
            file.reason,
        )
        for file in loaded.files
    ]
    return markdown.table(["date", "file", "layout", "status", *numbers, "reason"], rows, numbers)
