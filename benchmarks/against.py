"""This version against an earlier one, run in turn on the same exports.

    python -m benchmarks.against REV [--repeat N] [--only NAME …]

Each run is `python -m pipeline run` in a copy of the project with a home of its own, delivered to a server that only
answers; the examples are a dry run, as for `make run`. Both versions run with the packages of this one. `million`,
`300k` and `examples` are first runs after the set-up, as each version has it: this one parses the dbt project there.
`set-up` and `tests` run `make` in a checkout without `.venv`; they need the package registry and are left out unless
`--only` names them.

It prints a table in Markdown: medians of seconds, processor seconds and the peak memory of all processes together. The
ratio of processor seconds hardly depends on what else the machine does.
"""

import io
import os
import platform
import re
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import click

from benchmarks.generate import SHARE_OF_EVENTS, generate
from benchmarks.processes import Clone, Finished
from benchmarks.stub_server import serving
from pipeline.settings import PROJECT_ROOT

_FIRST_DAY = date(2024, 6, 11)
_DAILY_EVENTS = 20_000
_LATE_SHARE = 100


@dataclass
class Version:
    """One version of the program: its source, and the folder of its copies."""

    name: str
    source: Path
    folder: Path
    port: str

    def copy(self, name: str, exports: Path) -> Clone:
        """A new copy that delivers to the stub server as fast as it can."""
        clone = Clone.make(self.folder / name, exports, self.source)
        delivering = {
            "SEGMENT_WRITE_KEY": "benchmark",
            "SEGMENT_ENDPOINT": f"http://127.0.0.1:{self.port}",
            "SEGMENT_EVENTS_PER_SECOND": "0",
        }
        return set_up(Clone(clone.folder, {**clone.environment, **delivering}))


def set_up(clone: Clone) -> Clone:
    """The copy after what `make` does there before the first run, besides installing packages."""
    if (clone.folder / "pipeline" / "models" / "manifest.py").exists():
        clone.python("pipeline.models.manifest")
    return clone


def one_file(events: int, version: Version, work: Path) -> Iterator[Finished]:
    """One file of so many events in an empty project, files to delivered."""
    exports = work / f"exports_{events}"
    if not exports.exists():
        _write(exports, _FIRST_DAY, events)
    number = 0
    while True:
        number += 1
        yield version.copy(f"file_{events}_{number}", exports).python("pipeline", "run")


def new_dates(days_before: int, version: Version, work: Path) -> Iterator[Finished]:
    """One more export date of 20,000 events, on a warehouse that has so many."""
    exports = work / f"dates_{days_before}_{version.name}"
    for number in range(days_before):
        _write(exports, _FIRST_DAY + timedelta(days=number), _DAILY_EVENTS, late=_LATE_SHARE)
    clone = version.copy(f"dates_{days_before}", exports)
    clone.python("pipeline", "run")
    number = days_before
    while True:
        _write(exports, _FIRST_DAY + timedelta(days=number), _DAILY_EVENTS, late=_LATE_SHARE)
        number += 1
        yield clone.python("pipeline", "run")


def same_date(version: Version, work: Path) -> Iterator[Finished]:
    """The same date of 20,000 events once more, as after a correction of a layout."""
    exports = work / "again"
    if not exports.exists():
        _write(exports, _FIRST_DAY, _DAILY_EVENTS)
    clone = version.copy("again", exports)
    clone.python("pipeline", "run")
    while True:
        yield clone.python("pipeline", "run", "--from", f"{_FIRST_DAY}", "--to", f"{_FIRST_DAY}")


def nothing_new(version: Version, work: Path) -> Iterator[Finished]:
    """A run without a new file."""
    exports = work / "nothing"
    if not exports.exists():
        _write(exports, _FIRST_DAY, _DAILY_EVENTS)
    clone = version.copy("nothing", exports)
    clone.python("pipeline", "run")
    while True:
        yield clone.python("pipeline", "run")


def examples(version: Version, _work: Path) -> Iterator[Finished]:
    """The examples in an empty project, as a dry run."""
    number = 0
    while True:
        number += 1
        clone = Clone.make(
            version.folder / f"examples_{number}", version.source / "examples" / "exports", version.source
        )
        layouts = {"SELLIGENT_LAYOUTS": str(clone.folder / "examples" / "layouts")}
        yield set_up(Clone(clone.folder, {**clone.environment, **layouts})).python("pipeline", "run")


def make(target: str, version: Version, _work: Path) -> Iterator[Finished]:
    """`make` in a checkout that has only what git has."""
    number = 0
    while True:
        number += 1
        folder = version.folder / f"{target}_{number}"
        _check_out(version.name, folder)
        variables = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        yield Clone(folder, variables).run(["make", target])


@dataclass(frozen=True)
class Scenario:
    """What is measured, and the ratio of seconds that is aimed at."""

    what: str
    aim: float
    runs: Callable[[Version, Path], Iterator[Finished]]


SCENARIOS: Mapping[str, Scenario] = {
    "million": Scenario("1,000,000 events, files to delivered", 0.45, partial(one_file, 1_000_000)),
    "300k": Scenario("300,000 events, files to delivered", 0.45, partial(one_file, 300_000)),
    "date": Scenario("one new date of 20,000 events", 0.35, partial(new_dates, 1)),
    "month": Scenario("the same, with a month in the warehouse", 0.35, partial(new_dates, 30)),
    "again": Scenario("a date of 20,000 events once more", 0.35, same_date),
    "nothing": Scenario("nothing new", 0.7, nothing_new),
    "examples": Scenario("the examples", 0.5, examples),
    "set-up": Scenario("make run on a fresh machine", 0.6, partial(make, "run")),
    "tests": Scenario("make test", 0.5, partial(make, "test")),
}
_WITH_SET_UP = ("set-up", "tests")
_HEAD = (
    *("run", "before, s", "now, s", "ratio", "aim"),
    *("processor before, s", "now, s", "ratio", "peak before, MB", "now, MB"),
)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("revision", metavar="REV")
@click.option("--repeat", default=3, show_default=True, help="Runs of each version; medians are shown.")
@click.option("--only", multiple=True, type=click.Choice(list(SCENARIOS)), help="Measure only this; may be repeated.")
def main(revision: str, repeat: int, only: tuple[str, ...]) -> None:
    """Measure seconds, processor seconds and peak memory of this version and of REV."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="against_")))
        port = stack.enter_context(serving())
        before = work / "source"
        _check_out(revision, before)
        old = Version(revision, before, work / "old", port)
        new = Version("HEAD", PROJECT_ROOT, work / "new", port)
        rows = []
        for name in only or [name for name in SCENARIOS if name not in _WITH_SET_UP]:
            scenario = SCENARIOS[name]
            runs = [scenario.runs(version, work) for version in (old, new)]
            results: list[list[Finished]] = [[], []]
            for _ in range(repeat):
                for of_version, measured in zip(runs, results, strict=True):
                    measured.append(next(of_version))
            rows.append([scenario.what, *_cells(*results, scenario.aim)])
            click.echo(f"… {' '.join(rows[-1])}", err=True)
    click.echo(f"Medians of {repeat} against {revision}, on {_machine()}.\n")
    for cells in (_HEAD, ["---", *["--:"] * len(_HEAD[1:])], *rows):
        click.echo(f"| {' | '.join(cells)} |")


def _machine() -> str:
    """The processor, the number of cores, and the memory (on Linux; elsewhere only what Python knows)."""
    found: dict[str, str] = {}
    for path in (Path("/proc/cpuinfo"), Path("/proc/meminfo")):
        if path.exists():
            found |= dict(re.findall(r"(?m)^([\w ]+?)\s*: (.*)$", path.read_text("utf-8")))
    name = found.get("model name", platform.processor())
    memory = f", {int(found['MemTotal'].split()[0]) / (1 << 20):.0f} GiB" if "MemTotal" in found else ""
    return f"{name}, {os.cpu_count()} cores{memory}"


def _cells(old: list[Finished], new: list[Finished], aim: float) -> list[str]:
    seconds = [median(run.seconds for run in runs) for runs in (old, new)]
    worked = [median(run.worked for run in runs) for runs in (old, new)]
    peaks = [median(run.peak_together for run in runs) for runs in (old, new)]
    return [
        *(f"{value:.1f}" for value in seconds),
        f"{seconds[1] / seconds[0]:.2f}",
        f"≤ {aim}",
        *(f"{value:.1f}" for value in worked),
        f"{worked[1] / worked[0]:.2f}",
        *(f"{value:,.0f}" for value in peaks),
    ]


def _write(exports: Path, day: date, events: int, late: int = 0) -> None:
    path = exports / f"ACME_interactions_{day:%Y%m%d}_0600.csv"
    generate(path, round(events / SHARE_OF_EVENTS), day - timedelta(days=1), late=late)
    # A file that was just written would be inspected twice, some seconds apart.
    os.utime(path, (time.time() - 60, time.time() - 60))


def _check_out(revision: str, folder: Path) -> None:
    packed = subprocess.run(["git", "archive", revision], cwd=PROJECT_ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")


if __name__ == "__main__":
    main()
