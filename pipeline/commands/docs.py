"""`make docs`: dbt's documentation of the tables, made and served on this machine."""

import json
import os
import subprocess
from collections.abc import Sequence
from typing import Any

from pipeline.console import out
from pipeline.errors import PipelineError
from pipeline.models.dbt import DBT_DIR, dbt_command, environment, variables
from pipeline.orchestration.system_errors import sentence
from pipeline.settings import DATA_DIR, Settings
from pipeline.warehouse import Warehouse

# A folder of its own: in the one of the runs lies what Dagster was told.
DOCS_DIR = DATA_DIR / "docs"


def docs(settings: Settings, port: int, *, serve: bool = True) -> int:
    """Make the documentation and serve it until it is stopped; the exit status of dbt.

    Types and numbers of columns come from the warehouse; before the first run there is none, and only what the project
    says is shown.

    Raises:
        PipelineError: a disk takes no more; dbt itself ends in a traceback then.
    """
    warehouse = Warehouse.of(settings)
    DOCS_DIR.mkdir(parents=True, exist_ok=True)
    said = ["--vars", json.dumps(variables(settings))]
    if not warehouse.exists():
        warehouse = Warehouse(str(DOCS_DIR / "none.duckdb"), "")  # dbt would make the true one
        said.append("--empty-catalog")
    made = _dbt(
        warehouse, ["--quiet", "docs", "generate", *said], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if made.returncode != 0 and (words := sentence(made.stdout, settings)) is not None:
        raise PipelineError(words)
    if output := made.stdout.rstrip():
        out.print(output)
    if made.returncode != 0 or not serve:
        return made.returncode
    return _dbt(warehouse, ["docs", "serve", "--host", "127.0.0.1", "--port", str(port)]).returncode


def _dbt(warehouse: Warehouse, arguments: Sequence[str], **options: Any) -> "subprocess.CompletedProcess[Any]":
    places = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--target-path", str(DOCS_DIR)]
    values = {**os.environ, **environment(warehouse), "DBT_LOG_PATH": str(DOCS_DIR)}
    return subprocess.run([*dbt_command(), *arguments, *places], env=values, check=False, **options)
