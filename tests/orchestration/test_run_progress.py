"""What a run shows of itself on stderr: a display that no value and no broken terminal turns into a failed step."""

import io
import os
from contextlib import redirect_stdout
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from pipeline.console import SafeConsole
from pipeline.export_dates import ExportDates
from pipeline.orchestration import run_progress
from pipeline.orchestration.metadata import PARTITION_ROWS, add_by_date
from pipeline.orchestration.partitions import EXPORT_DATES, ONE_RUN, tags_of
from tests.support.hostile import HOSTILE


class Terminal(io.StringIO):
    """What was written; a broken one writes nothing, as a pipe that its reader has left."""

    def __init__(self, *, broken: bool = False) -> None:
        super().__init__()
        self.broken = broken

    def write(self, text: str) -> int:
        if self.broken:
            raise BrokenPipeError(32, "Broken pipe")
        return super().write(text)


def run_of(words: list[str], folder: Path, monkeypatch: pytest.MonkeyPatch, console: SafeConsole) -> bool:
    """Whether a run succeeds whose only step logs these words, warns with them, and has a check fail with them."""

    @dg.asset(name="raw", check_specs=[dg.AssetCheckSpec("codes", asset="raw")])
    def raw(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        for each in words:
            context.log.info(each)
            context.log.warning(each)
        check = dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN, description=" ".join(words))
        return dg.MaterializeResult(metadata={"events": 1}, check_results=[check])

    monkeypatch.setattr(run_progress, "console", console)
    defs = dg.Definitions([raw], loggers={"progress": run_progress.progress_logger})
    job = defs.resolve_implicit_global_asset_job_def()
    silent = {"telemetry": {"enabled": False}}
    with run_progress.display() as run_config, dg.DagsterInstance.local_temp(str(folder), overrides=silent) as instance:
        return bool(job.execute_in_process(instance=instance, run_config=run_config, raise_on_error=False).success)


@pytest.mark.parametrize("is_terminal", [True, False])
def test_no_name_or_code_is_markup_in_the_progress(
    is_terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Terminal()
    console = SafeConsole(file=written, force_terminal=is_terminal, width=10_000)
    words = [f"reading {value}.csv of zoe@example.com" for value in HOSTILE if value.isprintable()]
    assert run_of(words, tmp_path, monkeypatch, console)
    assert "reading [/b].csv of z***@example.com" in written.getvalue()
    assert "zoe@" not in written.getvalue()
    assert "can't be displayed" not in written.getvalue()


def test_control_characters_are_shown_as_what_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Terminal()
    console = SafeConsole(file=written, width=10_000)
    assert run_of(["reading \x1b]0;x\x07\u202e.csv"], tmp_path, monkeypatch, console)
    assert "… reading \\x1b]0;x\\x07\\u202e.csv" in written.getvalue()
    assert "warning: codes: reading \\x1b]0;x\\x07\\u202e.csv" in written.getvalue()


def test_a_number_agrees_with_its_noun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = Terminal()
    assert run_of(["reading"], tmp_path, monkeypatch, SafeConsole(file=written, width=10_000))
    assert f"{'raw':<32} 1 event\n" in written.getvalue()


def test_no_line_waits_for_the_tail_of_the_captured_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    tail = tmp_path / "bin" / "tail"
    tail.parent.mkdir()
    tail.write_text("#!/bin/sh\nexec cat >/dev/null\n", "utf-8")
    tail.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tail.parent}{os.pathsep}{os.environ['PATH']}")
    assert run_of(["reading"], tmp_path, monkeypatch, SafeConsole(stderr=True, width=10_000))
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "… raw"
    assert lines[-2:] == [f"{'raw':<32} 1 event", "warning: codes: reading"]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_what_is_printed_to_stdout_is_no_progress(
    is_terminal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @dg.asset
    def printing() -> None:
        print("Finished running 7 models")

    written, nowhere = Terminal(), io.StringIO()
    console = SafeConsole(file=written, force_terminal=is_terminal, width=10_000)
    monkeypatch.setattr(run_progress, "console", console)
    job = dg.Definitions(
        [printing], loggers={"progress": run_progress.progress_logger}
    ).resolve_implicit_global_asset_job_def()
    with redirect_stdout(nowhere), run_progress.display() as run_config:
        assert job.execute_in_process(run_config=run_config).success
    assert nowhere.getvalue() == "Finished running 7 models\n"
    assert "printing" in written.getvalue()
    assert "Finished" not in written.getvalue()


def test_a_display_that_fails_is_reported_once_and_the_step_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = Terminal()
    console = SafeConsole(file=written, width=10_000)

    def unable(*_: object) -> None:
        raise ZeroDivisionError("of the display")

    monkeypatch.setattr(run_progress._Display, "_now", unable)
    assert run_of(["one", "two"], tmp_path, monkeypatch, console)
    assert written.getvalue() == "Progress can't be displayed (ZeroDivisionError); the run continues.\n"


def test_a_terminal_that_is_gone_fails_no_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    console = SafeConsole(file=Terminal(broken=True), width=10_000)
    assert run_of(["one", "two"], tmp_path, monkeypatch, console)


def test_the_rows_of_all_dates_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dates = ExportDates(date(2024, 6, 11), date(2024, 6, 13))

    @dg.asset(partitions_def=EXPORT_DATES, backfill_policy=ONE_RUN)
    def counted(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        add_by_date(context, dg.AssetKey("counted"), {day: {PARTITION_ROWS: day.day * 100} for day in dates})
        return dg.MaterializeResult(metadata={PARTITION_ROWS: 1, "dead": 2})

    written = Terminal()
    monkeypatch.setattr(run_progress, "console", SafeConsole(file=written, width=10_000))
    defs = dg.Definitions([counted], loggers={"progress": run_progress.progress_logger})
    job = defs.resolve_implicit_global_asset_job_def()
    silent = {"telemetry": {"enabled": False}}
    with (
        run_progress.display() as run_config,
        dg.DagsterInstance.local_temp(str(tmp_path), overrides=silent) as instance,
    ):
        assert job.execute_in_process(instance=instance, run_config=run_config, tags=tags_of(dates)).success
    assert written.getvalue().splitlines() == ["… counted", f"{'counted':<32} 3,600 rows, 2 dead"]
