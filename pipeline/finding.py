"""What a check finds, as a value that knows nothing of Dagster; and the words for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

# A sentence for a terminal and a mail: so many examples, and the number of the others.
_EXAMPLES = 3


@dataclass(frozen=True)
class Finding:
    """Whether all is as it should be, a sentence that says what to do where it is not, and the numbers behind it.

    `grave`: going on would do harm, so what comes after must not begin.
    """

    holds: bool
    sentence: str
    numbers: Mapping[str, int] = field(default_factory=dict)
    grave: bool = False


def some(examples: Sequence[str], separator: str = ", ") -> str:
    """The first few, and how many there are beside them."""
    rest = len(examples) - _EXAMPLES
    return separator.join(examples[:_EXAMPLES]) + (f"{separator}and {rest:,} more" if rest > 0 else "")


def counted(number: int, noun: str) -> str:
    """`1 file`, `2 files`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
