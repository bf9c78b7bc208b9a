"""Dagster's picture of the dbt project is made anew when the project's files are others, whatever their times say."""

import os
import time
from pathlib import Path

import pytest

from pipeline.models import dbt, manifest
from pipeline.settings import Settings


class Parser:
    """Instead of dbt: notes how often it parsed."""

    def __init__(self, target: Path) -> None:
        self._target = target
        self.parsed = 0

    def parse(self, _settings: Settings) -> None:
        (self._target / "manifest.json").write_text("{}", "utf-8")
        self.parsed += 1


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "dbt_project"
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text("name: a\n", "utf-8")
    (folder / "models" / "events.sql").write_text("select 1\n", "utf-8")
    monkeypatch.setattr(dbt, "DBT_DIR", folder)
    return folder


@pytest.fixture
def parser(sources: Path, monkeypatch: pytest.MonkeyPatch) -> Parser:
    target = sources.parent / "target"
    parser = Parser(target)
    monkeypatch.setattr(manifest, "DBT_TARGET_DIR", target)
    monkeypatch.setattr(manifest, "parse", parser.parse)
    return parser


def set_time(path: Path, hours: float) -> None:
    moment = time.time() + hours * 3600
    os.utime(path, (moment, moment))


def test_it_is_made_once(parser: Parser, sources: Path) -> None:
    for _ in range(2):
        assert manifest.prepared_manifest().exists()
    set_time(sources / "models" / "events.sql", 5)
    manifest.prepared_manifest()
    assert parser.parsed == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "models" / "events.sql").write_text("select 2\n", "utf-8"),
        lambda folder: (folder / "models" / "more.sql").write_text("select 2\n", "utf-8"),
        lambda folder: (folder / "models" / "events.sql").rename(folder / "models" / "events_2.sql"),
        lambda folder: (folder / "models" / "events.sql").unlink(),
    ],
    ids=["changed", "added", "renamed", "removed"],
)
def test_it_is_made_anew_although_it_is_newer_than_what_it_is_made_of(parser: Parser, sources: Path, change) -> None:  # type: ignore[no-untyped-def]
    """It was made by a clock that was ahead, or an update brought files that are older than it."""
    set_time(manifest.prepared_manifest(), 2)
    change(sources)
    for path in sources.rglob("*.*"):
        set_time(path, -48)
    manifest.prepared_manifest()
    assert parser.parsed == 2


def test_it_is_made_anew_where_its_making_was_cut_short(parser: Parser) -> None:
    path = manifest.prepared_manifest()
    path.with_name("manifest.sources").unlink()
    manifest.prepared_manifest()
    assert parser.parsed == 2
