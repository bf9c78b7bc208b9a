"""The form of the write key. It is a module of its own, since a run warns of it too, before it imports a client."""

import re

from pipeline.preflight.points import Point, ok, warning
from pipeline.settings import Settings
from pipeline.settings.settings import ENDPOINTS

KEY = "SEGMENT_WRITE_KEY"
# Every write key that Segment shows has this form; its documents do not promise it.
_USUAL = re.compile(r"[A-Za-z0-9]{32}")


def key_point(settings: Settings) -> Point:
    """The form of the write key, without any part of it."""
    if settings.segment_write_key is None:
        return ok(KEY, "is not set: runs are dry runs, which write the requests to files and send nothing")
    key = settings.segment_write_key.get_secret_value()
    if settings.segment_endpoint != ENDPOINTS[settings.segment_region]:
        return ok(KEY, "is set; its form is not checked, since events do not go to Segment's own endpoint")
    if not _USUAL.fullmatch(key):
        return warning(
            KEY,
            f"has {len(key)} characters and is not of the usual form, 32 letters and digits; compare it with the "
            "source's settings, API Keys: Segment also accepts events with a wrong key, and loses them",
        )
    return ok(KEY, "has the usual form, 32 letters and digits")
