"""Export dates, and ranges of them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, order=True)
class ExportDates:
    """A range of export dates, both ends included."""

    first: date
    last: date

    def __contains__(self, day: date) -> bool:
        return self.first <= day <= self.last

    def __iter__(self) -> Iterator[date]:
        return (self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1))

    def __str__(self) -> str:
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"


EVERY_DATE = ExportDates(date.min, date.max)


def ranges(days: Iterable[date]) -> list[ExportDates]:
    """The fewest ranges that contain exactly these dates, in order."""
    found: list[ExportDates] = []
    for day in sorted(set(days)):
        if found and day - found[-1].last == timedelta(days=1):
            found[-1] = ExportDates(found[-1].first, day)
        else:
            found.append(ExportDates(day, day))
    return found
