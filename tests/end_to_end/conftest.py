"""Projects to run for real."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.settings import PROJECT_ROOT
from tests.end_to_end.copying import Copy, copy_of_the_project
from tests.end_to_end.forked import run_module
from tests.end_to_end.project import Prepare, Project, copied_to
from tests.end_to_end.stores import CHOSEN, Servers, use
from tests.end_to_end.tiny_exports import ANN, BOB, EVE, LAYOUTS, ZOE, log
from tests.fakes.s3 import S3
from tests.fakes.segment_server import SegmentServer


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without tests of what the chosen store does not have."""
    others = [item for item in items for marker in item.iter_markers("stores") if CHOSEN not in marker.args]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]


@pytest.fixture(scope="session", autouse=True)
def chosen_store(request: pytest.FixtureRequest) -> Iterator[None]:
    """The store of all projects that don't have another one."""
    if CHOSEN != "servers":
        yield
        return
    s3: S3 = request.getfixturevalue("s3")
    with pytest.MonkeyPatch.context() as monkeypatch:
        s3.in_environment(monkeypatch)
        use(Servers(request.getfixturevalue("postgres"), s3))
        yield


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the project of each test is while the test runs: dbt parses again what it parsed for another path."""
    return tmp_path_factory.getbasetemp() / "project"


@pytest.fixture(scope="session")
def parsed(place: Path, chosen_store: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that has never run, but was started once; to be copied to its place."""
    project = Project(place)
    place.mkdir()
    done = run_module("tests.end_to_end.first_start", [], project.environment, PROJECT_ROOT)
    assert done.returncode == 0, done.stderr
    return place.rename(tmp_path_factory.mktemp("parsed") / "project")


@pytest.fixture(scope="session")
def prepare(place: Path, parsed: Path, tmp_path_factory: pytest.TempPathFactory) -> Prepare:
    """Prepares a project: what a function does to one that has never run. It is read where it is, or copied."""

    def prepared(steps: Callable[[Project], object]) -> Path:
        kept = tmp_path_factory.mktemp("prepared") / "project"
        with copied_to(place, parsed, kept) as project:
            steps(project)
        return kept

    return prepared


@pytest.fixture(scope="session")
def has_run_once(prepare: Prepare) -> Path:
    """A project after a dry run of four opens; to be copied."""
    return prepare(lambda project: project.with_files({"log_20240611.csv": log([ANN, BOB, EVE, ZOE])}, LAYOUTS).run())


@pytest.fixture
def project(parsed: Path, place: Path, tmp_path: Path) -> Iterator[Project]:
    with copied_to(place, parsed, tmp_path / "project") as project:
        yield project


@pytest.fixture
def once(has_run_once: Path, place: Path, tmp_path: Path) -> Iterator[Project]:
    """A project that had a dry run of the opens of Ann, Bob, Eve and Zoe, in the export of 2024-06-11."""
    with copied_to(place, has_run_once, tmp_path / "project") as project:
        yield project


@pytest.fixture
def unparsed(tmp_path: Path) -> Project:
    """A project whose dbt project was never parsed, as after the installation."""
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
    return project.delivering_to(segment.url)


@pytest.fixture(scope="session")
def examples_server() -> Iterator[SegmentServer]:
    with SegmentServer() as server:
        yield server


@pytest.fixture(scope="session")
def first_run_of_examples(prepare: Prepare, examples_server: SegmentServer) -> tuple[Project, str]:
    """The examples, delivered to the strict server, and what the run printed."""
    printed: list[str] = []
    folder = prepare(lambda project: printed.append(project.with_examples().delivering_to(examples_server.url).run()))
    return Project(folder).delivering_to(examples_server.url), printed[0]


@pytest.fixture(scope="session")
def examples(first_run_of_examples: tuple[Project, str]) -> Project:
    """The same, for tests that only look at it."""
    return first_run_of_examples[0]
