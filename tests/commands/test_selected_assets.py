"""Which assets `run --select` means, and what it refuses before anything is run."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.commands.run import run
from pipeline.commands.selected_assets import matching
from pipeline.errors import SettingsError
from tests.settings.environment import Environment

NAMES = ("raw/events", "raw/lookups", "segment/tracks")


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["raw/events"], ["raw/events"]),
        (["raw/*"], ["raw/events", "raw/lookups"]),
        (["segment/tracks", "*/events"], ["raw/events", "segment/tracks"]),
        (["*"], [*NAMES]),
    ],
)
def test_a_pattern_means_all_assets_that_match_it(patterns: list[str], found: list[str]) -> None:
    assert matching(patterns, NAMES) == found


def test_a_name_of_no_asset_is_refused_with_similar_names() -> None:
    with pytest.raises(SettingsError, match="there is no asset raw/event; did you mean raw/events"):
        matching(["raw/*", "raw/event"], NAMES)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--select", "raw/events"], "--select: nothing is loaded yet; name export dates with --from and --to"),
        (
            ["--select", "raw/event", "--to", "2024-06-11"],
            "--select: there is no asset raw/event; did you mean raw/events",
        ),
        (
            ["--select", "warehouse/upkeep", "--to", "2024-06-11"],
            "--select: there is no asset warehouse/upkeep in the main job; `python -m pipeline upkeep` runs it",
        ),
        (["--select", "raw/events", "--full-refresh", "--to", "2024-06-11"], "--full-refresh: only staging/* and seg"),
        (["--select", "segment/*", "--reload", "--to", "2024-06-11"], "--reload: only raw/* can do that"),
        (["--reload"], "options of assets; name these with --select"),
        (["--select", "raw/events", "--release"], "without --no-delivery or --release"),
    ],
)
def test_what_it_refuses(arguments: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Environment(monkeypatch, tmp_path / ".env").load(
        WAREHOUSE=f"ducklake:sqlite:{tmp_path}/warehouse.sqlite", WAREHOUSE_FILES=f"{tmp_path}/warehouse/"
    )
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "dagster"))
    done = CliRunner().invoke(run, arguments)
    assert words in f"{done.output}{done.exception}"
    assert done.exit_code != 0
    assert not (tmp_path / "warehouse.sqlite").exists()
