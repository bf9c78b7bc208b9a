"""Points about the rows of the exports: the newest file of each layout, read as a run would read it."""

from collections.abc import Iterator, Sequence

from pipeline.export_dates import EVERY_DATE
from pipeline.exports.discovery import Discovered
from pipeline.exports.export_files import LoadedFile
from pipeline.exports.file_checks import many_rejected, without_person
from pipeline.exports.loading import load
from pipeline.exports.locations import ExportLocation
from pipeline.exports.matching import MatchedFile
from pipeline.filesystems.temporary_files import temporary_folder
from pipeline.finding import counted
from pipeline.masking import file_name
from pipeline.openpgp import SecretKey
from pipeline.preflight.points import Point, failed, ok, warning
from pipeline.warehouse import Warehouse


def newest_files(location: ExportLocation, discovered: Discovered, key: SecretKey | None) -> Iterator[Point]:
    """The newest file of each layout, loaded into a warehouse that exists only meanwhile.

    Raises:
        LocationError: the location can't be read.
        WarehouseError: the machine failed.
    """
    newest: dict[str, MatchedFile] = {}
    for matched in sorted(discovered.matched, key=lambda one: (one.exported_at, one.file.name)):
        newest[matched.layout.name] = matched
    for matched in newest.values():
        with temporary_folder() as folder:
            warehouse = Warehouse(str(folder / "check.duckdb"), "")
            with warehouse.writing() as connection:
                loaded = load(connection, location, Discovered([matched], []), key=key).files
                odd = [check(connection, EVERY_DATE) for check in (many_rejected, without_person)]
                first = connection.execute(
                    "SELECT line, reason FROM raw.rejected_rows ORDER BY line LIMIT 1"
                ).fetchall()
        rejected = "".join(f" (the first in line {line}: {reason})" for line, reason in first)
        yield _point(matched, loaded, rejected, [finding.sentence for finding in odd if not finding.holds])


def _point(matched: MatchedFile, loaded: Sequence[LoadedFile], rejected: str, odd: Sequence[str]) -> Point:
    subject = f"rows of layout {matched.layout.name}"
    name = file_name(matched.file.name)
    if not loaded:
        return warning(subject, f"{name} was removed or changed while being read")
    (file,) = loaded
    if file.status != "loaded":
        return failed(subject, f"{name} is {file.status}: {file.reason}")
    events = file.rows - file.skipped - file.rejected
    counts = f"{name} has {counted(events, 'row')} of {file.kind}, {file.skipped:,} skipped, {file.rejected:,} rejected"
    notes = [*([file.reason] if file.reason else []), *odd]
    if notes:
        return warning(subject, "; ".join([counts, *notes]))
    return ok(subject, counts + rejected)
