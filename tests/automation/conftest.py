"""A project whose settings this process has, and an instance to look at."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import LAYOUTS
from tests.settings.environment import Environment


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose settings this process has."""
    monkeypatch.setattr("pipeline.exports.discovery.SETTLING", timedelta(0))
    project = Project(tmp_path).with_files({}, LAYOUTS)
    Environment(monkeypatch, tmp_path / ".env").load(**project.of_the_pipeline)
    return project
