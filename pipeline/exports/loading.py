"""Load export files into `raw`: each file once for each of its layouts, by its bytes; each date in one transaction."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from tempfile import gettempdir
from typing import Any

import duckdb
from rich.filesize import decimal

from pipeline.errors import FileChanged, FileRefused, FileUnreadable, WarehouseError
from pipeline.exports.archives import left_out, pieces
from pipeline.exports.decryption import decrypted
from pipeline.exports.discovery import Discovered, FileKey, KnownFile, KnownFiles, former_layouts, is_known, known_files
from pipeline.exports.export_files import LoadedFile, record_file, record_time, record_unmatched
from pipeline.exports.formats import FORMATS
from pipeline.exports.formats.rows import ExportInput, unreadable
from pipeline.exports.listing import ExportFile
from pipeline.exports.locations import ExportLocation, LocalCopy
from pipeline.exports.matching import MatchedFile, Unmatched
from pipeline.exports.promises import check_md5, has_promised_rows, promise_of
from pipeline.exports.row_writer import WrittenRows, write_rows
from pipeline.filesystems.temporary_files import temporary_folder
from pipeline.finding import some
from pipeline.masking import file_name
from pipeline.openpgp import SecretKey
from pipeline.orchestration.system_errors import naming
from pipeline.privacy.suppression import any_suppressed
from pipeline.warehouse import transaction
from pipeline.warehouse.loads import Load, last_load_number

Connection = duckdb.DuckDBPyConnection
_ByDate = Mapping[date, Sequence[MatchedFile]]


@dataclass(frozen=True)
class Loaded:
    """The files of some dates, as they were loaded: each once for each of its layouts. `unchanged` counts files."""

    files: Sequence[LoadedFile]
    unchanged: int

    def count(self, status: str) -> int:
        """Files with this status."""
        return len({(file.export_date, file.name) for file in self.files if file.status == status})

    def total(self, number: str, *, lookups: bool = False) -> int:
        """Sum of `rows`, `skipped`, `rejected` or `suppressed` over the files as events (or as lookups)."""
        return sum(getattr(file, number) for file in self.files if (file.kind != "events") == lookups)


@dataclass
class _Loader:
    connection: Connection
    location: ExportLocation
    this: Load
    known: KnownFiles
    reload: bool
    log: Callable[[str], None]
    done: Callable[[MatchedFile, LoadedFile], None]
    suppressing: bool
    key: SecretKey | None
    unchanged: int = 0
    refused: dict[FileKey, "_Refused"] = field(default_factory=dict)
    missing: set[FileKey] = field(default_factory=set)
    # Whether the current file has changed a table.
    written: bool = False

    def exclude(self, failed: "_Failed") -> None:
        """Exclude a file that can't be loaded, so that its date is loaded without it."""
        if isinstance(failed, _Refused):
            self.refused[failed.key] = failed
        else:
            self.missing.add(failed.key)


def load(
    connection: Connection,
    location: ExportLocation,
    discovered: Discovered,
    settled: Callable[[], Discovered] | None = None,
    *,
    reload: bool = False,
    key: SecretKey | None = None,
    now: datetime | None = None,
    log: Callable[[str], None] = lambda _: None,
    done: Callable[[MatchedFile, LoadedFile], None] = lambda _matched, _loaded: None,
) -> Loaded:
    """Load the files into `raw`. A file whose bytes and layouts are known is skipped, unless `reload`; a file that was
    removed from the location keeps its rows, and so does one whose new bytes are refused. If one layout of a file
    refuses it, no other loads it. Rows of suppressed people are counted and not kept; `suppression.refresh` has read
    the list over the same connection. `key` decrypts files. `done` is called after each file and layout that is not
    skipped, perhaps twice.

    Files may be discovered before it is certain that they are complete. `settled` then returns those that are. It may
    wait: it is called after a date has been read and before it is committed. A date with other files by then is read
    again.

    Raises:
        WarehouseError: the machine or the store failed; nothing of the date was loaded.
    """
    _ensure_a_temporary_folder()
    this = Load(last_load_number(connection) + 1, now or datetime.now(UTC))
    known, suppressing = known_files(connection), any_suppressed(connection)
    loader = _Loader(connection, location, this, known, reload, log, done, suppressing, key)
    complete = cache(settled or (lambda: discovered))
    of_dates = cache(lambda: _by_date(complete()))
    first = _by_date(discovered)
    files: list[LoadedFile] = []
    for day in sorted(first):
        files += _load_date(loader, day, first[day], of_dates)
    for day in sorted(of_dates().keys() - first.keys()):
        files += _load_date(loader, day, of_dates()[day], of_dates)
    files += _note_unmatched(loader, complete().unmatched)
    return Loaded(files, loader.unchanged)


def _by_date(discovered: Discovered) -> _ByDate:
    by_date: dict[date, list[MatchedFile]] = defaultdict(list)
    for matched in discovered.matched:
        by_date[matched.export_date].append(matched)
    return by_date


def _ensure_a_temporary_folder() -> None:
    """Without a writable temporary folder, `tempfile` raises FileNotFoundError, as a missing export would."""
    try:
        gettempdir()
    except FileNotFoundError as error:
        raise WarehouseError(f"The files can't be loaded: {error.strerror}") from None


def _load_date(
    loader: _Loader, day: date, files: Sequence[MatchedFile], of_dates: Callable[[], _ByDate]
) -> list[LoadedFile]:
    """Load all files of a date in one transaction, which is committed if these are the complete files of the date.

    Most failures happen before a file changes a table. If a file fails after its old rows were deleted, the transaction
    restarts without it. The remaining files are first tried one by one, so that the restart happens only once and each
    file is read at most twice.
    """
    while True:
        unchanged = loader.unchanged
        try:
            with transaction(loader.connection):
                loaded = [result for matches in _by_file(files) for result in _load_file(loader, matches)]
                if (complete := of_dates().get(day, [])) != files:
                    raise _Unsettled
                return loaded
        except _Unsettled:
            files, loader.unchanged = complete, unchanged
            loader.refused.clear()
            loader.missing.clear()
        except _Failed as failed:
            loader.exclude(failed)
            by_file = _by_file(files)
            keys = [matches[0].key for matches in by_file]
            _try_each(loader, by_file[keys.index(failed.key) + 1 :])
            loader.unchanged = unchanged
        except duckdb.Error as error:  # not the file's fault: a refusal would outlast a full disk
            raise _not_loaded(day, error) from None


def _by_file(files: Sequence[MatchedFile]) -> list[list[MatchedFile]]:
    """The matches of each file, in the order in which its layouts load it."""
    by_file: dict[FileKey, list[MatchedFile]] = defaultdict(list)
    for matched in files:
        by_file[matched.key].append(matched)
    return list(by_file.values())


def _try_each(loader: _Loader, by_file: Sequence[Sequence[MatchedFile]]) -> None:
    for matches in by_file:
        try:
            with transaction(loader.connection):
                _load_file(loader, matches)
                raise _Tried
        except _Tried:
            continue
        except _Failed as failed:
            loader.exclude(failed)
        except duckdb.Error as error:
            raise _not_loaded(matches[0].export_date, error) from None


def _not_loaded(day: date, error: duckdb.Error) -> WarehouseError:
    return WarehouseError(
        f"The files of {day} can't be loaded: {str(error).splitlines()[0]}; nothing was recorded, and the next run "
        "reads them again"
    )


class _Unsettled(Exception):
    """Ends a transaction whose files turned out to be incomplete, or not all files of the date."""


class _Tried(Exception):
    """Ends a trial transaction."""


class _Failed(Exception):
    """A file that is excluded from its date."""

    def __init__(self, key: FileKey) -> None:
        super().__init__(key)
        self.key = key


class _Refused(_Failed):
    """Without a `sha256`, the file could not be read at all; the next run retries it."""

    def __init__(self, key: FileKey, reason: str, sha256: str | None) -> None:
        super().__init__(key)
        self.reason = reason
        self.sha256 = sha256


class _Missing(_Failed):
    """The file, its ready marker or its first part was removed or changed."""


def _load_file(loader: _Loader, matches: Sequence[MatchedFile]) -> list[LoadedFile]:
    loader.written = False
    try:
        return _load_or_fail(loader, matches)
    except _Failed as failed:
        if loader.written:
            raise
        loader.exclude(failed)
        return _load_or_fail(loader, matches)


def _load_or_fail(loader: _Loader, matches: Sequence[MatchedFile]) -> list[LoadedFile]:
    """Load a file by all of its layouts, or by none."""
    file, key = matches[0].file, matches[0].key
    if key in loader.missing:
        loader.log(
            f"{file_name(file.name)}, its ready marker or the first part of its export was removed or changed "
            "while being read; the next run tries again"
        )
        return []
    if (refused := loader.refused.get(key)) is not None:
        return [_note_refused(loader, matched, refused) for matched in matches]
    results: list[LoadedFile] = []
    if loader.reload or not all(is_known(matched, loader.known) for matched in matches):
        try:
            with loader.location.local(file) as copy:
                results = [result for matched in matches if (result := _take(loader, matched, copy)) is not None]
        except (FileNotFoundError, FileChanged):
            raise _Missing(key) from None
        except FileUnreadable as error:
            raise _Refused(key, str(error), None) from None
    loader.unchanged += not results
    return results


def _before(loader: _Loader, matched: MatchedFile) -> KnownFile | None:
    return loader.known.get(matched.key, {}).get(matched.layout.name)


def _result(matched: MatchedFile, kind: str | None, status: str, **further: Any) -> LoadedFile:
    return LoadedFile(matched.file.name, matched.export_date, kind, status, layout=matched.layout.name, **further)


def _note_refused(loader: _Loader, matched: MatchedFile, refused: _Refused) -> LoadedFile:
    before, result = _before(loader, matched), _result(matched, None, "refused", reason=refused.reason)
    noted = before is not None and (before.status, before.sha256, before.reason) == ("refused", None, refused.reason)
    if not noted:  # a file that can't be read for weeks has one row
        record_file(loader.connection, matched, refused.sha256, result, loader.this)
    return result


def _take(loader: _Loader, matched: MatchedFile, copy: LocalCopy) -> LoadedFile | None:
    before = _before(loader, matched)
    if (
        not loader.reload
        and before is not None
        and before.is_loaded_from(copy.sha256, matched.layout)
        and not former_layouts(matched, loader.known)  # only a newer load makes models drop their events
    ):
        if not before.is_unchanged(matched):
            record_time(loader.connection, matched)
        return None
    if (other := _same_bytes(loader, matched, copy)) is not None:
        _remove_rows(loader, matched)
        result = _result(matched, None, "duplicate", reason=f"is identical to {other}")
        record_file(loader.connection, matched, copy.sha256, result, loader.this)
        return result
    loader.log(f"reading {file_name(matched.file.name)} ({decimal(matched.file.size)}) as {matched.layout.name}")
    try:
        result = _replace(loader, matched, copy)
    except FileRefused as error:
        raise _refused(matched, str(error), copy) from None
    except duckdb.DataError as error:  # a value that can't be computed with is the file's own fault, too
        raise _refused(matched, unreadable(matched.layout, error), copy) from None
    record_file(loader.connection, matched, copy.sha256, result, loader.this)
    loader.done(matched, result)
    return result


def _refused(matched: MatchedFile, reason: str, copy: LocalCopy) -> _Refused:
    """The refusal of a file by one of its layouts, which is named if it has several."""
    by = f"layout {matched.layout.name}: " if matched.other_layouts else ""
    return _Refused(matched.key, by + reason, copy.sha256)


def _replace(loader: _Loader, matched: MatchedFile, copy: LocalCopy) -> LoadedFile:
    promise = promise_of(loader.location, matched)
    with temporary_folder() as folder, naming(folder):
        path = decrypted(copy.path, matched.file.name, folder, loader.key)
        if promise.md5 is not None:
            check_md5(copy.path, path, promise.md5)
        first_part = _first_part(loader, matched.first_part) if matched.first_part else None
        file = ExportInput(loader.connection, matched.layout, path, folder, first_part)
        rows = FORMATS[matched.layout.format].read(file)
        _remove_rows(loader, matched)
        if rows is not None:
            written = write_rows(loader.connection, matched, rows, loader.this, suppressing=loader.suppressing)
        else:
            written = WrittenRows(warning=None if pieces(path) else "it is an archive with no file in it")
        ignored = left_out(path)
    if promise.rows is not None and not has_promised_rows(promise.rows, written, rows):
        raise FileRefused(
            f"{promise.rows:,} rows are announced by its name or its ready marker, but it has {written.rows:,}; "
            "have it sent again"
        )
    warnings = [written.warning] if written.warning else []
    if ignored:
        named = some([repr(member) for member in ignored])
        warnings.append(f"the archive also contains {named}, which {'is' if len(ignored) == 1 else 'are'} ignored")
    numbers = {name: value for name, value in vars(written).items() if name != "warning"}
    reason = "; ".join(warnings) or None
    return _result(matched, matched.layout.kind, "loaded", reason=reason, **numbers)


def _first_part(loader: _Loader, file: ExportFile) -> Callable[[], AbstractContextManager[Path]]:
    """Opens the first part of a split export, decrypted."""

    @contextmanager
    def opened() -> Iterator[Path]:
        with loader.location.local(file) as copy, temporary_folder() as folder:
            yield decrypted(copy.path, file.name, folder, loader.key)

    return opened


def _same_bytes(loader: _Loader, matched: MatchedFile, copy: LocalCopy) -> str | None:
    """Another file with these bytes, if they are events; a repeated lookup counts as a newer snapshot."""
    if matched.layout.kind != "events":
        return None
    found = loader.connection.execute(
        "SELECT name FROM raw.export_files WHERE status = 'loaded' AND rows > 0 AND sha256 = ? "
        "AND layout_fingerprint = ? AND (name <> ? OR export_date <> ?)",
        [copy.sha256, matched.layout.fingerprint, matched.file.name, matched.export_date],
    ).fetchone()
    return found[0] if found else None


def _remove_rows(loader: _Loader, matched: MatchedFile) -> None:
    """Remove the file's rows but for those of its other layouts: also those of layouts that no longer match it."""
    loader.written = True
    for table in ("raw.events", "raw.rejected_rows", "raw.lookups"):
        loader.connection.execute(
            f"DELETE FROM {table} WHERE export_date = ? AND file = ? "
            "AND NOT list_contains(?::VARCHAR[], coalesce(layout, ''))",
            [matched.export_date, matched.file.name, matched.other_layouts],
        )


def _note_unmatched(loader: _Loader, unmatched: Sequence[Unmatched]) -> list[LoadedFile]:
    new = [each for each in unmatched if not is_known(each, loader.known)]
    loader.unchanged += len(unmatched) - len(new)
    results = [
        LoadedFile(matched.file.name, matched.export_date, None, "unmatched", reason=matched.reason) for matched in new
    ]
    if new:
        with transaction(loader.connection):
            record_unmatched(loader.connection, new, loader.this)
    return results
