"""dbt in this process: starting another takes seconds, and it would load what this one has loaded already.

Without Dagster, which takes a second to import and which the set-up does not need.
"""

import json
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from pipeline.errors import ModelsFailed
from pipeline.models.dbt import DBT_DIR, digest_of_sources, environment, variables
from pipeline.orchestration.shutdown import signals_set
from pipeline.settings import DBT_TARGET_DIR, Settings, load_settings
from pipeline.warehouse import Warehouse

# One invocation of dbt at a time: its flags, its log and its adapter are global.
_DBT = threading.RLock()
# The parsed projects of this process, by variables and sources.
_manifests: dict[tuple[str, str], Any] = {}


def preload() -> threading.Thread:
    """Start to import dbt and to parse its project, so that the next `build` in this process has only to run it.

    The thread prints and raises nothing: `build` reports what is wrong. dbt's environment variables are set here, and
    stay: a thread that adds variables would disturb others that list them.
    """
    settings = load_settings()
    os.environ.update(_environment(settings))

    def parse_in_silence() -> None:
        with suppress(ModelsFailed, OSError):
            _parsed(settings, ["--no-write-json", "--log-level", "none"])

    thread = threading.Thread(target=parse_in_silence, name="dbt")
    thread.start()
    return thread


def parse(settings: Settings) -> None:
    """Write the manifest of the dbt project.

    Raises:
        ModelsFailed: dbt can't parse it.
    """
    _manifests.clear()
    _parsed(settings)


def _parsed(settings: Settings, options: Sequence[str] = ()) -> Any:
    """The parsed project, which is parsed once; raises ModelsFailed."""
    variable = _variables(settings)
    key = (variable[-1], digest_of_sources())
    with _DBT:
        if key not in _manifests:
            manifest, failure = _run_dbt(["parse", *options, *variable], _environment(settings))
            if failure is not None:
                raise failure
            _manifests[key] = manifest
        return _manifests[key]


def _environment(settings: Settings) -> Mapping[str, str]:
    # That of a run: dbt parses everything again where a variable or the profile differs.
    return {**environment(Warehouse.of(settings)), "DBT_LOG_PATH": str(DBT_TARGET_DIR)}


def _variables(settings: Settings) -> Sequence[str]:
    return ["--vars", json.dumps(variables(settings))]


def run_models(
    arguments: Sequence[str], values: Mapping[str, str], on_event: Callable[[Any], None]
) -> tuple[Any, ModelsFailed | None]:
    """Build models and run tests, with environment variables for dbt: what dbt returns, and its failure. `on_event`
    gets each of dbt's events. Raises any other error, such as a full disk.
    """
    settings = load_settings()
    with _DBT:
        manifest = _parsed(settings, ["--no-write-json"])
        arguments = ["build", *_variables(settings), *arguments]
        return _run_dbt(arguments, {**_environment(settings), **values}, on_event, manifest)


def _run_dbt(
    arguments: Sequence[str],
    values: Mapping[str, str],
    on_event: Callable[[Any], None] = lambda _event: None,
    manifest: Any = None,
) -> tuple[Any, ModelsFailed | None]:
    """What dbt returns, and its failure. Raises any other error, such as a full disk."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner
    from dbt_common.exceptions import DbtBaseException

    from pipeline.models.dbt_plugin import INTERRUPT

    errors: list[str] = []

    def note(event: Any) -> None:
        if event.info.level == "error" and event.info.name != "MainStackTrace":
            errors.append(event.info.msg)
        on_event(event)

    folders = ["--project-dir", str(DBT_DIR), "--profiles-dir", str(DBT_DIR), "--target-path", str(DBT_TARGET_DIR)]
    with in_environment(values), signals_set(INTERRUPT), _without_errors_of_logging():
        try:
            result = dbtRunner(manifest, callbacks=[note]).invoke(["--no-use-colors", *arguments, *folders])
        finally:
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]  # which releases the warehouse
    if result.exception is not None and not isinstance(result.exception, DbtBaseException):
        raise result.exception  # of the system, such as a full disk, or of Python
    failure = None if result.success else ModelsFailed("\n".join(errors) or str(result.exception))
    return result.result, failure


@contextmanager
def _without_errors_of_logging() -> Iterator[None]:
    """Without the traceback that Python prints for each line that a full disk keeps out of dbt's log."""
    before, logging.raiseExceptions = logging.raiseExceptions, False
    try:
        yield
    finally:
        logging.raiseExceptions = before


@contextmanager
def in_environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables while the block runs."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
