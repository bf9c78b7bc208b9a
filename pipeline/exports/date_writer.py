"""Write the prepared files of one export date into `raw`, by what is in its tables now."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import duckdb

from pipeline.errors import FileRefused
from pipeline.exports.discovery import FileKey, is_known, known_files
from pipeline.exports.export_files import LoadedFile, record_file, record_time
from pipeline.exports.formats.rows import unreadable
from pipeline.exports.matching import MatchedFile
from pipeline.exports.preparing import ParsedFile, PreparedFile, Preparer, Refusal, is_loaded, refused
from pipeline.exports.promises import has_promised_rows
from pipeline.exports.row_writer import WrittenRows, write_rows
from pipeline.masking import file_name
from pipeline.privacy.suppression import any_suppressed
from pipeline.warehouse.loads import Load


class Restart(Exception):
    """Ends a transaction in which files were refused; the next one records that."""


class NotParsed(Exception):
    """Ends a transaction which needs the rows of a file whose content appeared to be loaded, and no longer is."""

    def __init__(self, key: FileKey) -> None:
        super().__init__(key)
        self.key = key


class DateWriter:
    """Writes the files of a date in the transaction of a connection. `refusals` are those of earlier transactions, and
    get further ones; `unchanged` counts files.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        preparer: Preparer,
        day: date,
        load: Load,
        refusals: dict[FileKey, Refusal],
    ) -> None:
        self.load = load
        self.unchanged = 0
        self._connection = connection
        self._preparer = preparer
        self._known = known_files(connection, day)
        self._refusals = refusals
        self._suppressing = any_suppressed(connection)

    def write(self, files: Sequence[PreparedFile]) -> list[LoadedFile]:
        """Write these files; each is loaded by all of its layouts, or by none.

        Raises:
            Restart: files were refused after their rows were written.
            NotParsed: a file has to be prepared again.
            duckdb.Error: the machine or the store failed.
        """
        refusals = len(self._refusals)
        results = [result for file in files for result in self._write(file)]
        if len(self._refusals) > refusals:
            raise Restart
        return results

    def _write(self, file: PreparedFile) -> list[LoadedFile]:
        reload = self._preparer.reload
        if file.is_known or (not reload and all(is_known(matched, self._known) for matched in file.matches)):
            self.unchanged += 1
            return []
        name = file_name(file.matches[0].file.name)
        if file.is_missing:
            self._preparer.log(
                f"{name}, its ready marker or the first part of its export was removed or changed while being read; "
                "the next run tries again"
            )
            return []
        if self._is_overtaken(file):
            self._preparer.log(
                f"{name} was loaded by another run while being read, with other bytes or another layout, and is left "
                "as it is; the next run compares it again"
            )
            return []
        if (refusal := self._refusals.get(file.key) or file.refusal) is not None:
            return [self._note_refusal(matched, refusal) for matched in file.matches]
        return self._load(file)

    def _is_overtaken(self, file: PreparedFile) -> bool:
        """Whether another process has recorded this file meanwhile as other bytes, or by another layout. Which of the
        two is the newer one can't be known from the clock of the file's writer.
        """
        after = self._known.get(file.key, {})
        if after == self._preparer.known.get(file.key, {}):
            return False
        recorded = [after.get(matched.layout.name) for matched in file.matches]
        return any(
            one is None or (one.sha256, one.layout_fingerprint) != (file.sha256, matched.layout.fingerprint)
            for one, matched in zip(recorded, file.matches, strict=True)
        )

    def _load(self, file: PreparedFile) -> list[LoadedFile]:
        by_layout = [self._due(file, matched) for matched in file.matches]
        refusal = next((due for due in by_layout if isinstance(due, Refusal)), None)
        if refusal is not None:
            return [self._note_refusal(matched, refusal) for matched in file.matches]
        results: list[LoadedFile] = []
        for matched, due in zip(file.matches, by_layout, strict=True):
            match due:
                case None:
                    self._note_time(matched)
                case ParsedFile():
                    try:
                        results.append(self._replace(file, matched, due))
                    except FileRefused as error:
                        self._refusals[file.key] = refused(matched, str(error), file.sha256)
                        return []
                    except duckdb.DataError as error:  # which ends the transaction
                        self._refusals[file.key] = refused(matched, unreadable(matched.layout, error), file.sha256)
                        raise Restart from None
                case str(original):
                    results.append(self._note_copy(file, matched, original))
        self.unchanged += not results
        return results

    def _due(self, file: PreparedFile, matched: MatchedFile) -> ParsedFile | Refusal | str | None:
        """What has to be written for a layout: rows, a refusal, or that the file is a copy of another (its name); None
        if its rows are in the tables already. Raises NotParsed.
        """
        if not self._preparer.reload and is_loaded(matched, file.sha256, self._known):
            return None
        if (original := self._same_bytes(file, matched)) is not None:
            return original
        if (parsed := file.parsed.get(matched.layout.name)) is not None:
            return parsed
        if any(isinstance(other, Refusal) for other in file.parsed.values()):
            return None  # no layout loads the file, so that its rows for this one are not needed
        raise NotParsed(file.key)

    def _same_bytes(self, file: PreparedFile, matched: MatchedFile) -> str | None:
        """Another file with these bytes, if they are events; a repeated lookup counts as a newer snapshot."""
        if matched.layout.kind != "events":
            return None
        found = self._connection.execute(
            "SELECT name FROM raw.export_files WHERE status = 'loaded' AND rows > 0 AND sha256 = ? "
            "AND layout_fingerprint = ? AND (name <> ? OR export_date <> ?)",
            [file.sha256, matched.layout.fingerprint, matched.file.name, matched.export_date],
        ).fetchone()
        return found[0] if found else None

    def _note_time(self, matched: MatchedFile) -> None:
        if not self._known[matched.key][matched.layout.name].is_unchanged(matched):
            record_time(self._connection, matched)

    def _note_refusal(self, matched: MatchedFile, refusal: Refusal) -> LoadedFile:
        before = self._known.get(matched.key, {}).get(matched.layout.name)
        result = _result(matched, None, "refused", reason=refusal.reason)
        of_before = (before.status, before.sha256, before.reason) if before is not None else None
        if of_before != ("refused", None, refusal.reason):  # a file that can't be read for weeks has one row
            record_file(self._connection, matched, refusal.sha256, result, self.load)
        return result

    def _note_copy(self, file: PreparedFile, matched: MatchedFile, original: str) -> LoadedFile:
        self._remove_rows(matched)
        result = _result(matched, None, "duplicate", reason=f"is identical to {original}")
        record_file(self._connection, matched, file.sha256, result, self.load)
        return result

    def _replace(self, file: PreparedFile, matched: MatchedFile, parsed: ParsedFile) -> LoadedFile:
        """Write the rows of a file in place of its former ones.

        Raises:
            FileRefused: some of its rows are missing.
            duckdb.Error: as `write_rows` does.
        """
        self._remove_rows(matched)
        written = WrittenRows()
        if parsed.rows is not None:
            written = write_rows(self._connection, matched, parsed.rows, self.load, suppressing=self._suppressing)
        promised = parsed.promised_rows
        if promised is not None and not has_promised_rows(promised, written, parsed.rows):
            raise FileRefused(
                f"{promised:,} rows are announced by its name or its ready marker, but it has {written.rows:,}; "
                "have it sent again"
            )
        warnings = [*([written.warning] if written.warning else []), *parsed.warnings]
        numbers = {name: value for name, value in vars(written).items() if name != "warning"}
        result = _result(
            matched,
            matched.layout.kind,
            "loaded",
            reason="; ".join(warnings) or None,
            suspect_rows=parsed.suspect_rows,
            suspect_line=parsed.suspect_line,
            **numbers,
        )
        record_file(self._connection, matched, file.sha256, result, self.load)
        return result

    def _remove_rows(self, matched: MatchedFile) -> None:
        """Remove the file's rows but for those of its other layouts: also those of layouts that no longer match it."""
        for table in ("raw.events", "raw.rejected_rows", "raw.lookups"):
            self._connection.execute(
                f"DELETE FROM {table} WHERE export_date = ? AND file = ? "
                "AND NOT list_contains(?::VARCHAR[], coalesce(layout, ''))",
                [matched.export_date, matched.file.name, matched.other_layouts],
            )


def _result(matched: MatchedFile, kind: str | None, status: str, **further: Any) -> LoadedFile:
    return LoadedFile(matched.file.name, matched.export_date, kind, status, layout=matched.layout.name, **further)
