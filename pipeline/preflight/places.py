"""Points about places that a run writes to."""

import os
from pathlib import Path

from pipeline.errors import PipelineError
from pipeline.filesystems.destination import Destination
from pipeline.filesystems.remote_files import warning_of
from pipeline.preflight.points import Point, failed, ok, warning
from pipeline.settings import Settings

_REPORT = "REPORT"


def report_point(settings: Settings) -> Point:
    """Whether the report page can be written; to a URL, a test file is written and removed."""
    destination = Destination(settings.report, _REPORT)
    if destination.folder is not None:
        return writable(_REPORT, destination.folder, "is the folder of the report page")
    try:
        if not destination.exists():
            return ok(_REPORT, f"{destination.shown()} does not exist yet; the first run creates it")
        destination.try_out()
    except PipelineError as error:
        return failed(_REPORT, str(error))
    if (insecure := warning_of(settings.report)) is not None:
        return warning(_REPORT, insecure)
    return ok(_REPORT, f"{destination.shown()} can be written")


def writable(subject: str, path: Path, content: str) -> Point:
    """Whether a file or folder can be written, or created where it does not exist yet."""
    existing = next(each for each in (path, *path.parents) if each.exists())
    if not os.access(existing, os.W_OK):
        return failed(subject, f"{existing} can't be written; change its owner or mode, or the setting")
    if existing == path:
        return ok(subject, f"{path} {content}, and can be written")
    return ok(subject, f"{path} does not exist yet; the first run creates it")
