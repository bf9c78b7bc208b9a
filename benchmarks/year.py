"""A year of daily runs: are the last ones as fast as the first?

    python -m benchmarks.year [--days N] [--events N] [--upkeep-every N]

Each export date is a run of the whole job, as `python -m pipeline run` does it, delivered to a stub server. All runs
are in one process, so Dagster starts once. dbt starts in each run, which always takes the same few seconds; therefore
each step is shown too. In each file, one event of a hundred is up to a week late.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from benchmarks.processes import Clone

_FEW = 10
_AIM = 1.3
console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--days", default=365, show_default=True, help="Export dates.")
@click.option("--events", default=20_000, show_default=True, help="Rows of each date.")
@click.option("--upkeep-every", default=30, show_default=True, help="Runs between two upkeeps; 0: no upkeep.")
@click.option("--keep", type=click.Path(path_type=Path), help="Work in this folder and keep everything.")
def main(days: int, events: int, upkeep_every: int, keep: Path | None) -> None:
    """Run day after day, and compare the last ten runs with the first ten."""
    with TemporaryDirectory(prefix="year_") as temporary:
        folder = (keep or Path(temporary)).absolute()
        exports = folder / "exports"
        exports.mkdir(parents=True)
        with subprocess.Popen(
            [sys.executable, "-m", "benchmarks.stub_server"], stdout=subprocess.PIPE, text=True
        ) as server:
            try:
                assert server.stdout is not None
                clone = Clone.make(folder / "copy", exports)
                settings = {
                    "SEGMENT_ENDPOINT": f"http://127.0.0.1:{server.stdout.readline().strip()}",
                    "SEGMENT_WRITE_KEY": "benchmark",
                    "SEGMENT_EVENTS_PER_SECOND": "0",
                }
                arguments = [str(exports), str(days), str(events), str(upkeep_every)]
                done = clone.run([sys.executable, "-m", "benchmarks.daily", *arguments], settings)
            finally:
                server.kill()
        lines = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
        runs = [line for line in lines if "steps" in line]
        console.print(_table_of(runs, days, events))
        for line in lines:
            if "upkeep" in line:
                console.print(f"after run {line['upkeep']}: {line['did']}")


def _table_of(runs: Sequence[dict[str, Any]], days: int, events: int) -> Table:
    """Medians of the first and the last runs, without the very first one, which also creates the tables."""
    first, last = runs[1 : _FEW + 1], runs[-_FEW:]
    table = Table(title=f"{days} export dates of {events:,} rows", title_justify="left", title_style="bold")
    table.add_column("seconds")
    for name in (f"runs 2 to {_FEW + 1}", f"the last {_FEW}", "ratio", "aim"):
        table.add_column(name, justify="right")

    def row(name: str, before: float, after: float, aim: str = "") -> None:
        table.add_row(name, f"{before:.2f}", f"{after:.2f}", f"{after / before:.2f}" if before else "", aim)

    for step in first[0]["steps"]:
        row(
            step.replace("__", "/"),
            median(run["steps"].get(step, 0.0) for run in first),
            median(run["steps"].get(step, 0.0) for run in last),
        )
    table.add_section()
    dbt = [median(run["dbt"] for run in some) for some in (first, last)]
    row("dbt's models and tests alone", dbt[0], dbt[1])
    for name, key in (("the whole run", "seconds"), ("  processor seconds", "worked")):
        row(name, *(median(run[key] for run in some) for some in (first, last)), f"≤ {_AIM}")
    return table


if __name__ == "__main__":
    main()
