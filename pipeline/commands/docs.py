"""`python -m pipeline docs`: dbt's documentation of the tables, generated and served on this machine."""

import json
import subprocess

import click

from pipeline.errors import PipelineError
from pipeline.settings import DATA_DIR, load_settings

# Not the target folder of runs, which has the manifest that Dagster reads.
DOCS_DIR = DATA_DIR / "docs"


@click.command()
@click.option("--port", default=8080, show_default=True)
@click.option("--serve/--no-serve", default=True, show_default=True, help="Serve them, or only generate them.")
def docs(port: int, serve: bool) -> int:
    """The documentation of the tables, in a browser."""
    settings = load_settings()
    from pipeline.console import out
    from pipeline.models.dbt import run_dbt, variables
    from pipeline.orchestration.system_errors import sentence
    from pipeline.warehouse import Warehouse

    warehouse = Warehouse.of(settings)
    DOCS_DIR.mkdir(parents=True, exist_ok=True)
    values = ["--vars", json.dumps(variables(settings))]
    arguments = ["--quiet", "docs", "generate", *values]
    if not warehouse.exists():  # column types come from it; without one, only descriptions are shown
        warehouse = Warehouse(str(DOCS_DIR / "none.duckdb"), "")  # dbt would create the real one
        arguments.append("--empty-catalog")
    output_in_one = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    generated = run_dbt(warehouse, arguments, target=DOCS_DIR, **output_in_one)
    # On a full disk, dbt ends with a traceback.
    if generated.returncode != 0 and (message := sentence(generated.stdout, settings)) is not None:
        raise PipelineError(message)
    if output := generated.stdout.rstrip():
        out.print(output)
    if generated.returncode != 0 or not serve:
        return generated.returncode
    serving = ["docs", "serve", "--host", "127.0.0.1", "--port", str(port), *values]
    return run_dbt(warehouse, serving, target=DOCS_DIR).returncode
