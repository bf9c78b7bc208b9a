"""`python -m pipeline run`: the main job, for what is new or for the dates given."""

from datetime import date, datetime

import click

from pipeline.commands.options import DATE
from pipeline.errors import SettingsError
from pipeline.export_dates import ExportDates
from pipeline.settings import load_settings


@click.command()
@click.option("--from", "first", type=DATE, metavar="DATE", help="First export date; alone: up to today.")
@click.option("--to", "last", type=DATE, metavar="DATE", help="Last export date; alone: that date.")
@click.option(
    "--no-delivery",
    is_flag=True,
    help="Load and model only; these dates, or all that is not delivered yet, are withheld until a release.",
)
@click.option("--release", is_flag=True, help="Deliver dates that were withheld: all of them, or those given.")
def run(first: datetime | None, last: datetime | None, no_delivery: bool, release: bool) -> int:
    """Run the main job for the export dates that have something new, or for the dates given."""
    if no_delivery and release:
        raise click.UsageError("--no-delivery and --release contradict each other")
    settings = load_settings()
    dates = _dates(first, last, settings.loadable_dates())
    from pipeline.commands.main_job import run_main_job

    return run_main_job(settings, dates, withhold=no_delivery, release=release)


def _dates(first: datetime | None, last: datetime | None, loadable: ExportDates) -> ExportDates | None:
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
