"""Load export files into `raw`: each file once for each of its layouts, by its bytes; each date in one transaction.

Files are prepared before the writer's turn, and what is in the tables is looked up again in it: another process may
have written to them meanwhile.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import count
from pathlib import Path
from tempfile import gettempdir

import duckdb

from pipeline.errors import WarehouseError
from pipeline.exports.date_writer import DateWriter, NotParsed, Restart
from pipeline.exports.discovery import Discovered, FileKey, is_known, known_files
from pipeline.exports.export_files import LoadedFile, record_unmatched
from pipeline.exports.locations import ExportLocation
from pipeline.exports.matching import MatchedFile
from pipeline.exports.preparing import PreparedFile, Preparer, Refusal
from pipeline.exports.writer_turns import WriterTurns
from pipeline.filesystems.temporary_files import temporary_folder
from pipeline.openpgp import SecretKey
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
) -> Loaded:
    """The same as `load_in_turns` for a writer that has a connection, and need not let others write meanwhile."""
    turns = WriterTurns(lambda: nullcontext(connection))
    with connection.cursor() as reader:
        preparer = Preparer(reader, location, known_files(connection), reload, key, log)
        return load_in_turns(turns, preparer, discovered, settled, now=now)


def load_in_turns(
    turns: WriterTurns,
    preparer: Preparer,
    discovered: Discovered,
    settled: Callable[[], Discovered] | None = None,
    *,
    now: datetime | None = None,
) -> Loaded:
    """Load the files into `raw`. A file whose bytes and layouts are known is skipped, unless the preparer reloads; a
    file that was removed from the location keeps its rows, and so does one whose new bytes are refused. If one layout
    of a file refuses it, no other loads it. Rows of suppressed people are counted and not kept; `suppression.refresh`
    has read the list over the same connection.

    The files of each date are prepared without the writer's turn, and written in one. The last turn is not released.

    Files may be discovered before it is certain that they are complete. `settled` then returns those that are. The
    first call may wait: it comes after a date has been prepared, and without the turn. It is called again in each turn,
    and may leave out files whose layout turned out to be unusable. A date with other files by then is prepared again.

    Raises:
        WarehouseError: the machine or the store failed; nothing of the date was loaded.
    """
    _ensure_a_temporary_folder()
    loader = _Loader(turns, preparer, settled or (lambda: discovered), now or datetime.now(UTC))
    first = _by_date(discovered)
    files: list[LoadedFile] = []
    for day in sorted(first):
        files += loader.load_date(day, loader.files_of(day, first))
    complete = loader.complete()
    for day in sorted(complete.keys() - first.keys()):
        files += loader.load_date(day, complete[day])
    files += loader.note_unmatched()
    return Loaded(files, loader.unchanged)


def _by_date(discovered: Discovered) -> _ByDate:
    by_date: dict[date, list[MatchedFile]] = defaultdict(list)
    for matched in discovered.matched:
        by_date[matched.export_date].append(matched)
    return by_date


def _by_file(files: Sequence[MatchedFile]) -> list[list[MatchedFile]]:
    """The matches of each file, in the order in which its layouts load it."""
    by_file: dict[FileKey, list[MatchedFile]] = defaultdict(list)
    for matched in files:
        by_file[matched.key].append(matched)
    return list(by_file.values())


def _ensure_a_temporary_folder() -> None:
    """Without a writable temporary folder, `tempfile` raises FileNotFoundError, as a missing export would."""
    try:
        gettempdir()
    except FileNotFoundError as error:
        raise WarehouseError(f"The files can't be loaded: {error.strerror}") from None


@contextmanager
def _of_date(day: date) -> Iterator[None]:
    """Errors of DuckDB that are not a file's fault: a refusal would outlast a full disk."""
    try:
        yield
    except duckdb.Error as error:
        raise WarehouseError(
            f"The files of {day} can't be loaded: {str(error).splitlines()[0]}; nothing was recorded, and the next run "
            "reads them again"
        ) from None


@dataclass
class _Loader:
    turns: WriterTurns
    preparer: Preparer
    settled: Callable[[], Discovered]
    now: datetime
    unchanged: int = 0
    # The load that wrote last in a turn of this process.
    _load: Load | None = None
    _discovered: Discovered | None = None
    _complete: _ByDate = field(default_factory=dict)

    def files_of(self, day: date, discovered: _ByDate) -> Sequence[MatchedFile]:
        """The complete files of a date; those that were discovered as long as it is not certain."""
        return discovered[day] if self._discovered is None else self.complete().get(day, [])

    def complete(self) -> _ByDate:
        """The complete files by date, once that is certain."""
        discovered = self.settled()
        if discovered is not self._discovered:
            self._discovered, self._complete = discovered, _by_date(discovered)
        return self._complete

    def load_date(self, day: date, files: Sequence[MatchedFile]) -> list[LoadedFile]:
        """Load all files of a date in one transaction, if these are the complete files of the date.

        Most failures happen while a file is prepared. If one fails while its rows are written, the transaction restarts
        without it.
        """
        refusals: dict[FileKey, Refusal] = {}
        with temporary_folder() as folder:
            prepared = _PreparedFiles(self.preparer, folder)
            while True:
                if prepared.lacks(files):
                    self.turns.release()
                    with _of_date(day):
                        prepared.add(files)
                if (complete := self.complete().get(day, [])) != files:
                    prepared.drop_failed()
                    files = complete
                    continue
                if all(self.preparer.is_known(matches) for matches in _by_file(files)):
                    self.unchanged += len(_by_file(files))
                    return []
                connection = self.turns.take()
                if self.complete().get(day, []) != files:  # a layout can't be used, as this turn shows
                    continue
                try:
                    with _of_date(day), transaction(connection):
                        writer = DateWriter(connection, self.preparer, day, self._next_load(connection), refusals)
                        results = writer.write(prepared.of(files))
                except NotParsed as error:
                    self.preparer.parse_always(error.key)
                    prepared.drop(error.key)
                except Restart:
                    pass
                else:
                    self.unchanged += writer.unchanged
                    self._load = writer.load if results else None
                    return results

    def _next_load(self, connection: Connection) -> Load:
        """This load, under a further number if another one has written meanwhile."""
        last = last_load_number(connection)
        if self._load is None or self._load.number != last:
            return Load(last + 1, self.now)
        return self._load

    def note_unmatched(self) -> list[LoadedFile]:
        """Record the files that no layout matches."""
        self.complete()
        assert self._discovered is not None
        unmatched = self._discovered.unmatched
        if all(is_known(each, self.preparer.known) for each in unmatched):
            self.unchanged += len(unmatched)
            return []
        connection = self.turns.take()
        known = known_files(connection)
        new = [each for each in unmatched if not is_known(each, known)]
        self.unchanged += len(unmatched) - len(new)
        if new:
            with transaction(connection):
                record_unmatched(connection, new, self._next_load(connection))
        return [LoadedFile(each.file.name, each.export_date, None, "unmatched", reason=each.reason) for each in new]


class _PreparedFiles:
    """The prepared files of a date, in a folder; each is prepared once."""

    def __init__(self, preparer: Preparer, folder: Path) -> None:
        self._preparer = preparer
        self._folder = folder
        self._files: dict[FileKey, PreparedFile] = {}
        self._numbers = count()

    def lacks(self, files: Sequence[MatchedFile]) -> bool:
        """Whether one of these has yet to be prepared."""
        return any(self._lacks(matches) and not self._preparer.is_known(matches) for matches in _by_file(files))

    def add(self, files: Sequence[MatchedFile]) -> None:
        """Prepare those that are lacking; raises as `Preparer.prepare` does."""
        for matches in filter(self._lacks, _by_file(files)):
            file = self._preparer.prepare(matches, self._folder / f"{next(self._numbers)}")
            self._files[file.key] = file

    def of(self, files: Sequence[MatchedFile]) -> list[PreparedFile]:
        """These files, in this order."""
        return [self._files[matches[0].key] for matches in _by_file(files)]

    def drop(self, key: FileKey) -> None:
        """Forget a file, so that it is prepared again."""
        del self._files[key]

    def drop_failed(self) -> None:
        """Forget the files that could not be read."""
        self._files = {key: file for key, file in self._files.items() if file.is_read or file.is_known}

    def _lacks(self, matches: Sequence[MatchedFile]) -> bool:
        file = self._files.get(matches[0].key)
        return file is None or file.matches != matches
