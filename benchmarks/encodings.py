"""What it costs to load the same rows in another encoding than UTF-8.

Counted as in `benchmarks.ours`: the load alone.
"""

import codecs
from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import Clone

# The first is what the exports of the benchmarks are in.
ENCODINGS = ("utf-8", "windows-1252")
_CHUNK_CHARACTERS = 1 << 22


@dataclass(frozen=True)
class Load:
    """Seconds of a load, and the peak in MB of its process."""

    seconds: float
    peak: int


def recode(source: Path, target: Path, encoding: str) -> None:
    """The same text in another encoding."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with codecs.open(str(source), encoding="utf-8") as text, codecs.open(str(target), "w", encoding=encoding) as other:
        while chunk := text.read(_CHUNK_CHARACTERS):
            other.write(chunk)


def measure(clone: Clone, encoding: str) -> Load:
    """Load the copy's exports, whose layout is told what they are in."""
    layout = clone.folder / "examples" / "layouts" / "interactions.yml"
    layout.write_text(f"{layout.read_text('utf-8')}encoding: {encoding}\n", "utf-8")
    finished = clone.python("benchmarks.ours")
    return Load(finished.answer["load"], finished.peak)
