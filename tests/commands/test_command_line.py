"""The command line imports what a command needs when it runs, and no sooner."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from pipeline.__main__ import COMMANDS, app
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_the_function_that_bears_the_name_of_its_module(name: str) -> None:
    command = app.get_command(click.Context(app), name)
    module = name.replace("-", "_")
    assert command is getattr(import_module(f"pipeline.commands.{module}"), module)
    assert isinstance(command, click.Command)
    assert command.name == name


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("stauts", "No such command 'stauts'. Did you mean 'status'?"), ("xyz", "No such command 'xyz'.")],
)
def test_a_command_that_does_not_exist_is_answered_with_similar_ones(typed: str, answer: str) -> None:
    with pytest.raises(click.UsageError) as raised:
        app([typed], standalone_mode=False)
    assert raised.value.format_message() == answer


def test_help_on_all_commands_imports_neither_dagster_nor_duckdb() -> None:
    program = (
        "import sys; from pipeline.__main__ import app; app(['--help'], standalone_mode=False); "
        "print({'dagster', 'duckdb', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nset()\n")
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)


def _imported_by(folder: Path, *arguments: str) -> set[str]:
    """Names of packages that a command imports, in a project of its own without any export."""
    program = (
        "import runpy, sys; sys.argv[0] = 'pipeline'\n"
        "try: runpy.run_module('pipeline', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "print('imported:', *sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    (folder / "exports").mkdir(exist_ok=True)
    environment = {
        **{name: value for name, value in os.environ.items() if name.lower() not in Settings.model_fields},
        "PIPELINE_DATA_DIR": str(folder),
        "SELLIGENT_EXPORTS": str(folder / "exports"),
        "WAREHOUSE": f"ducklake:sqlite:{folder}/warehouse.sqlite",
        "WAREHOUSE_FILES": f"{folder}/warehouse",
        "LEDGER": f"sqlite:///{folder}/ledger.sqlite",
    }
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("run",), ("status",), ("sql", "SELECT 1")])
def test_a_command_without_a_run_imports_none_of_what_only_runs_need(tmp_path: Path, arguments: tuple[str]) -> None:
    """Each of these packages takes from a quarter of a second to more than one."""
    with Warehouse(f"ducklake:sqlite:{tmp_path}/warehouse.sqlite", f"{tmp_path}/warehouse/").writing():
        pass
    imported = _imported_by(tmp_path, *arguments)
    assert imported & {"dagster", "dagster_dbt", "dbt", "matplotlib", "numpy", "pandas"} == set()
    assert "duckdb" in imported
