"""What is new in the location, compared with what `raw.export_files` remembers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from pipeline.exports.layouts import Layout
from pipeline.exports.locations import ExportLocation
from pipeline.exports.matching import Landed, Unmatched, match

FileKey = tuple[date, str]


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
        same_file = (self.size, self.modified_at) == (seen.file.size, seen.file.modified_at)
        if isinstance(seen, Unmatched):
            return same_file and self.status == "unmatched" and self.reason == seen.reason
        return same_file and self.layout_fingerprint == seen.layout.fingerprint


@dataclass(frozen=True)
class Look:
    """One look at the location: every file that can be loaded, and every other with its reason."""

    landed: Sequence[Landed]
    unmatched: Sequence[Unmatched]

    def new_dates(self, known: Mapping[FileKey, KnownFile]) -> set[date]:
        """Export dates with a file that is new, changed, or under a changed layout."""
        return {seen.export_date for seen in self.landed if not is_known(seen, known)}


def is_known(seen: Landed | Unmatched, known: Mapping[FileKey, KnownFile]) -> bool:
    """Whether this very file was dealt with before."""
    before = known.get((seen.export_date, seen.file.name))
    return before is not None and before.looks_like(seen)


def look(location: ExportLocation, layouts: Sequence[Layout], today: date) -> Look:
    """List the location and match every file with its layout.

    Raises:
        LocationError: the location can't be read.
    """
    matches = [match(file, layouts, today) for file in location.files()]
    return Look(
        landed=[m for m in matches if isinstance(m, Landed)],
        unmatched=[m for m in matches if isinstance(m, Unmatched)],
    )


def known_files(connection: duckdb.DuckDBPyConnection) -> dict[FileKey, KnownFile]:
    """The current row of every file in `raw.export_files`."""
    rows = connection.execute(
        "SELECT export_date, name, size, modified_at, sha256, layout_fingerprint, status, reason "
        "FROM raw.export_files WHERE status <> 'replaced' ORDER BY loaded_at"
    ).fetchall()
    return {(row[0], row[1]): KnownFile(*row[2:]) for row in rows}
