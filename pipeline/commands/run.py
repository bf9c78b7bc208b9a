"""`python -m pipeline run`: the main job, for what is new or for the dates given."""

from datetime import datetime

import click

from pipeline.commands.options import DATE, date_range
from pipeline.settings import load_settings


@click.command(short_help="Load, model and deliver what is new, or the dates given.")
@click.option("--from", "first", type=DATE, metavar="DATE", help="First export date; alone: up to today.")
@click.option("--to", "last", type=DATE, metavar="DATE", help="Last export date; alone: that date.")
@click.option(
    "--no-delivery",
    is_flag=True,
    help="Load and model only; these dates, or all that is not delivered yet, are withheld until a release.",
)
@click.option(
    "--release",
    is_flag=True,
    help="Deliver dates that were withheld: all of them, or those given. Newer waiting events go before old dates.",
)
@click.option(
    "--select",
    "assets",
    multiple=True,
    metavar="ASSET",
    help="Run only this asset, such as raw/events or 'segment/*', for the dates given or the newest; can be repeated.",
)
@click.option("--reload", is_flag=True, help="With --select 'raw/*': read known files again.")
@click.option("--full-refresh", is_flag=True, help="With --select 'segment/*': rebuild the tables, for every date.")
def run(
    first: datetime | None,
    last: datetime | None,
    no_delivery: bool,
    release: bool,
    assets: tuple[str, ...],
    reload: bool,
    full_refresh: bool,
) -> int:
    """Run the main job for the export dates that have something new, or for the dates given."""
    if no_delivery and release:
        raise click.UsageError("--no-delivery and --release contradict each other")
    if assets and (no_delivery or release):
        raise click.UsageError("--select runs assets as they are, without --no-delivery or --release")
    if (reload or full_refresh) and not assets:
        raise click.UsageError("--reload and --full-refresh are options of assets; name these with --select")
    settings = load_settings()
    dates = date_range(first, last, settings.loadable_dates())
    if assets:
        from pipeline.commands.selected_assets import run_assets

        return run_assets(settings, assets, dates, reload=reload, full_refresh=full_refresh)
    from pipeline.commands.main_job import run_main_job

    return run_main_job(settings, dates, withhold=no_delivery, release=release)
