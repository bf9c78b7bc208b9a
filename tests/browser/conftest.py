"""A project with a run of the command line, and Dagster's UI for it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.dagster_ui import DagsterUi, dagster_ui
from tests.end_to_end import tiny_exports
from tests.end_to_end.project import Project

# Of 2024-06-11, which is loaded by clicking.
EXPORT = tiny_exports.log(
    [
        "ann,m1,c1,SENT,,2024-06-10T10:00:00",
        "ann,m1,c1,VIEW,,2024-06-10T11:00:00",
        "bob,m1,c1,SENT,,2024-06-10T10:00:00",
        "bob,m1,c1,WHAT,,2024-06-10T12:00:00",
    ]
)


# Of the next two dates, which a command has loaded.
NEXT_EXPORTS = {
    "log_20240612.csv": tiny_exports.log(
        ["ann,m2,c1,SENT,,2024-06-11T10:00:00", "bob,m2,c1,SENT,,2024-06-11T10:00:00"]
    ),
    "log_20240613.csv": tiny_exports.log(["ann,m2,c1,VIEW,,2024-06-12T10:00:00"]),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("ui"))
    project.with_files({"log_20240611.csv": EXPORT, **NEXT_EXPORTS}, tiny_exports.LAYOUTS)
    project.run("--from", "2024-06-12", "--to", "2024-06-13")
    return project


@pytest.fixture(scope="module")
def ui(browser: Browser, project: Project) -> Iterator[DagsterUi]:
    with dagster_ui(project) as started:
        yield started
