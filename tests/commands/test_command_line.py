"""The command line imports what a command needs when it runs, and no sooner."""

import subprocess
import sys
from importlib import import_module

import click
import pytest

from pipeline.__main__ import COMMANDS, app


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_the_function_that_bears_the_name_of_its_module(name: str) -> None:
    command = app.get_command(click.Context(app), name)
    assert command is getattr(import_module(f"pipeline.commands.{name}"), name)
    assert isinstance(command, click.Command)
    assert command.name == name


def test_help_on_all_commands_imports_neither_dagster_nor_duckdb() -> None:
    program = (
        "import sys; from pipeline.__main__ import app; app(['--help'], standalone_mode=False); "
        "print({'dagster', 'duckdb', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nset()\n")
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)
