"""The points of a pre-flight, each with its outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import PipelineError


class Outcome(StrEnum):
    """The outcome of a point; only a failure prevents a run."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True)
class Point:
    """What was checked, and a sentence with what was found; of a warning or a failure also what to do."""

    subject: str
    outcome: Outcome
    sentence: str


def ok(subject: str, sentence: str) -> Point:
    """A point without a fault."""
    return Point(subject, Outcome.OK, sentence)


def warning(subject: str, sentence: str) -> Point:
    """A point to review."""
    return Point(subject, Outcome.WARNING, sentence.removeprefix(f"{subject}: "))


def failed(subject: str, sentence: str) -> Point:
    """A point that would stop a run, or lose events."""
    return Point(subject, Outcome.FAILED, sentence.removeprefix(f"{subject}: "))


def checked(subject: str, check: Callable[[], Point]) -> Point:
    """The result of a check; a failure with the error's message where it raises a PipelineError."""
    try:
        return check()
    except PipelineError as error:
        return failed(subject, str(error))
