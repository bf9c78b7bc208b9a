"""Projects to run for real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.copying import Copy, copy_of_the_project
from tests.end_to_end.project import Project
from tests.fakes.segment_server import SegmentServer


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.fixture
def copied(tmp_path: Path) -> Copy:
    return copy_of_the_project(tmp_path / "project")


@pytest.fixture
def segment() -> Iterator[SegmentServer]:
    with SegmentServer() as server:
        yield server


@pytest.fixture
def delivering(project: Project, segment: SegmentServer) -> Project:
    """A project whose events go to the strict server."""
    project.settings |= {"SEGMENT_ENDPOINT": segment.url, "SEGMENT_WRITE_KEY": "test-key"}
    return project


@pytest.fixture(scope="session")
def examples_server() -> Iterator[SegmentServer]:
    with SegmentServer() as server:
        yield server


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory, examples_server: SegmentServer) -> Project:
    """The examples, delivered to the strict server; for tests that only look at it."""
    project = Project(tmp_path_factory.mktemp("examples")).with_examples()
    project.settings |= {"SEGMENT_ENDPOINT": examples_server.url, "SEGMENT_WRITE_KEY": "test-key"}
    project.run()
    return project
