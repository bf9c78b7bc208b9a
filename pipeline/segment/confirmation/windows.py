"""Which stretches of time Segment's Public API is asked about, and how finely.

Limits: Public API docs, "Delivery Overview" (granularity): minutes in windows of up to 4 hours and 48 hours back,
hours in windows of up to 14 days, days in windows of up to 30 days and 30 days back.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

HOURS_BACK, DAYS_BACK = timedelta(days=14), timedelta(days=30)
# Segment counts some minutes late; an event that is younger is neither kept nor lost yet.
LAG = timedelta(minutes=15)
# Segment's clock judges how far back a question reaches, after however many tries.
_MARGIN = timedelta(hours=1)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Granularity(StrEnum):
    """The size of a bucket, in the API's words."""

    MINUTE = "MINUTE"
    HOUR = "HOUR"
    DAY = "DAY"


SIZES = {Granularity.MINUTE: _MINUTE, Granularity.HOUR: _HOUR, Granularity.DAY: _DAY}


@dataclass(frozen=True)
class Window:
    """From `start` up to `end`, which is no part of it; both stand on the edge of a bucket."""

    start: datetime
    end: datetime
    granularity: Granularity


def floor(moment: datetime, size: timedelta) -> datetime:
    """The start of the bucket (in UTC) that a moment is in."""
    return moment - (moment - _EPOCH) % size


def _ceiling(moment: datetime, size: timedelta) -> datetime:
    return moment + (_EPOCH - moment) % size


def counted_until(now: datetime) -> datetime:
    """Up to when Segment's counts can be relied upon."""
    return floor(now - LAG, _MINUTE)


def windows(since: datetime, now: datetime) -> list[Window]:
    """Windows without gap or overlap from the bucket of `since`, or from as far back as Segment counts, to
    `counted_until(now)`: in days where they are older than the API tells hours of, then in hours, and in minutes
    since the last full hour. None where there is nothing in between.
    """
    return list(_windows(since.astimezone(UTC), now.astimezone(UTC)))


def _windows(since: datetime, now: datetime) -> Iterator[Window]:
    until = counted_until(now)
    oldest_day = _ceiling(now - DAYS_BACK + _MARGIN, _DAY)
    hours_from = _ceiling(now - HOURS_BACK + _MARGIN, _DAY)
    minutes_from = floor(until, _HOUR)
    for start, end, granularity in (
        (max(floor(since, _DAY), oldest_day), hours_from, Granularity.DAY),
        (max(floor(since, _HOUR), hours_from), minutes_from, Granularity.HOUR),
        (max(floor(since, _MINUTE), minutes_from), until, Granularity.MINUTE),
    ):
        if since < end and start < end:
            yield Window(start, end, granularity)
