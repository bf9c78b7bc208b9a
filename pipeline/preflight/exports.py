"""Points about the exports: their location, their layouts, and the list of suppressed people."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import LayoutError, PipelineError
from pipeline.exports.discovery import Discovered, discover
from pipeline.exports.layout_files import layout_paths, read_layout, read_layouts
from pipeline.exports.layouts import Layout
from pipeline.exports.locations import ExportLocation
from pipeline.exports.property_registry import check_properties
from pipeline.filesystems.remote_files import warning_of
from pipeline.finding import counted, some
from pipeline.preflight.points import Point, checked, failed, ok, warning
from pipeline.privacy.suppression_list import check
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse

_LOCATION, _SUPPRESSED = "SELLIGENT_EXPORTS", "SELLIGENT_SUPPRESSED"


def export_points(settings: Settings) -> Iterator[Point]:
    """The location with its files, each layout with the files that it matches now, and the suppressed people."""
    read, wrong = _layouts(settings.selligent_layouts)
    yield from wrong or _columns(settings, list(read.values()))
    try:
        with ExportLocation(settings.selligent_exports, follow_links=settings.selligent_follow_links) as location:
            discovered = discover(location, list(read.values()), settings.loadable_dates())
            shown = location.shown
    except PipelineError as error:
        yield failed(_LOCATION, str(error))
    else:
        if (insecure := warning_of(settings.selligent_exports)) is not None:
            yield warning(_LOCATION, insecure)
        yield _location(shown, discovered)
        yield from _files_of_layouts(read, discovered)
        yield from _ignored(discovered)
    if settings.selligent_suppressed is not None:
        yield checked(_SUPPRESSED, lambda: _suppressed(settings.selligent_suppressed))


def _layouts(folder: Path) -> tuple[dict[Path, Layout], Sequence[Point]]:
    """The layouts that can be read, by file, and the faults of the others."""
    try:
        paths = layout_paths(folder)
    except LayoutError as error:
        return {}, [failed("layouts", str(error))]
    read: dict[Path, Layout] = {}
    wrong = []
    for path in paths:
        try:
            read[path] = read_layout(path)
        except LayoutError as error:
            wrong.append(failed("layouts", str(error)))
    if not wrong:
        try:
            read_layouts(folder)
        except LayoutError as error:  # each is right, and two contradict each other
            wrong.append(failed("layouts", str(error)))
    return read, wrong


def _columns(settings: Settings, layouts: Sequence[Layout]) -> Iterator[Point]:
    """What is wrong with properties whose columns the event tables have."""
    try:
        with Warehouse.of(settings).reading_if_any() as connection:
            if connection is not None:
                check_properties(connection, layouts)
    except LayoutError as error:
        yield failed("layouts", str(error))
    except PipelineError:
        pass  # a point of its own


def _location(shown: str, discovered: Discovered) -> Point:
    files = len(discovered.names)
    if not files:
        return warning(_LOCATION, f"{shown} contains no file yet; a run loads what arrives there")
    return ok(_LOCATION, f"{shown} contains {counted(files, 'file')}")


def _files_of_layouts(read: dict[Path, Layout], discovered: Discovered) -> Iterator[Point]:
    matched = Counter(each.layout.name for each in discovered.matched)
    newest = {
        each.layout.name: each.export_date for each in sorted(discovered.matched, key=lambda one: one.export_date)
    }
    for path, layout in read.items():
        subject = f"layout {path.name}"
        if layout.name in newest:
            files = counted(matched[layout.name], "file")
            yield ok(subject, f"matches {files}, the newest of {newest[layout.name]}")
        else:
            yield warning(subject, f"matches no file; compare its pattern with the names: {layout.pattern.pattern}")


def _ignored(discovered: Discovered) -> Iterator[Point]:
    if discovered.unmatched:
        reasons = Counter(each.reason for each in discovered.unmatched)
        for reason, files in reasons.most_common():
            names = some([repr(each.file.name) for each in discovered.unmatched if each.reason == reason])
            yield warning("files", f"{counted(files, 'file')} ignored ({names}): {reason}")
    for waiting in discovered.waiting:
        yield ok("files", f"{waiting.file.name!r} waits: {waiting.reason}")


def _suppressed(location: str | None) -> Point:
    people = check(location)
    return ok(_SUPPRESSED, f"lists {people.user_ids:,} user ids and {people.emails:,} email addresses")
