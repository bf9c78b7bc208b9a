"""A project that has never run, and Dagster's UI for it."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.dagster_ui import DagsterUi, dagster_ui
from tests.end_to_end import tiny_exports
from tests.end_to_end.project import Project

EXPORT = tiny_exports.log(
    [
        "ann,m1,c1,SENT,,2024-06-10T10:00:00",
        "ann,m1,c1,VIEW,,2024-06-10T11:00:00",
        "bob,m1,c1,SENT,,2024-06-10T10:00:00",
        "bob,m1,c1,WHAT,,2024-06-10T12:00:00",
    ]
)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = Project(tmp_path_factory.mktemp("ui"))
    return project.with_files({"log_20240611.csv": EXPORT}, tiny_exports.LAYOUTS)


@pytest.fixture(scope="module")
def ui(browser: Browser, project: Project) -> Iterator[DagsterUi]:
    with dagster_ui(project) as started:
        yield started
