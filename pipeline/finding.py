"""The result of a check, as a value without Dagster, and helpers for its sentence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# How many examples a sentence names; the others are counted.
_EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """Whether a check passed, a sentence that says what to do if not, and the numbers behind it.

    `grave`: the run must not continue with the steps after it.
    """

    holds: bool
    sentence: str
    numbers: Mapping[str, int] = field(default_factory=dict)
    grave: bool = False


def some(examples: Sequence[str], separator: str = ", ") -> str:
    """The first examples, and the number of the others."""
    rest = len(examples) - _EXAMPLES
    return separator.join(examples[:_EXAMPLES]) + (f"{separator}and {rest:,} more" if rest > 0 else "")


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}" + plural(number, "", "s")


def plural(number: int, one: str, many: str) -> str:
    """The form that agrees with a number: `is` or `are`."""
    return one if number == 1 else many
