"""Progress of a run from the command line: a live line on a terminal, plain lines elsewhere."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import dagster as dg
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from pipeline.console import err as console
from pipeline.finding import plural
from pipeline.masking import on_one_line
from pipeline.orchestration.markdown import plain
from pipeline.orchestration.metadata import PARTITION_ROWS

# Metadata of a materialization that is shown in progress, and the label of one and of several.
_SHOWN = {
    PARTITION_ROWS: ("row", "rows"),
    "events": ("event", "events"),
    "delivered": ("delivered", "delivered"),
    "requests_written": ("request written", "requests written"),
    "batches": ("batch", "batches"),
    "waiting": ("waiting", "waiting"),
    "dead": ("dead", "dead"),
}
# The length of a line of progress; Dagster's UI has the whole text.
_LONGEST = 2000
# Messages of dagster-dbt about each call, which are not progress.
_IGNORED = ("A dbt subsetted execution is", "Running dbt command", "Finished dbt command")


class _Display(logging.Handler):
    """Turns Dagster's events into lines."""

    def __init__(self, progress: Progress | None) -> None:
        super().__init__(logging.INFO - 10)
        self._progress = progress
        self._task = progress.add_task("starting") if progress else None
        self._is_usable = True
        self._asset: dg.AssetKey | None = None
        self._numbers: dict[str, int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Show a record. Failures to display are reported once, and the step that wrote the record continues."""
        if not self._is_usable:
            return
        try:
            self._show(record)
        except Exception as error:  # of any kind: rich renders text from outside
            self._is_usable = False
            with suppress(OSError, ValueError):  # stderr itself may be closed or full
                console.print(f"Progress can't be displayed ({type(error).__name__}); the run continues.")

    def _show(self, record: logging.LogRecord) -> None:
        meta: dict[str, Any] = getattr(record, "dagster_meta", {})
        event: dg.DagsterEvent | None = meta.get("dagster_event")
        if event is None or not event.is_step_materialization:
            self._print_materialized()
        if event is None:
            words = str(meta.get("orig_message", record.getMessage()))
            if record.levelno >= logging.WARNING:  # printed, since the live line of a terminal would replace it
                console.print(on_one_line(words, _LONGEST), style="yellow")
            elif record.levelno >= logging.INFO and not words.startswith(_IGNORED):
                self._now(words)
            return
        if event.is_step_start:
            self._now(str(event.step_key).replace("__", "/"))
        elif event.is_step_materialization:
            self._materialized(event)
        elif event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            self._checked(event)

    def _materialized(self, event: dg.DagsterEvent) -> None:
        """Add the materialization of one date; the line is for all dates of the run."""
        materialization = event.step_materialization_data.materialization
        if materialization.asset_key != self._asset:
            self._print_materialized()
            self._asset = materialization.asset_key
        for key, entry in materialization.metadata.items():
            if key in _SHOWN and isinstance(entry.value, int):
                of_other_dates = self._numbers.get(key, 0) if key == PARTITION_ROWS else 0
                self._numbers[key] = of_other_dates + entry.value

    def _print_materialized(self) -> None:
        words = ", ".join(f"{number:,} {plural(number, *_SHOWN[key])}" for key, number in self._numbers.items())
        if words and self._asset is not None:
            console.print(f"{self._asset.to_user_string():<32} {words}")
        self._asset, self._numbers = None, {}

    def _checked(self, event: dg.DagsterEvent) -> None:
        evaluation: Any = event.event_specific_data
        if not evaluation.passed:
            failed = evaluation.severity is dg.AssetCheckSeverity.ERROR
            words, style = ("check failed", "red") if failed else ("warning", "yellow")
            line = f"{words}: {evaluation.check_name}: {plain(evaluation.description or '')}"
            console.print(on_one_line(line, _LONGEST), style=style)

    def _now(self, words: str) -> None:
        words = on_one_line(words, _LONGEST)
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, description=words)
        else:
            console.print(f"… {words}")


_display: _Display | None = None


@contextmanager
def display() -> Iterator[dict[str, Any]]:
    """Run configuration that sends progress only to this display."""
    global _display
    progress = (
        Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            redirect_stdout=False,  # what dbt prints there is not shown
        )
        if console.is_terminal
        else None
    )
    _display = _Display(progress)
    try:
        with console.uncaptured(), progress or nullcontext():
            yield {"loggers": {"progress": {}}}
    finally:
        _display = None


@dg.logger({})
def progress_logger(_context: dg.InitLoggerContext) -> logging.Logger:
    """A logger whose handler is the display of the current command, or none."""
    logger = logging.Logger("progress")
    logger.addHandler(_display or logging.NullHandler())
    return logger
