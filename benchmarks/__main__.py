"""`python -m benchmarks`: the pipeline compared with bare DuckDB statements and with dlt, and complete runs.

Each measurement is a new process in a new copy of the project, one after the other, so that only the system's file
cache is warm. If runs are repeated, the kinds alternate and medians are shown.
"""

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

import click
from rich.console import Console
from rich.table import Table

from benchmarks import bare, compare_dlt, contents, encodings, end_to_end, load_and_models, senders, whole_job
from benchmarks.bare import Bare
from benchmarks.generate import FILE_NAME, SHARE_OF_EVENTS
from benchmarks.load_and_models import LoadAndModels
from benchmarks.processes import Clone
from benchmarks.whole_job import WholeJob

T = TypeVar("T")
console = Console(highlight=False, width=None if sys.stdout.isatty() else 110)
# The bare steps, and the models that do the same work.
STEPS = {
    "type, identify": ("stg_event_rows",),
    "deduplicate": ("stg_events",),
    "split": (
        *("email_delivered", "email_opened", "email_link_clicked", "email_marked_as_spam", "email_bounced"),
        *("email_unsubscribed", "tracks"),
    ),
}
MODELS = tuple(chain.from_iterable(STEPS.values()))


class Workshop:
    """The folder of all measurements: exports, generated once, and a new copy of the project for each run."""

    def __init__(self, folder: Path, keep: bool) -> None:
        self.folder = folder
        self._keep = keep

    def exports(self, rows: int) -> Path:
        """A folder with one file of this many rows, generated in another process to keep this one's memory small."""
        folder = self.folder / f"exports_{rows}"
        if not (folder / FILE_NAME).exists():
            with self.copy("generating", folder) as copy:
                copy.python("benchmarks.generate", str(folder / FILE_NAME), str(rows))
        return folder

    def recoded(self, exports: Path, encoding: str) -> Path:
        """A folder with the same file in another encoding."""
        folder = exports.with_name(f"{exports.name}_{encoding}")
        if not (folder / FILE_NAME).exists():
            encodings.recode(exports / FILE_NAME, folder / FILE_NAME, encoding)
        return folder

    @contextmanager
    def copy(self, what: str, exports: Path) -> Iterator[Clone]:
        """A copy of the project, which is removed afterwards with its tables."""
        folder = self.folder / "".join(letter if letter.isalnum() else "_" for letter in what)
        if folder.exists():
            shutil.rmtree(folder)
        if console.is_terminal:
            with console.status(what):
                yield Clone.make(folder, exports)
        else:
            console.print(f"… {what}")
            yield Clone.make(folder, exports)
        if not self._keep:
            shutil.rmtree(folder)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--rows", default=5_000_000, show_default=True, help="Rows to load and model; 0: skip.")
@click.option("--whole-job", "whole", default=1_000_000, show_default=True, help="Rows of a whole job; 0: skip.")
@click.option("--end-to-end", "events", default=1_000_000, show_default=True, help="Events to run; 0: skip.")
@click.option("--deliver", "sent", default=1_000_000, show_default=True, help="Events to deliver; 0: skip.")
@click.option("--repeat", default=1, show_default=True, help="Runs of each kind; medians are shown.")
@click.option("--dlt/--no-dlt", "with_dlt", default=True, show_default=True, help="Compare with dlt.")
@click.option("--encodings/--no-encodings", "with_encodings", default=True, show_default=True, help="Try encodings.")
@click.option("--keep", type=click.Path(path_type=Path), help="Use this folder and keep everything in it.")
def main(
    rows: int, whole: int, events: int, sent: int, repeat: int, with_dlt: bool, with_encodings: bool, keep: Path | None
) -> None:
    """Measure seconds and memory."""
    with TemporaryDirectory(prefix="benchmarks_") as temporary:
        folder = keep.absolute() if keep else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        workshop = Workshop(folder, keep is not None)
        console.print(f"{os.cpu_count()} cores; load average before the first run: {os.getloadavg()[0]:.1f}")
        if rows:
            _load_and_model(workshop, rows, repeat, with_dlt)
        if rows and with_encodings:
            _encodings(workshop, rows, repeat)
        if whole:
            _whole_job(workshop, whole, repeat)
        if events:
            _end_to_end(workshop, events, repeat)
        if sent:
            _deliveries(workshop, sent)


def _load_and_model(workshop: Workshop, rows: int, repeat: int, with_dlt: bool) -> None:
    exports, head = workshop.exports(rows), workshop.folder / "head"
    of_pipeline: list[LoadAndModels] = []
    of_bare: list[Bare] = []
    of_dlt: dict[str, list[compare_dlt.Dlt]] = {reader: [] for reader in compare_dlt.READERS}
    tables: list[dict[str, list[int]]] = []
    if with_dlt:
        compare_dlt.head_of(exports / FILE_NAME, head, rows // 10)
    for number in range(1, repeat + 1):
        with workshop.copy(f"pipeline {number}", exports) as copy:
            of_pipeline.append(load_and_models.measure(copy))
            tables.append(contents.of(copy))
        with workshop.copy(f"bare {number}", exports) as copy:
            of_bare.append(bare.measure(copy))
            tables.append(contents.of(copy))
        for reader in of_dlt if with_dlt else ():
            with workshop.copy(f"dlt {reader} {number}", exports) as copy:
                of_dlt[reader].append(compare_dlt.measure(copy, reader, head))
    megabytes = (exports / FILE_NAME).stat().st_size / 1e6
    console.print(_table_of_both(f"{rows:,} rows, {megabytes:,.0f} MB of CSV", of_pipeline, of_bare))
    same = all(found == tables[0] for found in tables)
    console.print(f"The {len(tables[0])} tables are the same in both: {'yes' if same else 'NO'}\n")
    if not same:
        raise SystemExit("The results differ, so the times can't be compared.")
    if with_dlt:
        console.print(_table_of_dlt(of_dlt, rows / _median(of_pipeline, lambda run: run.load)))


def _encodings(workshop: Workshop, rows: int, repeat: int) -> None:
    plain, *others = encodings.ENCODINGS
    exports = {plain: workshop.exports(rows)}
    exports |= {encoding: workshop.recoded(exports[plain], encoding) for encoding in others}
    loads: dict[str, list[encodings.Load]] = {encoding: [] for encoding in exports}
    for number in range(1, repeat + 1):
        for encoding, folder in exports.items():
            with workshop.copy(f"{encoding} {number}", folder) as copy:
                loads[encoding].append(encodings.measure(copy, encoding))
    table = _table("Load alone, by encoding", "", "seconds", "ratio", "aim", "peak MB", "aim")
    of_plain = _median(loads[plain], lambda load: load.seconds)
    for encoding, runs in loads.items():
        seconds, peak = _median(runs, lambda load: load.seconds), _median(runs, lambda load: load.peak)
        table.add_row(encoding, f"{seconds:.1f}", f"{seconds / of_plain:.2f}", "≤ 1.5", f"{peak:,.0f}", "< 1,000")
    console.print(table)


def _median(runs: Iterable[T], value: Callable[[T], float]) -> float:
    return median(value(run) for run in runs)


def _table_of_both(title: str, of_pipeline: list[LoadAndModels], of_bare: list[Bare]) -> Table:
    table = _table(title, "seconds", "pipeline", "bare", "ratio", "aim")

    def row(
        name: str,
        mine: Callable[[LoadAndModels], float],
        theirs: Callable[[Bare], float],
        aim: str = "",
    ) -> None:
        a, b = _median(of_pipeline, mine), _median(of_bare, theirs)
        table.add_row(name, f"{a:.1f}", f"{b:.1f}", f"{a / b:.2f}", aim)

    row("load, beside a COPY as text", lambda run: run.load, partial(_sum, (bare.COPY,)), "≤ 2")
    row("load", lambda run: run.load, lambda run: run.steps["load"])
    for step, models in STEPS.items():
        row(f"  {step}", partial(_sum, models), partial(_sum, (step,)))
    row("models", partial(_sum, MODELS), partial(_sum, STEPS))
    row("load + models", lambda run: run.load + _sum(MODELS, run), partial(_sum, ("load", *STEPS)), "≤ 1.3")
    row("  with dbt's tests", lambda run: run.load + _sum(MODELS, run) + run.tests, partial(_sum, ("load", *STEPS)))
    table.add_section()
    table.add_row("start-up, not included", f"{_median(of_pipeline, lambda run: run.around):.1f}")
    table.add_row("peak MB, load", f"{_median(of_pipeline, lambda run: run.load_peak):,.0f}")
    table.add_row("peak MB, dbt", f"{_median(of_pipeline, lambda run: run.dbt_peak):,.0f}")
    table.add_row("peak MB, all statements", "", f"{_median(of_bare, lambda run: run.peak):,.0f}")
    return table


def _sum(steps: Iterable[str], run: LoadAndModels | Bare) -> float:
    seconds = run.models if isinstance(run, LoadAndModels) else run.steps
    return sum(seconds[step] for step in steps)


def _table_of_dlt(of_dlt: dict[str, list[compare_dlt.Dlt]], rows_per_second: float) -> Table:
    table = _table("Load alone", "", "rows", "seconds", "rows per second", "pipeline is faster by", "peak MB", "aim")
    table.add_row("pipeline", "", "", f"{rows_per_second:,.0f}")
    for reader, runs in of_dlt.items():
        seconds = _median(runs, lambda run: run.seconds)
        quick = runs[0].rows / seconds
        peak = _median(runs, lambda run: run.peak)
        values = (f"{runs[0].rows:,}", f"{seconds:.1f}", f"{quick:,.0f}", f"{rows_per_second / quick:.0f} ×")
        table.add_row(f"dlt, {reader}", *values, f"{peak:,.0f}", "≥ 100 ×")
    return table


def _whole_job(workshop: Workshop, rows: int, repeat: int) -> None:
    exports = workshop.exports(rows)
    of_pipeline: list[WholeJob] = []
    of_bare: list[WholeJob] = []
    for number in range(1, repeat + 1):
        with workshop.copy(f"whole job {number}", exports) as copy:
            of_pipeline.append(whole_job.measure_pipeline(copy))
        with workshop.copy(f"whole job of bare parts {number}", exports) as copy:
            of_bare.append(whole_job.measure_bare(copy))
    table = _table(f"Whole job: {rows:,} rows, file to delivered", "seconds", "pipeline", "bare parts", "ratio", "aim")

    def row(name: str, mine: Callable[[WholeJob], float], theirs: Callable[[WholeJob], float], aim: str = "") -> None:
        a, b = _median(of_pipeline, mine), _median(of_bare, theirs)
        table.add_row(name, f"{a:.1f}", f"{b:.1f}", f"{a / b:.2f}", aim)

    for name, (steps, bare_steps) in whole_job.PARTS.items():
        row(f"  {name}", partial(_sum_of_steps, steps), partial(_sum_of_steps, bare_steps))
    row("all steps", lambda run: sum(run.steps.values()), lambda run: sum(run.steps.values()))
    row("the whole process", lambda run: run.seconds, lambda run: run.seconds, "≤ 1.6")
    row("processor seconds", lambda run: run.worked, lambda run: run.worked)
    table.add_section()
    peaks = [f"{_median(runs, lambda run: run.peak):,.0f}" for runs in (of_pipeline, of_bare)]
    table.add_row("peak MB", *peaks)
    console.print(table)


def _sum_of_steps(steps: Iterable[str], run: WholeJob) -> float:
    return sum(run.steps.get(step, 0) for step in steps)


def _end_to_end(workshop: Workshop, events: int, repeat: int) -> None:
    exports = workshop.exports(round(events / SHARE_OF_EVENTS))
    runs = []
    for number in range(1, repeat + 1):
        with workshop.copy(f"end to end {number}", exports) as copy:
            runs.append(end_to_end.measure(copy))
    table = _table(f"make run: {runs[0].events:,} events, dry run", "seconds", "")
    for step in runs[0].steps:
        table.add_row(step.replace("__", "/"), f"{median(run.steps[step] for run in runs):.1f}")
    table.add_section()
    table.add_row("all steps", f"{_median(runs, lambda run: sum(run.steps.values())):.1f}")
    table.add_row("the whole process", f"{_median(runs, lambda run: run.seconds):.1f}")
    table.add_row("peak MB, the process", f"{_median(runs, lambda run: run.peak):,.0f}")
    table.add_row("peak MB, processes below it", f"{_median(runs, lambda run: run.children_peak):,.0f}")
    console.print(table)


# Slow senders send fewer events by this factor, since only the rate is compared.
_SLOW_DIVISOR = 20
_RESPONSE_SECONDS = 0.2


def _deliveries(workshop: Workshop, events: int) -> None:
    with workshop.copy("deliveries", workshop.folder) as copy:
        copy.python("benchmarks.senders", "prepare", str(events))
        slow = max(events // _SLOW_DIVISOR, 1)
        bare_copy, cut = (senders.measure(copy, kind, events) for kind in ("copy", "cut"))
        runs = {
            "the messages, by a bare COPY": bare_copy,
            "cut: fills the outbox": cut,
            "pipeline": senders.measure(copy, "pipeline", events),
            "the official client": senders.measure(copy, "official", slow),
            "a naive loop": senders.measure(copy, "naive", slow),
            "ready-made bodies": senders.measure(copy, "ready", events),
        }
        table = _table("Delivery to a stub server", "", "events", "seconds", "per second", "pipeline is", "peak MB")
        of_pipeline = runs["pipeline"].events / runs["pipeline"].seconds
        for name, run in runs.items():
            rate = run.events / run.seconds
            table.add_row(
                name,
                f"{run.events:,}",
                f"{run.seconds:.1f}",
                f"{rate:,.0f}",
                f"{of_pipeline / rate:.2f} ×",
                f"{run.peak:,.0f}",
            )
        console.print(table)
        console.print(f"Cutting takes {cut.seconds / bare_copy.seconds:.2f} × the bare COPY (aim: ≤ 2)")
    with workshop.copy("slow responses", workshop.folder) as copy:
        copy.python("benchmarks.senders", "prepare", str(events))
        senders.measure(copy, "cut", events)
        run = senders.measure(copy, "pipeline", events, _RESPONSE_SECONDS)
        possible = senders.CONNECTIONS / _RESPONSE_SECONDS
        share = run.batches / run.seconds / possible
        console.print(
            f"With {_RESPONSE_SECONDS} s per response and {senders.CONNECTIONS} connections: {share:.0%} of the "
            f"{possible:.0f} requests per second that these allow (aim: 90 %)"
        )


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column(first)
    for name in others:
        table.add_column(name, justify="right")
    return table


if __name__ == "__main__":
    main()
