"""The first line of a failed step: its reason in words, with the remedy.

Dagster shows an error as the cause of one of its own, and the last event of the run has only that. A `dg.Failure` comes
first in both.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import dagster as dg
from dagster._core.definitions.decorators.op_decorator import DecoratedOpFunction

from pipeline.errors import ModelsFailed, PipelineError
from pipeline.orchestration.system_errors import completed, sentence, words_of_error
from pipeline.settings import load_settings


def with_reasons(asset: dg.AssetsDefinition) -> dg.AssetsDefinition:
    """The asset, whose errors that have a sentence become failures with that sentence."""
    op = asset.node_def
    assert isinstance(op, dg.OpDefinition)
    assert isinstance(op.compute_fn, DecoratedOpFunction)
    # Not by a decorator of each asset: references to code would then lead to the decorator.
    op._compute_fn = DecoratedOpFunction(_failing_in_words(op.compute_fn.decorated_fn))
    return asset


def _failing_in_words(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def run(*arguments: Any, **named: Any) -> Any:
        with _in_words():
            return function(*arguments, **named)

    @wraps(function)
    def generate(*arguments: Any, **named: Any) -> Iterator[Any]:
        with _in_words():
            yield from function(*arguments, **named)

    return generate if inspect.isgeneratorfunction(function) else run


@contextmanager
def _in_words() -> Iterator[None]:
    try:
        yield
    except (dg.Failure, dg.DagsterError):
        raise
    except Exception as error:
        if (words := _words_of(error)) is None:
            raise
        raise dg.Failure(words) from error


def _words_of(error: Exception) -> str | None:
    settings = load_settings()
    match error:
        case ModelsFailed():  # its text may contain an error of the system
            return sentence(str(error), settings) or str(error)
        case PipelineError():
            return completed(str(error), settings)
    return words_of_error(error, settings)
