"""Prepare the files of an export date: fetch, hash, decrypt, check and parse them, which needs no table of `raw`.

A file from a slow server takes minutes, in which other writers use the warehouse.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
from rich.filesize import decimal

from pipeline.errors import FileChanged, FileRefused, FileUnreadable
from pipeline.exports.archives import left_out, pieces
from pipeline.exports.decryption import decrypted
from pipeline.exports.discovery import FileKey, KnownFiles, former_layouts, is_known
from pipeline.exports.formats import FORMATS
from pipeline.exports.formats.rows import ExportInput, FileRows, unreadable
from pipeline.exports.listing import ExportFile
from pipeline.exports.locations import ExportLocation, LocalCopy
from pipeline.exports.matching import MatchedFile
from pipeline.exports.promises import check_md5, promise_of
from pipeline.exports.row_rules import rejected_rows
from pipeline.filesystems.temporary_files import temporary_folder
from pipeline.finding import some
from pipeline.masking import file_name
from pipeline.openpgp import SecretKey
from pipeline.orchestration.system_errors import naming
from pipeline.warehouse import has_rows, one_value

Connection = duckdb.DuckDBPyConnection
# The sha256 of a file and the fingerprint of its layout.
_Content = tuple[str | None, str | None]


@dataclass(frozen=True)
class ParsedFile:
    """A file as one of its layouts reads it; `rows` is None where it has no rows at all.

    `suspect_rows` counts rows in which a value looks like several rows; `suspect_line` is the first such line.
    `warnings` are what to review in the file, and `promised_rows` is the number of rows that is announced of it.
    """

    rows: FileRows | None
    promised_rows: int | None = None
    suspect_rows: int = 0
    suspect_line: int | None = None
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Refusal:
    """Why a file can't be loaded. Without a `sha256`, it could not be read at all; the next run retries it."""

    reason: str
    sha256: str | None


@dataclass(frozen=True)
class PreparedFile:
    """A file, read for all of its layouts (`matches`).

    `parsed` has what became of each layout, by name. A layout is left out if its content appears to be loaded, by the
    tables as they were before. `refusal` is that of a file that can't be read at all.
    """

    matches: Sequence[MatchedFile]
    sha256: str | None = None
    parsed: Mapping[str, ParsedFile | Refusal] = field(default_factory=dict)
    refusal: Refusal | None = None
    is_known: bool = False
    # The file, its ready marker or its first part was removed or changed.
    is_missing: bool = False

    @property
    def key(self) -> FileKey:
        """The export date and the name of the file."""
        return self.matches[0].key

    @property
    def is_read(self) -> bool:
        """Whether its bytes were read to the end."""
        return self.sha256 is not None


@dataclass
class Preparer:
    """Prepares files. `connection` parses them, and needs no warehouse; `known` are the files that were known before.

    `done` is called with each file and layout that was parsed, and its number of rows.
    """

    connection: Connection
    location: ExportLocation
    known: KnownFiles
    reload: bool = False
    key: SecretKey | None = None
    log: Callable[[str], None] = lambda _: None
    done: Callable[[MatchedFile, int], None] = lambda _matched, _rows: None
    # Which events are loaded already, with one file that has them.
    _loaded: dict[_Content, FileKey] = field(default_factory=dict)
    # Files that are parsed even if they appear to be loaded.
    _always: set[FileKey] = field(default_factory=set)

    def __post_init__(self) -> None:
        for key, layouts in self.known.items():
            for one in layouts.values():
                if one.status == "loaded" and one.rows:
                    self._loaded.setdefault((one.sha256, one.layout_fingerprint), key)

    def is_known(self, matches: Sequence[MatchedFile]) -> bool:
        """Whether nothing has to be done for a file."""
        return not self.reload and all(is_known(matched, self.known) for matched in matches)

    def parse_always(self, key: FileKey) -> None:
        """From now on, parse this file even if it appears to be loaded."""
        self._always.add(key)

    def prepare(self, matches: Sequence[MatchedFile], folder: Path) -> PreparedFile:
        """Prepare a file, given once for each of its layouts. Its rows are in `folder`, which is made; they can be
        written as long as it exists.

        Raises:
            LocationError: nothing can be read there anymore.
            duckdb.Error, OSError: the machine failed.
        """
        if self.is_known(matches):
            return PreparedFile(matches, is_known=True)
        folder.mkdir()
        try:
            with self.location.local(matches[0].file) as copy:
                return PreparedFile(matches, copy.sha256, self._all_parsed(matches, copy, folder))
        except (FileNotFoundError, FileChanged):
            return PreparedFile(matches, is_missing=True)
        except FileUnreadable as error:
            return PreparedFile(matches, refusal=Refusal(str(error), None))

    def _all_parsed(
        self, matches: Sequence[MatchedFile], copy: LocalCopy, folder: Path
    ) -> dict[str, ParsedFile | Refusal]:
        """The file by each layout, up to the first one that refuses it: then no other loads it."""
        found: dict[str, ParsedFile | Refusal] = {}
        for number, matched in enumerate(matches):
            if self._appears_loaded(matched, copy.sha256):
                continue
            self.log(f"reading {file_name(matched.file.name)} ({decimal(matched.file.size)}) as {matched.layout.name}")
            kept = folder / f"{number}"
            kept.mkdir()
            try:
                parsed = self._parse(matched, copy, kept)
            except FileRefused as error:
                found[matched.layout.name] = refused(matched, str(error), copy.sha256)
                break
            except duckdb.DataError as error:  # a value that can't be computed with is the file's own fault, too
                found[matched.layout.name] = refused(matched, unreadable(matched.layout, error), copy.sha256)
                break
            found[matched.layout.name] = parsed
            records = parsed.rows.records if parsed.rows is not None else 0
            if records:
                self._loaded.setdefault((copy.sha256, matched.layout.fingerprint), matched.key)
            self.done(matched, records)
        return found

    def _appears_loaded(self, matched: MatchedFile, sha256: str) -> bool:
        """Whether the same bytes are loaded with the same layout: of this file, or of another one if they are events.
        Whoever has the tables decides.
        """
        if matched.key in self._always:
            return False
        if not self.reload and is_loaded(matched, sha256, self.known):
            return True
        other = self._loaded.get((sha256, matched.layout.fingerprint))
        return matched.layout.kind == "events" and other is not None and other != matched.key

    def _parse(self, matched: MatchedFile, copy: LocalCopy, kept: Path) -> ParsedFile:
        promise = promise_of(self.location, matched)
        with temporary_folder() as folder, naming(folder):
            path = decrypted(copy.path, matched.file.name, folder, self.key)
            if promise.md5 is not None:
                check_md5(copy.path, path, promise.md5)
            first_part = self._first_part(matched.first_part) if matched.first_part else None
            file = ExportInput(self.connection, matched.layout, path, folder, kept, first_part)
            rows = FORMATS[matched.layout.format].read(file)
            warnings = [] if rows is not None or pieces(path) else ["it is an archive with no file in it"]
            if ignored := left_out(path):
                named = some([repr(member) for member in ignored])
                are = "is" if len(ignored) == 1 else "are"
                warnings.append(f"the archive also contains {named}, which {are} ignored")
            if rows is None:
                return ParsedFile(None, promise.rows, warnings=warnings)
            suspect = self._suspect_rows(rows)
            rejected = rejected_rows(rows, matched.layout, matched.export_date)
            rows = rows.detached(lambda: suspect > 0 or has_rows(self.connection, f"{rejected} LIMIT 1"))
            line = None
            if suspect:
                first = rows.located("SELECT min(row_number) AS row_number FROM temp.suspect_rows")
                line = one_value(self.connection, f"SELECT line FROM ({first})")
            return ParsedFile(rows, promise.rows, suspect, line, warnings)

    def _suspect_rows(self, rows: FileRows) -> int:
        if rows.suspect_rows is None:
            return 0
        self.connection.execute(f"CREATE OR REPLACE TEMP TABLE suspect_rows AS {rows.suspect_rows}")
        return int(one_value(self.connection, "SELECT count(*) FROM temp.suspect_rows"))

    def _first_part(self, file: ExportFile) -> Callable[[], AbstractContextManager[Path]]:
        """Opens the first part of a split export, decrypted."""

        @contextmanager
        def opened() -> Iterator[Path]:
            with self.location.local(file) as copy, temporary_folder() as folder:
                yield decrypted(copy.path, file.name, folder, self.key)

        return opened


def is_loaded(matched: MatchedFile, sha256: str | None, known: KnownFiles) -> bool:
    """Whether a file with these bytes need not be loaded: it is, by its layout, and by none that is no longer its own.

    Only a newer load makes the models drop the events of a former layout.
    """
    before = known.get(matched.key, {}).get(matched.layout.name)
    is_same = sha256 is not None and before is not None and before.is_loaded_from(sha256, matched.layout)
    return is_same and not former_layouts(matched, known)


def refused(matched: MatchedFile, reason: str, sha256: str | None) -> Refusal:
    """The refusal of a file by one of its layouts, which is named if it has several."""
    by = f"layout {matched.layout.name}: " if matched.other_layouts else ""
    return Refusal(by + reason, sha256)
