"""Exports to be drafted, and what drafts them: see the fixtures `draft` and `guessed`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"

Drafter = Callable[..., str]
Guessed = Callable[..., dict[str, Any]]


def lines(*rows: str) -> str:
    return "".join(f"{row}\n" for row in rows)
