"""`python -m pipeline docs`: dbt's documentation of the tables, generated and served on this machine."""

import json
import os
import subprocess
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from pipeline.errors import PipelineError
from pipeline.settings import DATA_DIR, load_settings

if TYPE_CHECKING:
    from pipeline.warehouse import Warehouse

# A folder of its own: the one of the runs has the manifest that Dagster reads.
DOCS_DIR = DATA_DIR / "docs"


@click.command()
@click.option("--port", default=8080, show_default=True)
@click.option("--serve/--no-serve", default=True, show_default=True, help="Whether to serve them, or only make them.")
def docs(port: int, serve: bool) -> int:
    """The documentation of the tables, in a browser."""
    settings = load_settings()
    from pipeline.console import out
    from pipeline.models.dbt import variables
    from pipeline.orchestration.system_errors import sentence
    from pipeline.warehouse import Warehouse

    warehouse = Warehouse.of(settings)
    DOCS_DIR.mkdir(parents=True, exist_ok=True)
    arguments = ["--quiet", "docs", "generate", "--vars", json.dumps(variables(settings))]
    if not warehouse.exists():  # types and numbers of columns come from it; without one, only descriptions are shown
        warehouse = Warehouse(str(DOCS_DIR / "none.duckdb"), "")  # dbt would create the real one
        arguments.append("--empty-catalog")
    generated = _dbt(warehouse, arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    # Where a disk is full, dbt ends in a traceback.
    if generated.returncode != 0 and (message := sentence(generated.stdout, settings)) is not None:
        raise PipelineError(message)
    if output := generated.stdout.rstrip():
        out.print(output)
    if generated.returncode != 0 or not serve:
        return generated.returncode
    return _dbt(warehouse, ["docs", "serve", "--host", "127.0.0.1", "--port", str(port)]).returncode


def _dbt(warehouse: "Warehouse", arguments: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[Any]":
    from pipeline.models.dbt import DBT_DIR, dbt_command, environment

    folders = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--target-path", str(DOCS_DIR)]
    values = {**os.environ, **environment(warehouse), "DBT_LOG_PATH": str(DOCS_DIR)}
    return subprocess.run([*dbt_command(), *arguments, *folders], env=values, check=False, **options)
