"""The cost of loading the same rows in an encoding other than UTF-8.

Only the load is measured, as in `benchmarks.load_and_models`.
"""

import codecs
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Clone

# The first is the encoding of the generated exports.
ENCODINGS = ("utf-8", "windows-1252")
_CHUNK_CHARACTERS = 1 << 22


@dataclass(frozen=True)
class Load:
    """Seconds of a load, and the peak memory of its process in MB."""

    seconds: float
    peak: int


def recode(source: Path, target: Path, encoding: str) -> None:
    """Write the same text in another encoding."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with codecs.open(str(source), encoding="utf-8") as text, codecs.open(str(target), "w", encoding=encoding) as other:
        while chunk := text.read(_CHUNK_CHARACTERS):
            other.write(chunk)


def measure(clone: Clone, encoding: str) -> Load:
    """Load the copy's exports with a layout that names their encoding."""
    layout = clone.folder / "layouts" / "interactions.yml"
    layout.write_text(f"{layout.read_text('utf-8')}encoding: {encoding}\n", "utf-8")
    finished = clone.python("benchmarks.load_and_models")
    return Load(finished.answer["load"], finished.peak)
