"""Two concurrent runs of the command line, repeated: both must succeed, and do everything once.

    python -m benchmarks.two_runs [--times N] [--seconds N]

Each pair starts in a new project. Each run has a new file for its own date, and both share another new one. A run that
has not ended after `--seconds` counts as hanging, and its output is printed.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS, log


def pair(project: Project, seconds: float, arguments: Sequence[str] = ("run",)) -> list[tuple[int | None, str]]:
    """The exit status (None: it hangs) and the output of each of two runs that start together."""
    started = time.monotonic()
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            env=project.environment,
            cwd=project.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended: list[tuple[int | None, str]] = []
    for run in runs:
        try:
            _, output = run.communicate(timeout=max(1.0, seconds - (time.monotonic() - started)))
            ended.append((run.returncode, output))
        except subprocess.TimeoutExpired:
            run.kill()
            _, output = run.communicate()
            ended.append((None, output))
    return ended


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--times", default=50, show_default=True)
@click.option("--seconds", default=600, show_default=True, help="A run that takes longer counts as hanging.")
def main(times: int, seconds: int) -> None:
    """Start two runs at once and compare their results, repeatedly."""
    with TemporaryDirectory(prefix="two_runs_") as folder:
        project = Project(Path(folder)).with_files({}, LAYOUTS)
        waited = 0
        for time_ in range(1, times + 1):
            day = f"202406{(time_ - 1) % 28 + 1:02}"
            name = f"log_{day}_{time_ // 60:02}{time_ % 60:02}.csv"
            project.with_files({name: log([f"u{time_},m1,c1,VIEW,,2024-05-01T08:00:00Z"])}, {})
            began = time.perf_counter()
            ended = pair(project, seconds)
            waited += any("waits for run" in output for _, output in ended)
            print(f"{time_}: {[status for status, _ in ended]}, {time.perf_counter() - began:.0f} s", flush=True)
            if any(status != 0 for status, _ in ended):
                raise SystemExit("\n\n".join(output for _, output in ended))
            if len(project.ids()) != time_:
                raise SystemExit(f"{len(project.ids())} events, not {time_}")
        print(f"{times} pairs succeeded, {waited} of them waited for a lock ({os.cpu_count()} cores)")


if __name__ == "__main__":
    main()
