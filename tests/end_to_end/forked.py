"""Commands in forked processes: each a process of its own that need not import again what every command imports.

A server imports those packages, once for each test worker, and forks for each command. It imports no module of this
project: these read the environment when they are imported.
"""

import atexit
import gc
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import duckdb

from tests.end_to_end.rehearsal import rehearse

PROJECT_ROOT = Path(__file__).resolve().parents[2]
# Those that a run imports, with the modules that their packages import late.
PACKAGES = (
    *("click", "dagster", "dagster_dbt", "filelock", "fsspec", "jinja2", "pandas", "pydantic_settings", "regex"),
    *("requests", "rich.progress", "rich.traceback", "tenacity", "yaml"),
    *("dbt.cli.main", "dbt.task.build", "dbt.adapters.duckdb", "dbt.adapters.duckdb.environments.local", "sqlparse"),
    *("matplotlib.figure", "matplotlib.backends.backend_svg", "pygments.lexers.javascript"),
    *("sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.mysql"),
    *("dagster._core.storage.runs.sqlite", "dagster._core.storage.event_log.sqlite", "dagster._core.storage.root"),
    *("dagster._core.storage.schedules.sqlite", "dagster._core.storage.local_compute_log_manager"),
    *("dagster._core.workspace.context", "dagster._daemon.controller", "dagster._core.run_coordinator"),
)
# Python and the dynamic linker read these before any code runs, so that a forked process would not obey them.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "FAKETIME")


@dataclass(frozen=True)
class Command:
    """`python -m module arguments` in an environment and a folder; its output goes to the two files."""

    module: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    umask: int
    stdout: str
    stderr: str


def run_module(
    module: str, arguments: Sequence[str], environment: Mapping[str, str], folder: Path
) -> "subprocess.CompletedProcess[str]":
    """`python -m module arguments` in this environment and folder, and what it printed."""
    typed = [sys.executable, "-m", module, *arguments]
    if _read_at_start(environment) != _read_at_start(os.environ):
        return subprocess.run(typed, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    os.umask(umask := os.umask(0))  # it can only be read by setting it
    with TemporaryDirectory(prefix="forked_") as name:
        stdout, stderr = Path(name, "stdout"), Path(name, "stderr")
        command = Command(module, arguments, environment, str(folder), umask, str(stdout), str(stderr))
        status = _server().run(command)
        return subprocess.CompletedProcess(typed, status, stdout.read_text("utf-8"), stderr.read_text("utf-8"))


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}


class _Server:
    """The process that forks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.end_to_end.forked"],
            cwd=PROJECT_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, command: Command) -> int:
        """The exit status of the command, once it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps(asdict(command)), file=self._process.stdin, flush=True)
            return int(self._process.stdout.readline())
        except BaseException:  # such as a test's timeout: the command must not go on
            os.killpg(self._process.pid, signal.SIGKILL)
            _server.cache_clear()
            raise

    def stop(self) -> None:
        """End it; it has nothing to do."""
        self._process.communicate()


@cache
def _server() -> _Server:
    started = _Server()
    atexit.register(started.stop)
    return started


def main() -> None:
    """For each line of the input, fork a process that becomes the command, and print its exit status."""
    for name in PACKAGES:
        import_module(name)
    rehearse()
    # The import of DuckDB opens a database. A forked process lacks its threads, and would wait for them at its end.
    duckdb.default_connection().execute("SET threads = 1")
    gc.collect()
    gc.freeze()  # no process searches for garbage in what all of them have
    while line := sys.stdin.readline():
        if (process := os.fork()) == 0:
            _become(Command(**json.loads(line)))
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _become(command: Command) -> NoReturn:
    """Run the command in this process, which then exits as Python does."""
    for descriptor, path in enumerate((os.devnull, command.stdout, command.stderr)):
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    os.umask(command.umask)
    os.environ.clear()
    os.environ.update(command.environment)
    tempfile.tempdir = None  # TMPDIR of the command, not of the server's rehearsal
    time.tzset()
    os.chdir(command.folder)
    sys.path[0] = command.folder
    sys.argv[1:] = command.arguments
    # No test waits some seconds for files that don't change; tests/exports/test_discovery_settled.py has such a wait.
    import_module("pipeline.exports.discovery").SETTLING = timedelta(0)
    duckdb.connect = _with_one_thread(duckdb.connect)
    runpy.run_module(command.module, run_name="__main__", alter_sys=True)
    sys.exit(0)


def _with_one_thread(connect: Callable[..., duckdb.DuckDBPyConnection]) -> Callable[..., duckdb.DuckDBPyConnection]:
    """DuckDB with one thread, since more of them take longer with a few rows. Commands that are not forked have all."""

    def connected(
        database: str = ":memory:", read_only: bool = False, config: Mapping[str, Any] | None = None
    ) -> duckdb.DuckDBPyConnection:
        return connect(database, read_only, {**(config or {}), "threads": 1})

    return connected


if __name__ == "__main__":
    main()
