"""What is new in the location, compared with what `raw.export_files` remembers."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cache
from posixpath import splitext

import duckdb

from pipeline.exports.layouts import Layout
from pipeline.exports.listing import ExportFile
from pipeline.exports.locations import ExportLocation
from pipeline.exports.matching import Landed, Patience, Unmatched, match
from pipeline.warehouse import Warehouse

FileKey = tuple[date, str]
# A file that stayed as it was for so long is complete.
SETTLING = timedelta(seconds=5)


@dataclass(frozen=True)
class KnownFile:
    """The newest that `raw.export_files` says of a file."""

    size: int
    modified_at: datetime
    sha256: str | None
    layout_fingerprint: str | None
    status: str
    reason: str | None

    def has_bytes(self, sha256: str, layout: Layout) -> bool:
        """Whether these very bytes were loaded with this very layout."""
        return (self.status, self.sha256, self.layout_fingerprint) == ("loaded", sha256, layout.fingerprint)

    def looks_like(self, seen: Landed | Unmatched) -> bool:
        """Whether the file needs no second reading: same size, same time, same layout (or same reason for none)."""
        if self.status == "refused" and self.sha256 is None:  # it could not be read at all, so it is tried again
            return False
        same_file = (self.size, self.modified_at) == (seen.file.size, seen.file.modified_at)
        if isinstance(seen, Unmatched):
            return same_file and self.status == "unmatched" and self.reason == seen.reason
        return same_file and self.layout_fingerprint == seen.layout.fingerprint


@dataclass(frozen=True)
class Incomplete:
    """A file that will be loaded as soon as it is complete, and what it lacks."""

    file: ExportFile
    export_date: date
    reason: str


@dataclass(frozen=True)
class Look:
    """One look at the location: every file that can be loaded, and every other with its reason."""

    landed: Sequence[Landed]
    unmatched: Sequence[Unmatched]
    waiting: Sequence[Incomplete] = ()

    @property
    def names(self) -> set[str]:
        """The files that are there, whatever can be made of them."""
        seen: Sequence[Landed | Unmatched | Incomplete] = [*self.landed, *self.unmatched, *self.waiting]
        return {each.file.name for each in seen}

    def new_dates(self, known: Mapping[FileKey, KnownFile]) -> set[date]:
        """Export dates with a file that is new, changed, or under a changed layout."""
        return {seen.export_date for seen in self.landed if not is_known(seen, known)}


def is_known(seen: Landed | Unmatched, known: Mapping[FileKey, KnownFile]) -> bool:
    """Whether this very file was dealt with before."""
    before = known.get((seen.export_date, seen.file.name))
    return before is not None and before.looks_like(seen)


def look(location: ExportLocation, layouts: Sequence[Layout], today: date, patience: Patience | None = None) -> Look:
    """List the location and match every file with its layout; `patience` is that of an earlier look.

    Raises:
        LocationError: the location can't be read.
    """
    files = location.files()
    markers = tuple({layout.ready_marker for layout in layouts if layout.ready_marker})
    patience = patience or Patience()
    matches = [match(file, layouts, today, patience) for file in files if file.fault or not file.name.endswith(markers)]
    readable = {file.name: file for file in files if not file.fault}
    landed, waiting = _complete([m for m in matches if isinstance(m, Landed)], readable)
    return Look(landed, [m for m in matches if isinstance(m, Unmatched)], waiting)


class Watch:
    """Since when files have looked as they do now, by a clock that only goes forward (in seconds).

    Whether a file is still being written shows in nothing but its change: its time is by the clock of whatever writes
    it, which may be hours behind or ahead of this machine's, as may this machine's be after it was set.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[ExportFile, float] = {}

    def note(self, files: Iterable[ExportFile]) -> None:
        """Take down what a look has found; what it has not found is forgotten."""
        now = self._clock()
        self._since = {file: self._since.get(file, now) for file in files}

    def seconds_left(self, file: ExportFile) -> float:
        """How long a file that was noted still has to stay as it is, to be taken for complete."""
        return self._since[file] + SETTLING.total_seconds() - self._clock()


@cache
def watch_over(_url: str) -> Watch:
    """What this process has seen of a location: the look of the command that starts a run counts for its steps, too."""
    return Watch()


def look_twice(
    location: ExportLocation,
    layouts: Sequence[Layout],
    known: Callable[[], Mapping[FileKey, KnownFile]],
    watch: Watch,
    today: Callable[[], date],
    sleep: Callable[[float], None],
) -> Look:
    """The same, but a file that is new or changed is looked at again some seconds after it was first seen so: if it has
    changed once more, or if another has begun, it is still being written, and waits for the next run. A file with a
    ready marker is complete, and so is one that is known; `known` is only asked where that matters.

    Raises:
        LocationError: the location can't be read.
        WarehouseError: what is known can't be read.
    """
    patience = Patience()
    first = look(location, layouts, today(), patience)
    watch.note(seen.file for seen in first.landed)
    open_files = [seen for seen in first.landed if _may_grow(seen) and watch.seconds_left(seen.file) > 0]
    if open_files:
        before = known()
        open_files = [seen for seen in open_files if not is_known(seen, before)]
    if not open_files:
        return first
    sleep(max(0.0, *(watch.seconds_left(seen.file) for seen in open_files)))
    second = look(location, layouts, today(), patience)
    watch.note(seen.file for seen in second.landed)
    unchanged = {seen.file for seen in first.landed}
    growing = [seen for seen in second.landed if _may_grow(seen) and seen.file not in unchanged]
    names = {seen.file.name for seen in growing}
    return Look(
        [seen for seen in second.landed if seen.file.name not in names],
        second.unmatched,
        [*second.waiting, *(_waits(seen, "is still being written") for seen in growing)],
    )


def _may_grow(seen: Landed) -> bool:
    return seen.marker is None


def _waits(seen: Landed, reason: str) -> Incomplete:
    return Incomplete(seen.file, seen.export_date, reason)


def _complete(landed: Sequence[Landed], files: Mapping[str, ExportFile]) -> tuple[list[Landed], list[Incomplete]]:
    """Files with their ready marker and their first part; those that lack one wait."""
    ready, waiting = [], []
    parts: dict[tuple[str, str], list[Landed]] = defaultdict(list)
    for seen in landed:
        if seen.part is not None:
            parts[seen.layout.name, seen.export].append(seen)
    first_parts = {export: min(siblings, key=lambda one: one.part or 0) for export, siblings in parts.items()}
    for seen in landed:
        marker = _marker(seen, files)
        first = first_parts.get((seen.layout.name, seen.export), seen)
        if seen.layout.ready_marker and marker is None:
            waiting.append(_waits(seen, f"its ready marker ({seen.layout.ready_marker}) is not there yet"))
        elif first.part is not None and first.part > 1:
            waiting.append(_waits(seen, "the first part of its export, with the header, is not there yet"))
        else:
            first_part = None if first is seen else first.file
            ready.append(replace(seen, marker=marker, first_part=first_part))
    return ready, waiting


def _marker(seen: Landed, files: Mapping[str, ExportFile]) -> ExportFile | None:
    """The ready marker beside a file: named as the file is, with or without what its name ends in."""
    if seen.layout.ready_marker is None:
        return None
    unpacked = seen.file.name[: seen.file.name.rfind("/") + 1] + seen.file.base_name
    names = (
        f"{name}{seen.layout.ready_marker}"
        for name in (seen.file.name, unpacked, splitext(seen.file.name)[0], splitext(unpacked)[0])
    )
    return next((files[name] for name in names if name in files), None)


def known_files(connection: duckdb.DuckDBPyConnection) -> dict[FileKey, KnownFile]:
    """The current row of every file in `raw.export_files`; a duplicate only as long as the other file stands there, and
    never of a lookup, which former versions took for one. Of a file whose newer bytes were refused the refusal is what
    is current; its row stands beside the one of the bytes that were loaded.
    """
    rows = connection.execute(
        "SELECT export_date, name, size, modified_at, sha256, layout_fingerprint, status, reason "
        "FROM raw.export_files WHERE status <> 'replaced' AND (status <> 'duplicate' OR kind = 'events' AND sha256 IN "
        "(SELECT sha256 FROM raw.export_files WHERE status = 'loaded')) ORDER BY status = 'refused'"
    ).fetchall()
    return {(row[0], row[1]): KnownFile(*row[2:]) for row in rows}


def known_in(warehouse: Warehouse) -> dict[FileKey, KnownFile]:
    """The same of a warehouse that may not be there yet.

    Raises:
        WarehouseError: it can't be opened.
    """
    with warehouse.reading_if_any() as connection:
        return known_files(connection) if connection is not None else {}
