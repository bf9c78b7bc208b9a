"""What comes in and what goes on, by the day."""

import sys
from collections.abc import Sequence

import dagster as dg
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin

from pipeline.automation.job_names import MAIN_JOB
from pipeline.exports.loading import load
from pipeline.exports.resources import Exports
from tests.end_to_end.project import Project
from tests.end_to_end.tiny_exports import log

ROW = "ann,m1,c1,VIEW,,2024-06-10T08:00:00Z"
TUESDAY, WEDNESDAY = "2024-06-11", "2024-06-12"


def put(project: Project, *names: str, rows: Sequence[str] = (ROW,)) -> None:
    project.with_files({name: log(rows) for name in names}, {})


def load_all(project: Project) -> None:
    with project.warehouse.writing() as connection:
        load(connection, Exports().location(), Exports().discover())


# As the service stores it with each run; a command does not.
_CODE = JobPythonOrigin(
    MAIN_JOB, RepositoryPythonOrigin(sys.executable, ModuleCodePointer("pipeline.definitions", "defs"))
)


def going_on(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
    *,
    of_a_command: bool = False,
    **tags: str,
) -> dg.DagsterRun:
    code = None if of_a_command else _CODE
    return instance.add_run(dg.DagsterRun(job_name=MAIN_JOB, status=status, tags=tags, job_code_origin=code))
