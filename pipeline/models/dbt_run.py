"""What a step of the models runs in dbt, and what dbt reports of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator
from dagster_dbt.asset_utils import get_asset_check_key_for_test, get_updated_cli_invocation_params_for_context
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from pipeline.models.dbt_runner import run_models
from pipeline.orchestration.long_steps import Progress

_RESULTS = ("LogModelResult", "LogTestResult")


def build(
    context: dg.AssetExecutionContext,
    arguments: Sequence[str],
    values: Mapping[str, str],
    show: Callable[[str], dg.MetadataValue],
    progress: Progress,
) -> Iterator[dg.Output[None] | dg.AssetCheckResult]:
    """Build the models and run the tests that a step selects, with environment variables for dbt; then yield the
    results of the tests and the outputs of the models. `show` gives the rows of a failed test's SQL, as metadata.
    `progress` gets the name and the number of the current one.

    Raises:
        ModelsFailed: a model or a test failed; raised after the results of the others.
    """
    selected = get_updated_cli_invocation_params_for_context(context, {}, DagsterDbtTranslator())
    if selected.indirect_selection:
        values = {**values, "DBT_INDIRECT_SELECTION": selected.indirect_selection}
    from dbt_common.events.functions import msg_to_dict

    from pipeline.models.dbt_plugin import INTERRUPT

    finished: list[dict[str, Any]] = []
    progress.query = INTERRUPT.done

    def keep(event: Any) -> None:
        if event.info.name == "LogStartLine":
            progress.current = event.data.node_info.node_name
            # No share: one of them takes most of the time.
            progress.note(0.0, 0, "", f"{event.data.index} of {event.data.total} models and tests")
        if event.info.name in _RESULTS:
            finished.append(msg_to_dict(event))

    built, failure = run_models([*arguments, *selected.selection_args], values, keep)
    results = getattr(built, "results", ())
    failed_tests = {result.node.unique_id: result.node.compiled_code for result in results if result.failures}
    for message in finished:
        node = message["data"]["node_info"]["unique_id"]
        if node.startswith("test.") and not _is_selected(context, selected, node):
            continue  # dbt also runs the tests of others that read a selected table; their failures are in `failure`
        sql = failed_tests.get(node)
        for event in DbtCoreCliEventMessage(raw_event=message, event_history_metadata={}).to_default_asset_events(
            manifest=selected.manifest,
            dagster_dbt_translator=selected.dagster_dbt_translator,
            context=context,
            project=selected.dbt_project,
        ):
            if sql is not None and isinstance(event, dg.AssetCheckResult):
                event = event._replace(metadata={"failing_rows": show(sql), **event.metadata})
            yield event  # type: ignore[misc]
    if failure is not None:
        raise failure


def _is_selected(context: dg.AssetExecutionContext, selected: Any, test: str) -> bool:
    """Whether the step has a check for a test of dbt."""
    key = get_asset_check_key_for_test(
        selected.manifest, selected.dagster_dbt_translator, test, project=selected.dbt_project
    )
    return key in context.selected_asset_check_keys
