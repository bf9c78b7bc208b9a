"""Options that several commands have."""

from datetime import date, datetime
from typing import Any

import click

from pipeline.errors import SettingsError
from pipeline.export_dates import ExportDates


class _Day(click.DateTime):
    """A day of the calendar, as a moment; also a day that doesn't exist is refused in words."""

    def __init__(self) -> None:
        super().__init__(formats=["%Y-%m-%d"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The day's beginning. Raises BadParameter: it is none."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{str(value)!r} is not a day such as 2024-06-11", param, ctx)


DATE = _Day()


def date_range(first: datetime | None, last: datetime | None, loadable: ExportDates) -> ExportDates | None:
    """The dates of `--from` and `--to`; None without both. `--from` alone: up to the last loadable date; `--to` alone:
    that date. Raises SettingsError: a date is not loadable, or they are in the wrong order.
    """
    if first is None and last is None:
        return None
    for option, moment in (("--from", first), ("--to", last)):
        if moment is not None:
            _check(option, moment.date(), loadable)
    end = last.date() if last else loadable.last
    start = first.date() if first else end
    if start > end:
        raise SettingsError(f"--from: {start} is after {end}")
    return ExportDates(start, end)


def _check(option: str, day: date, loadable: ExportDates) -> None:
    if day < loadable.first:
        raise SettingsError(f"{option}: {day} is before FIRST_EXPORT_DATE ({loadable.first})")
    if day > loadable.last:
        raise SettingsError(f"{option}: {day} is in the future")
