"""Discovery of the files in the location, compared with `raw.export_files`."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from posixpath import splitext

import duckdb

from pipeline.export_dates import ExportDates
from pipeline.exports.file_names import unescaped
from pipeline.exports.layout_files import BrokenLayout
from pipeline.exports.layouts import Layout
from pipeline.exports.listing import ExportFile
from pipeline.exports.locations import ExportLocation
from pipeline.exports.matching import NO_LAYOUT, MatchedFile, PatternTimeouts, Unmatched, match
from pipeline.warehouse import Warehouse

# The export date and the name of a file.
FileKey = tuple[date, str]
# A file that has not changed for this long is complete.
SETTLING = timedelta(seconds=5)


@dataclass(frozen=True)
class KnownFile:
    """The newest row of a file and a layout in `raw.export_files`; `rows` is the number of its rows."""

    size: int
    modified_at: datetime
    sha256: str | None
    layout_fingerprint: str | None
    status: str
    reason: str | None
    rows: int = 0

    def is_loaded_from(self, sha256: str, layout: Layout) -> bool:
        """Whether these bytes were loaded with this layout."""
        return (self.status, self.sha256, self.layout_fingerprint) == ("loaded", sha256, layout.fingerprint)

    def is_unchanged(self, matched: MatchedFile | Unmatched) -> bool:
        """Whether the file need not be read again: same size, time and layout (or the same reason for none)."""
        if self.status == "refused" and self.sha256 is None:  # it could not be read at all, so it is retried
            return False
        same_file = (self.size, self.modified_at) == (matched.file.size, matched.file.modified_at)
        if isinstance(matched, Unmatched):
            return same_file and self.status == "unmatched" and self.reason == matched.reason
        return same_file and self.layout_fingerprint == matched.layout.fingerprint


# By file, and by the name of its layout; None is that of an unmatched file.
KnownFiles = Mapping[FileKey, Mapping[str | None, KnownFile]]


@dataclass(frozen=True)
class Incomplete:
    """A file that is loaded as soon as it is complete, with what it lacks."""

    file: ExportFile
    export_date: date
    reason: str


@dataclass(frozen=True)
class Discovered:
    """The files of one listing: those that can be loaded, and all others with their reason."""

    matched: Sequence[MatchedFile]
    unmatched: Sequence[Unmatched]
    waiting: Sequence[Incomplete] = ()
    # Files that may belong to a layout with a mistake. They are neither loaded nor recorded until it is corrected.
    undecided: Sequence[ExportFile] = ()
    broken: Sequence[BrokenLayout] = ()

    @property
    def names(self) -> set[str]:
        """The names of all files in the location."""
        matched: Sequence[MatchedFile | Unmatched | Incomplete] = [*self.matched, *self.unmatched, *self.waiting]
        return {each.file.name for each in matched} | {file.name for file in self.undecided}

    def without(self, broken: Sequence[BrokenLayout]) -> "Discovered":
        """The same, where these layouts turned out to be broken, too."""
        names = {layout.name for layout in broken}
        of_these = {matched.file: None for matched in self.matched if names & set(matched.layouts)}
        return replace(
            self,
            matched=[matched for matched in self.matched if matched.file not in of_these],
            undecided=[*self.undecided, *of_these],
            broken=[*self.broken, *broken],
        )

    def within(self, dates: ExportDates) -> "Discovered":
        """Those of these dates, and unmatched files of any date, since no run would be requested for them."""
        return replace(self, matched=[matched for matched in self.matched if matched.export_date in dates])

    def new_dates(self, known: KnownFiles) -> set[date]:
        """Export dates with a file that is new or changed, or whose layouts changed."""
        return {matched.export_date for matched in self.matched if not is_known(matched, known)}


def is_known(matched: MatchedFile | Unmatched, known: KnownFiles) -> bool:
    """Whether this file, as it is now, was processed before: by its layout, and by none that is no longer its own."""
    of_file = known.get((matched.export_date, matched.file.name), {})
    before = of_file.get(None if isinstance(matched, Unmatched) else matched.layout.name)
    if before is None or not before.is_unchanged(matched):
        return False
    return isinstance(matched, Unmatched) or not former_layouts(matched, known)


def former_layouts(matched: MatchedFile, known: KnownFiles) -> list[str | None]:
    """Layouts that loaded or refused this file and no longer match it; None if it had none meanwhile. A refused file
    keeps the rows of all layouts, so for its own layout those that loaded it are none.
    """
    of_file = known.get(matched.key, {})
    own = of_file.get(matched.layout.name)
    is_refused = own is not None and own.status == "refused"
    return [
        layout
        for layout, before in of_file.items()
        if layout not in matched.layouts and not (is_refused and before.status == "loaded")
    ]


def discover(
    location: ExportLocation,
    layouts: Sequence[Layout],
    loadable: ExportDates,
    timeouts: PatternTimeouts | None = None,
    broken: Sequence[BrokenLayout] = (),
) -> Discovered:
    """List the location and match every file with its layouts; raises LocationError. Files of other export dates than
    the `loadable` ones are unmatched. Several calls share `timeouts`. Files that may belong to a `broken` layout are
    undecided.
    """
    files = location.files()
    markers = tuple({layout.ready_marker for layout in layouts if layout.ready_marker})
    timeouts = timeouts or PatternTimeouts()
    matched: list[MatchedFile] = []
    unmatched: list[Unmatched] = []
    undecided: list[ExportFile] = []
    for file in files:
        if not file.fault and file.name.endswith(markers):
            continue
        found = match(file, layouts, loadable, timeouts)
        if _may_be_of(file, found, broken, timeouts):
            undecided.append(file)
        elif isinstance(found, Unmatched):
            unmatched.append(found)
        else:
            matched += found
    readable = {file.name: file for file in files if not file.fault}
    complete, waiting = _complete(matched, readable)
    return Discovered(complete, unmatched, waiting, undecided, broken)


def _may_be_of(
    file: ExportFile,
    found: Sequence[MatchedFile] | Unmatched,
    broken: Sequence[BrokenLayout],
    timeouts: PatternTimeouts,
) -> bool:
    """Whether a file may belong to one of these layouts: it would then be read otherwise, or no longer be read."""
    if file.fault:
        return False
    if isinstance(found, Unmatched) and found.reason == NO_LAYOUT and any(one.pattern is None for one in broken):
        return True
    name = unescaped(file.base_name)
    try:
        return any(timeouts.fullmatch(layout, name) for layout in broken)
    except TimeoutError:
        return True


class Watch:
    """How long each file has been unchanged, by a monotonic clock (in seconds).

    Only a change shows that a file is still being written. Its modification time comes from the clock of the writer,
    which may be hours behind or ahead of this machine's.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[ExportFile, float] = {}

    def note(self, files: Iterable[ExportFile]) -> None:
        """Note the files of a listing, and drop all others."""
        now = self._clock()
        self._since = {file: self._since.get(file, now) for file in files}

    def seconds_left(self, file: ExportFile) -> float:
        """How many seconds a noted file must stay unchanged until it is complete."""
        return self._since[file] + SETTLING.total_seconds() - self._clock()


@cache
def shared_watch(_url: str) -> Watch:
    """The watch of this process over a location; a run's steps share it with the command that starts the run."""
    return Watch()


class Look:
    """A listing, and a second one some seconds later. Between them, files can be read, and not yet be committed.

    A file that has changed by the second listing, or is new then, is still being written and waits for the next run. A
    file with a ready marker is complete, and so is a known one. Raises as `discover` does.
    """

    def __init__(
        self,
        location: ExportLocation,
        layouts: Sequence[Layout],
        watch: Watch,
        loadable: Callable[[], ExportDates],
        sleep: Callable[[float], None],
        broken: Sequence[BrokenLayout] = (),
    ) -> None:
        timeouts = PatternTimeouts()
        self._discover: Callable[[], Discovered] = lambda: discover(location, layouts, loadable(), timeouts, broken)
        self._watch = watch
        self._sleep = sleep
        self._settled: Discovered | None = None
        self.first = self._discover()
        watch.note(matched.file for matched in self.first.matched)

    def settled(self, known: Callable[[], KnownFiles]) -> Discovered:
        """The files that are complete, once that is certain; the first listing, if it needs no second one. `known` is
        called only if needed, and is as of the first listing. Raises as `discover` and `known` do.
        """
        if self._settled is None:
            self._settled = self._second(known)
        return self._settled

    def _second(self, known: Callable[[], KnownFiles]) -> Discovered:
        first, watch = self.first, self._watch
        open_files = [each for each in first.matched if not each.marker and watch.seconds_left(each.file) > 0]
        if open_files:
            before = known()
            open_files = [matched for matched in open_files if not is_known(matched, before)]
        if not open_files:
            return first
        self._sleep(max(0.0, *(watch.seconds_left(matched.file) for matched in open_files)))
        second = self._discover()
        watch.note(matched.file for matched in second.matched)
        unchanged = {matched.file for matched in first.matched}
        growing = {
            matched.file: matched for matched in second.matched if not matched.marker and matched.file not in unchanged
        }
        return replace(
            second,
            matched=[matched for matched in second.matched if matched.file not in growing],
            waiting=[*second.waiting, *(_waits(matched, "is still being written") for matched in growing.values())],
        )


def _waits(matched: MatchedFile, reason: str) -> Incomplete:
    return Incomplete(matched.file, matched.export_date, reason)


def _complete(
    matches: Sequence[MatchedFile], files: Mapping[str, ExportFile]
) -> tuple[list[MatchedFile], list[Incomplete]]:
    """Files with their ready marker and their first part. A file that lacks either one for any of its layouts waits for
    all of them, since it is loaded as a whole.
    """
    ready: list[MatchedFile] = []
    waiting: dict[ExportFile, Incomplete] = {}
    parts: dict[tuple[str, str], list[MatchedFile]] = defaultdict(list)
    for matched in matches:
        if matched.part is not None:
            parts[matched.layout.name, matched.export].append(matched)
    first_parts = {export: min(siblings, key=lambda one: one.part or 0) for export, siblings in parts.items()}
    for matched in matches:
        marker = _marker(matched, files)
        first = first_parts.get((matched.layout.name, matched.export), matched)
        if matched.layout.ready_marker and marker is None:
            reason = f"its ready marker ({matched.layout.ready_marker}) is not there yet"
            waiting.setdefault(matched.file, _waits(matched, reason))
        elif first.part is not None and first.part > 1:
            reason = "the first part of its export, with the header, is not there yet"
            waiting.setdefault(matched.file, _waits(matched, reason))
        else:
            first_part = None if first is matched else first.file
            ready.append(replace(matched, marker=marker, first_part=first_part))
    return [matched for matched in ready if matched.file not in waiting], list(waiting.values())


def _marker(matched: MatchedFile, files: Mapping[str, ExportFile]) -> ExportFile | None:
    """The ready marker beside a file: the name of the file, with or without its suffix, and the marker's suffix."""
    if matched.layout.ready_marker is None:
        return None
    unpacked = matched.file.name[: matched.file.name.rfind("/") + 1] + matched.file.base_name
    names = (
        f"{name}{matched.layout.ready_marker}"
        for name in (matched.file.name, unpacked, splitext(matched.file.name)[0], splitext(unpacked)[0])
    )
    return next((files[name] for name in names if name in files), None)


def known_files(connection: duckdb.DuckDBPyConnection, day: date | None = None) -> KnownFiles:
    """The current row of every file and layout in `raw.export_files`, or of those of one export date. If newer bytes of
    a file were refused, that is its current row, beside the one of the loaded bytes. A duplicate counts only while the
    other file is there, and never for a lookup: earlier versions treated some lookups as duplicates.
    """
    of_day = f"AND export_date = DATE '{day}' " if day is not None else ""
    rows = connection.execute(
        "SELECT export_date, name, layout, size, modified_at, sha256, layout_fingerprint, status, reason, "
        "coalesce(rows, 0) "
        "FROM raw.export_files WHERE status <> 'replaced' AND (status <> 'duplicate' OR kind = 'events' AND sha256 IN "
        "(SELECT sha256 FROM raw.export_files WHERE status = 'loaded' AND kind = 'events')) "
        f"{of_day}"
        "ORDER BY status = 'refused'"
    ).fetchall()
    known: dict[FileKey, dict[str | None, KnownFile]] = defaultdict(dict)
    for export_date, name, layout, *values in rows:
        known[export_date, name][layout] = KnownFile(*values)
    return dict(known)


def known_in(warehouse: Warehouse) -> KnownFiles:
    """The known files of a warehouse, which may not exist yet. Raises WarehouseError: it can't be opened."""
    with warehouse.reading_if_any() as connection:
        return known_files(connection) if connection is not None else {}
