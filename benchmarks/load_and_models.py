"""The pipeline's load and models without Dagster, measured in a copy of the project.

- load: listing the folder and `load(...)`, from its first statement to its last commit. Excluded: imports, attaching
  the warehouse, creating its empty tables.
- models: the seconds of each model in dbt's run_results.json, hooks and commits included. Excluded: dbt's start-up, its
  parsing of the project, and everything else before the first model.
- tests: the seconds of each data test in run_results.json. The bare statements have none.
"""

import json
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from benchmarks.generate import EXPORT_DATE
from benchmarks.processes import Clone
from pipeline.export_dates import ExportDates
from pipeline.exports.discovery import discover
from pipeline.exports.layout_files import read_layouts
from pipeline.exports.loading import load
from pipeline.exports.locations import ExportLocation
from pipeline.models.dbt import DBT_DIR, environment, variables
from pipeline.models.run_span import run_span
from pipeline.settings import DBT_TARGET_DIR, load_settings
from pipeline.warehouse import Warehouse


@dataclass(frozen=True)
class LoadAndModels:
    """Seconds per step, and the peak memory of both processes in MB."""

    load: float
    models: dict[str, float]
    tests: float
    around: float
    load_peak: int
    dbt_peak: int


def measure(clone: Clone) -> LoadAndModels:
    """Load and model the copy's exports, each in a new process."""
    loading = clone.python("benchmarks.load_and_models")
    command = loading.answer
    modelling = clone.run(command["dbt"], command["environment"])
    results = json.loads((clone.folder / "data" / "dbt" / "run_results.json").read_text("utf-8"))
    seconds = {result["unique_id"]: result["execution_time"] for result in results["results"]}
    models = {key.split(".")[-1]: value for key, value in seconds.items() if key.startswith("model.")}
    return LoadAndModels(
        load=command["load"],
        models=models,
        tests=sum(value for key, value in seconds.items() if key.startswith("test.")),
        around=loading.seconds - command["load"] + modelling.seconds - sum(seconds.values()),
        load_peak=loading.peak,
        dbt_peak=modelling.peak,
    )


def main() -> None:
    """Load in the copy. Print the seconds and the arguments with which the assets call dbt."""
    settings = load_settings()
    warehouse = Warehouse.of(settings)
    day = date.fromisoformat(EXPORT_DATE)
    dates = ExportDates(day, day)
    location, layouts = ExportLocation(settings.selligent_exports), read_layouts(settings.selligent_layouts)
    with warehouse.writing() as connection:
        started = time.perf_counter()
        load(connection, location, discover(location, layouts, dates).within(dates))
        seconds = time.perf_counter() - started
        span = run_span(connection, dates)
    folders = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--target-path", str(DBT_TARGET_DIR)]
    answer = {
        "load": seconds,
        "dbt": [
            str(Path(sys.executable).with_name("dbt")),
            "--quiet",
            "build",
            *folders,
            "--vars",
            json.dumps(variables(settings)),
        ],
        "environment": {
            **environment(warehouse),
            **span.as_environment(),
            "DBT_LOG_PATH": str(Path(DBT_TARGET_DIR) / "logs"),
        },
    }
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
