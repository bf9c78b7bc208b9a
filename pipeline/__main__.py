"""`python -m pipeline COMMAND`; each command is the module of its name in `pipeline/commands/`.

A command's module is imported when the command is called, and heavy packages when it runs: Dagster takes seconds to
import, and most commands don't need it.
"""

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from pipeline.errors import PipelineError, SettingsError
from pipeline.masking import masked, printable
from pipeline.orchestration.shutdown import Stopped, obey_signals

if TYPE_CHECKING:  # imported once `--env-file` is known
    from pipeline.settings import Settings

# Imports create millions of objects that stay: with Python's own thresholds, a tenth of a command is spent on searching
# them for garbage.
gc.set_threshold(50_000, 20, 100)
# Neither Dagster nor dbt reports usage.
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DBT_SEND_ANONYMOUS_USAGE_STATS", "false")

# The other modules of the folder contain code that commands share.
COMMANDS = (
    *("backup", "check", "copy", "docs", "forget", "inspect", "reconcile", "replay", "restore", "run", "sql", "status"),
    *("tracking-plan", "ui", "upkeep"),
)


class CommandsByModule(click.Group):
    """A group of commands, each a function with the name of its module (`-` is `_`)."""

    def list_commands(self, ctx: click.Context) -> Sequence[str]:  # type: ignore[override] # click only iterates
        """Names of the commands."""
        return COMMANDS

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with. Raises NoSuchCommand with similar names, if there is none."""
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:  # click knows only commands that are imported
            raise click.exceptions.NoSuchCommand(error.command_name, possibilities=COMMANDS, ctx=ctx) from None

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command of this name; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"pipeline.commands.{name}"), name)
        return command


def _use_env_file(_context: click.Context, _option: click.Parameter, file: str | None) -> None:
    """Read the settings from another file, in this process and its children. Raises SettingsError: it is not usable."""
    if file is None:
        return
    os.environ["PIPELINE_ENV_FILE"] = file  # before the settings are imported, which name the folders of the brand
    from pipeline.settings import export_credentials

    export_credentials()


@click.group(cls=CommandsByModule, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--env-file",
    metavar="FILE",
    is_eager=True,
    expose_value=False,
    callback=_use_env_file,
    help="Settings of one of several brands, instead of .env; relative to the project's folder.",
)
def app() -> None:
    """Load Selligent exports into DuckDB, build the tables of a Segment warehouse, and deliver events to Segment."""
    from pipeline.orchestration.file_permissions import keep_private

    keep_private()


def main() -> int:
    """Run a command. Returns 0, 1 (failed), 2 (a wrong setting or argument), or 130 or 143 (stopped by a signal)."""
    obey_signals()
    try:
        return int(app(standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(printable(error.format_message(), kept="\n"), err=True)
        return 2
    except click.UsageError as error:
        return _fail(error.format_message(), 2)
    except SettingsError as error:
        return _fail(str(error), 2)
    except PipelineError as error:
        from pipeline.orchestration.system_errors import completed

        return _fail(completed(str(error), _settings()), 1)
    except (click.Abort, KeyboardInterrupt) as error:
        stopped = (
            error.__cause__ if isinstance(error, click.Abort) else error
        )  # click replaces a KeyboardInterrupt with Abort
        return _fail("Stopped.", stopped.status if isinstance(stopped, Stopped) else 130)
    except Exception as error:
        from pipeline.orchestration.system_errors import words_of_error

        if (words := words_of_error(error, _settings())) is None:
            raise
        return _fail(words, 1)


def _settings() -> "Settings | None":
    from pipeline.settings import load_settings

    try:
        return load_settings()
    except SettingsError:  # a command that needs no settings can still fail
        return None


def _fail(message: str, status: int) -> int:
    click.echo(printable(masked(" ".join(message.split()))), err=True)
    return status


if __name__ == "__main__":
    status = main()
    gc.freeze()  # otherwise Python searches all of them once more at its exit, which takes a second
    sys.exit(status)
