"""Points about the exports: their location, their layouts, and the list of suppressed people."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.errors import LayoutError, PipelineError
from pipeline.exports.discovery import Discovered, discover
from pipeline.exports.file_names import unescaped
from pipeline.exports.layout_files import layout_paths, read_layout, read_layouts
from pipeline.exports.layouts import Layout
from pipeline.exports.locations import ExportLocation
from pipeline.exports.matching import NO_LAYOUT, PatternTimeouts, Unmatched
from pipeline.exports.property_registry import check_properties
from pipeline.filesystems.remote_files import warning_of
from pipeline.finding import counted, plural, some
from pipeline.preflight.points import Point, checked, failed, ok, warning
from pipeline.preflight.reading import newest_files
from pipeline.privacy.suppression_list import check
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse

# A date, such as the one in a file's name.
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_LOCATION, _SUPPRESSED = "SELLIGENT_EXPORTS", "SELLIGENT_SUPPRESSED"


def export_points(settings: Settings, *, reads: bool = False) -> Iterator[Point]:
    """The location with its files, each layout with the files that it matches now and, if it `reads`, with what the
    newest of them contains, and the suppressed people.
    """
    read, wrong = _layouts(settings.selligent_layouts)
    yield from wrong or _columns(settings, list(read.values()))
    try:
        with ExportLocation(settings.selligent_exports, follow_links=settings.selligent_follow_links) as location:
            discovered = discover(location, list(read.values()), settings.loadable_dates())
            shown = location.shown
            contents = list(newest_files(location, discovered, settings.pgp_key)) if reads else []
    except PipelineError as error:
        yield failed(_LOCATION, str(error))
    else:
        if (insecure := warning_of(settings.selligent_exports)) is not None:
            yield warning(_LOCATION, insecure)
        yield _location(shown, discovered)
        yield from _files_of_layouts(read, discovered)
        yield from _ignored(discovered, all_layouts=not wrong)
        yield from contents
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
        with Warehouse.of(settings).impatient().reading_if_any() as connection:
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
    timeouts, others = PatternTimeouts(), [unescaped(each.file.base_name) for each in discovered.unmatched]
    matched = Counter(each.layout.name for each in discovered.matched)
    newest = {
        each.layout.name: each.export_date for each in sorted(discovered.matched, key=lambda one: one.export_date)
    }
    for path, layout in read.items():
        subject = f"layout {path.name}"
        if layout.name in newest:
            files = counted(matched[layout.name], "file")
            yield ok(subject, f"matches {files}, the newest of {newest[layout.name]}")
        elif fitting := sum(_fits(timeouts, layout, name) for name in others):
            yield warning(subject, f"none of the {counted(fitting, 'file')} with such a name can be loaded, see below")
        else:
            yield warning(subject, f"matches no file; compare its pattern with the names: {layout.pattern.pattern}")


def _fits(timeouts: PatternTimeouts, layout: Layout, name: str) -> bool:
    try:
        return timeouts.fullmatch(layout, name) is not None
    except TimeoutError:  # the reason of the file names the layout
        return False


def _ignored(discovered: Discovered, *, all_layouts: bool) -> Iterator[Point]:
    """Ignored files by reason, whatever the dates in it; without files that a layout with a mistake may match."""
    by_reason: dict[str, list[Unmatched]] = defaultdict(list)
    for each in discovered.unmatched:
        if all_layouts or each.reason != NO_LAYOUT:
            by_reason[_DATE.sub("", each.reason)].append(each)
    for ignored in by_reason.values():
        names = some([repr(each.file.name) for each in ignored])
        yield warning("files", f"{counted(len(ignored), 'file')} ignored ({names}): {ignored[0].reason}")
    for waiting in discovered.waiting:
        yield ok("files", f"{waiting.file.name!r} waits: {waiting.reason}")


def _suppressed(location: str | None) -> Point:
    people = check(location)
    return ok(
        _SUPPRESSED,
        f"lists {counted(people.user_ids, 'user id')} and {people.emails:,} email "
        f"{plural(people.emails, 'address', 'addresses')}",
    )
