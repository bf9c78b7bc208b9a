"""The reason of a failed step comes first, with its remedy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from pipeline.errors import LayoutError, ModelsFailed
from pipeline.orchestration.asset_defaults import with_defaults
from pipeline.orchestration.failures import with_reasons


def failing_with(error: Exception, *, is_generator: bool) -> dg.AssetsDefinition:
    def fail() -> None:
        raise error

    if is_generator:

        @dg.multi_asset(specs=[dg.AssetSpec("failing")])
        def generating() -> Iterator[dg.MaterializeResult]:
            fail()
            yield dg.MaterializeResult("failing")

        return generating

    @dg.asset
    def failing() -> None:
        fail()

    return failing


def failure_of(asset: dg.AssetsDefinition) -> Any:
    result = dg.materialize([with_reasons(asset)], raise_on_error=False)
    [failure] = (event for event in result.all_events if event.is_step_failure)
    return failure.step_failure_data


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (LayoutError("log.yml: files: is missing"), "log.yml: files: is missing"),
        (ModelsFailed("tracks: no such column"), "tracks: no such column"),
        (FileNotFoundError(2, "No such file or directory", "/exports"), "/exports: No such file or directory"),
    ],
)
@pytest.mark.parametrize("is_generator", [True, False])
def test_an_error_with_a_sentence_is_a_failure_with_it(error: Exception, words: str, is_generator: bool) -> None:
    found = failure_of(failing_with(error, is_generator=is_generator))
    assert found.user_failure_data.description == words
    assert found.error.message.splitlines()[0] == f"dagster._core.definitions.events.Failure: {words}"
    assert found.error.cause.stack, "the stack trace is below it"


def test_an_unknown_error_stays_what_it_is() -> None:
    found = failure_of(failing_with(ZeroDivisionError("division by zero"), is_generator=False))
    assert found.user_failure_data is None
    assert found.error.cause.message == "ZeroDivisionError: division by zero\n"


def test_the_reference_to_the_code_leads_to_the_asset() -> None:
    [asset] = with_defaults([failing_with(ValueError(), is_generator=False)])
    [reference] = asset.metadata_by_key[asset.key]["dagster/code_references"].code_references
    assert Path(reference.file_path) == Path(__file__)
