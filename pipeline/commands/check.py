"""`python -m pipeline check`: the pre-flight, a line a point."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from pipeline.errors import SettingsError
from pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from pipeline.preflight.points import Point

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}
_LONGEST = 1000
# Between the faults of two settings; a sentence may also contain a semicolon.
_FAULT = re.compile(r"; (?=[A-Z][A-Z_]+: )")


@click.command(short_help="Check settings, layouts, places, stores, key and region.")
@click.option("--send-test", is_flag=True, help="Also send one event that is marked as a test to Segment.")
@click.option("--read", "reads", is_flag=True, help="Also read the newest file of each layout, without keeping it.")
def check(send_test: bool, reads: bool) -> int:
    """Check settings, layouts, places, stores, key and region; exit status 1 where a point fails."""
    from pipeline.console import out
    from pipeline.masking import masked, on_one_line
    from pipeline.preflight.points import Outcome

    found = set()
    for point in _points(send_test, reads):
        found.add(point.outcome)
        sentence = on_one_line(masked(point.sentence), _LONGEST)
        out.print(f"{point.outcome:7}  {point.subject}: {sentence}", style=_STYLES[point.outcome])
    return int(Outcome.FAILED in found)


def _points(send_test: bool, reads: bool) -> "Iterator[Point]":
    from pipeline.preflight.exports import export_points
    from pipeline.preflight.places import report_point
    from pipeline.preflight.points import failed, ok
    from pipeline.preflight.segment import segment_points
    from pipeline.preflight.segment import send_test as send
    from pipeline.preflight.stores import store_points

    try:
        settings: Settings = load_settings()
    except SettingsError as error:
        for fault in _FAULT.split(str(error)):
            subject, _, sentence = fault.partition(": ")
            yield failed(subject, sentence)
        return
    yield ok("settings", "every setting has a possible value")
    yield from export_points(settings, reads=reads)
    yield from store_points(settings)
    yield report_point(settings)
    yield from segment_points(settings)
    if send_test:
        yield send(settings)
