"""The commands: `python -m pipeline run`, `replay`, `inspect`, `status`, `sql`, `upkeep`, `forget`,
`reconcile`, `docs`, `ui`.

What a command needs is imported when it is asked for: Dagster takes seconds to import, and most commands do without.
"""

import os
import signal
import sys
from datetime import UTC, date, datetime

import click

from pipeline.errors import PipelineError, SettingsError
from pipeline.export_dates import FIRST_EXPORT_DATE, ExportDates
from pipeline.masking import masked, printable
from pipeline.orchestration.private_files import keep_private
from pipeline.orchestration.shutdown import Stopped, obey_signals
from pipeline.settings import PROJECT_ROOT, Settings, hand_on_credentials, load_settings

# Dagster and dbt report nothing about anybody.
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def app() -> None:
    """Selligent exports into DuckDB, into the tables of a Segment warehouse, into Segment."""


@app.command()
@click.option("--from", "first", type=DAY, metavar="DATE", help="First export date; alone: up to today.")
@click.option("--to", "last", type=DAY, metavar="DATE", help="Last export date; alone: that date.")
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
    dates = _dates(first, last)
    settings = load_settings()
    from pipeline.commands.run import run as run_job

    return run_job(settings, dates, withhold=no_delivery, release=release)


@app.command()
@click.option("--event", metavar="NAME", help="Only events of this name or table, such as email_opened.")
@click.option("--reason", metavar="TEXT", help="Only events whose reason has this text in it.")
@click.option("--date", "day", type=DAY, metavar="DATE", help="Only events of this export date.")
def replay(event: str | None, reason: str | None, day: datetime | None) -> int:
    """Put dead events back to waiting, as the tables have them now; the next run sends them."""
    settings = load_settings()
    from pipeline.commands.replay import replay as replay_events

    return replay_events(settings, event, reason, day.date() if day else None)


@app.command()
@click.argument("file")
def inspect(file: str) -> None:
    """Draft the layout of an unknown export FILE (a path or a URL): YAML, with a comment on every guess."""
    hand_on_credentials()
    from pipeline.layout_drafting.inspection import inspect as draft_of

    click.echo(draft_of(file), nl=False)


@app.command()
def status() -> int:
    """Per export date and event: rows loaded, rejected, modelled, delivered, waiting, dead."""
    settings = load_settings()
    from pipeline.commands.status_table import show
    from pipeline.ledger import Ledger
    from pipeline.ledger.warehouse_pairing import check_pair
    from pipeline.report.summary import KEY, summary
    from pipeline.warehouse import Warehouse

    with Warehouse.of(settings).reading() as connection:
        ledger = Ledger(settings.ledger)
        check_pair(connection, ledger)
        show(summary(connection, ledger, None), KEY)
    return 0


@app.command()
@click.argument("query", required=False)
@click.option(
    "--format", "output", type=click.Choice(["box", "csv", "json", "markdown"]), help="How answers are printed."
)
def sql(query: str | None, output: str | None) -> int:
    """A SQL prompt on the warehouse, read-only, that blocks no run; or the answer to one QUERY."""
    settings = load_settings()
    from pipeline.commands.sql import sql as open_prompt

    return open_prompt(settings, query, output)


@app.command()
def upkeep() -> int:
    """Keep the warehouse small and quick: merge small files, end old snapshots, remove what nobody refers to."""
    settings = load_settings()
    from pipeline.commands.upkeep import upkeep as keep_up

    return keep_up(settings)


@app.command()
def forget() -> int:
    """Remove the people of SELLIGENT_SUPPRESSED from everywhere, and prove it."""
    settings = load_settings()
    from pipeline.commands.forget import forget as forget_people

    return forget_people(settings)


@app.command()
def reconcile() -> int:
    """Let a warehouse and a ledger go on together of which one was lost, or restored from an older copy."""
    settings = load_settings()
    from pipeline.commands.reconcile import reconcile as make_pair

    return make_pair(settings)


@app.command()
@click.option("--port", default=8080, show_default=True)
@click.option("--serve/--no-serve", default=True, show_default=True, help="Whether to serve them, or only make them.")
def docs(port: int, serve: bool) -> int:
    """The documentation of the tables, in a browser."""
    settings = load_settings()
    from pipeline.commands.docs import docs as make_docs

    return make_docs(settings, port, serve=serve)


@app.command()
@click.option("--port", default=3000, show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; the UI asks for no login.")
def ui(port: int, host: str) -> None:
    """Dagster's UI on this machine, daemon included."""
    load_settings()
    from pipeline.orchestration.instance import fail_dead_runs, opened_instance

    with opened_instance() as instance:  # where the machine went down, they would be taken for going on
        fail_dead_runs(instance)
    os.environ.setdefault("DAGSTER_UI_URL", f"http://127.0.0.1:{port}")  # where an alert's link leads
    os.chdir(PROJECT_ROOT)
    # A shell script starts what it puts in the background deaf to SIGINT, and Dagster would take that over.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    arguments = ["dagster", "dev", "-w", "workspace.yaml", "-h", host, "-p", str(port)]
    os.execv(sys.executable, [sys.executable, "-m", *arguments])


def _dates(first: datetime | None, last: datetime | None) -> ExportDates | None:
    if first is None and last is None:
        return None
    today = datetime.now(UTC).date()
    for option, moment in (("--from", first), ("--to", last)):
        if moment is not None:
            _check(option, moment.date(), today)
    end = last.date() if last else today
    start = first.date() if first else end
    if start > end:
        raise SettingsError(f"--from: {start} is after {end}")
    return ExportDates(start, end)


def _check(option: str, day: date, today: date) -> None:
    if day < FIRST_EXPORT_DATE:
        raise SettingsError(f"{option}: {day} is before {FIRST_EXPORT_DATE}, the first date that has a partition")
    if day > today:
        raise SettingsError(f"{option}: {day} is in the future")


def main() -> int:
    """Run a command; its exit status: 0 went well, 1 failed, 2 for a wrong setting or argument, 130 or 143 for a signal
    that stopped it.
    """
    obey_signals()
    try:
        keep_private()
        return int(app(standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(printable(error.format_message(), kept="\n"), err=True)
        return 2
    except click.UsageError as error:
        return _say(error.format_message(), 2)
    except SettingsError as error:
        return _say(str(error), 2)
    except PipelineError as error:
        from pipeline.orchestration.system_errors import completed

        return _say(completed(str(error), _settings()), 1)
    except (click.Abort, KeyboardInterrupt) as error:
        stopped = error.__cause__ if isinstance(error, click.Abort) else error  # click makes one of the other
        return _say("Stopped.", stopped.status if isinstance(stopped, Stopped) else 130)
    except Exception as error:
        from pipeline.orchestration.system_errors import words_of_error

        if (words := words_of_error(error, _settings())) is None:
            raise
        return _say(words, 1)


def _settings() -> Settings | None:
    try:
        return load_settings()
    except SettingsError:  # of a command that needs none
        return None


def _say(words: str, status: int) -> int:
    click.echo(printable(masked(" ".join(words.split()))), err=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
