"""A project whose settings this process has, and an instance to look at."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from pipeline.settings import Settings
from tests.end_to_end.project import Project
from tests.end_to_end.tiny import LAYOUTS


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose settings this process has."""
    project = Project(tmp_path).with_files({}, LAYOUTS)
    monkeypatch.setitem(Settings.model_config, "env_file", tmp_path / ".env")
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in project.environment.items():
        if name.lower() in Settings.model_fields:
            monkeypatch.setenv(name, value)
    return project
