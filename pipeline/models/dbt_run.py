"""dbt in this process: starting another takes seconds, and it would load what this one has loaded already."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import get_updated_cli_invocation_params_for_context
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from pipeline.errors import ModelsFailed
from pipeline.models.dbt import DBT_DIR, environment, variables
from pipeline.orchestration.shutdown import signals_set
from pipeline.settings import DBT_TARGET_DIR, Settings
from pipeline.warehouse import Warehouse

_RESULTS = ("LogModelResult", "LogTestResult")


def parse(settings: Settings) -> None:
    """Write the manifest of the dbt project.

    Raises:
        ModelsFailed: dbt can't parse it.
    """
    # In the environment of a run: dbt parses everything again where a variable or the profile differs.
    arguments = ["parse", "--vars", json.dumps(variables(settings))]
    _, failure = _run_dbt(arguments, environment(Warehouse.of(settings)))
    if failure is not None:
        raise failure


def build(
    context: dg.AssetExecutionContext,
    arguments: Sequence[str],
    values: Mapping[str, str],
    show: Callable[[str], dg.MetadataValue],
) -> Iterator[dg.Output[None] | dg.AssetCheckResult | dg.AssetObservation]:
    """Build the models and run the tests that a step selects, with environment variables for dbt; then yield the
    results of the tests and the outputs of the models. `show` gives the rows of a failed test's SQL, as metadata.

    Raises:
        ModelsFailed: a model or a test failed; raised after the results of the others.
    """
    selected = get_updated_cli_invocation_params_for_context(context, {}, DagsterDbtTranslator())
    if selected.indirect_selection:
        values = {**values, "DBT_INDIRECT_SELECTION": selected.indirect_selection}
    from dbt_common.events.functions import msg_to_dict

    finished: list[dict[str, Any]] = []

    def keep(event: Any) -> None:
        if event.info.name in _RESULTS:
            finished.append(msg_to_dict(event))

    results, failure = _run_dbt(["build", *arguments, *selected.selection_args], values, keep)
    failed_tests = {result.node.unique_id: result.node.compiled_code for result in results if result.failures}
    for message in finished:
        sql = failed_tests.get(message["data"]["node_info"]["unique_id"])
        for event in DbtCoreCliEventMessage(raw_event=message, event_history_metadata={}).to_default_asset_events(
            manifest=selected.manifest,
            dagster_dbt_translator=selected.dagster_dbt_translator,
            context=context,
            project=selected.dbt_project,
        ):
            if sql is not None and isinstance(event, dg.AssetCheckResult):
                event = event._replace(metadata={**event.metadata, "failing_rows": show(sql)})
            yield event  # type: ignore[misc]
    if failure is not None:
        raise failure


def _run_dbt(
    arguments: Sequence[str], values: Mapping[str, str], on_event: Callable[[Any], None] = lambda _event: None
) -> tuple[Sequence[Any], ModelsFailed | None]:
    """The results of the nodes, and the failure of dbt as a whole. Raises any other error, such as a full disk."""
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
    logs = {"DBT_LOG_PATH": str(DBT_TARGET_DIR)}
    with in_environment({**values, **logs}), signals_set(INTERRUPT):
        try:
            result = dbtRunner(callbacks=[note]).invoke(["--no-use-colors", *arguments, *folders])
        finally:
            DuckDBConnectionManager.close_all_connections()  # type: ignore[no-untyped-call]  # which releases the warehouse
    if result.exception is not None and not isinstance(result.exception, DbtBaseException):
        raise result.exception  # of the system, such as a full disk, or of Python
    failure = None if result.success else ModelsFailed("\n".join(errors) or str(result.exception))
    return getattr(result.result, "results", ()), failure


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
