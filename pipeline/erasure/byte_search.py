"""Many values searched for among the bytes of files at once, by the algorithm of Aho and Corasick."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from ahocorasick_rs import BytesAhoCorasick

_CHUNK_BYTES = 1 << 22
# Longer than any value; so many bytes around a chunk's end are searched with both chunks.
_LONGEST_VALUE = 1 << 10
# An automaton of a million values takes 800 MB while it is built, ten of a tenth each half of that.
_VALUES_PER_AUTOMATON = 100_000


class ByteSearch:
    """A search for values, which are in lower case."""

    def __init__(self, values: Iterable[bytes]) -> None:
        listed = list(values)
        self._parts = [
            listed[first : first + _VALUES_PER_AUTOMATON] for first in range(0, len(listed), _VALUES_PER_AUTOMATON)
        ]
        self._automata = [BytesAhoCorasick(part) for part in self._parts]

    def matches(self, text: bytes) -> Iterator[tuple[int, bytes]]:
        """Where which value begins in a text that is in lower case."""
        for automaton, part in zip(self._automata, self._parts, strict=True):
            for index, start, _ in automaton.find_matches_as_indexes(text, overlapping=True):
                yield start, part[index]

    def found_in(self, path: Path, longer: Mapping[bytes, Sequence[bytes]] | None = None) -> set[bytes]:
        """The values among a file's bytes, in whatever case.

        A value within one of `longer` does not count: `joanna@…` contains `anna@…`, and is another person's.
        """
        found: set[bytes] = set()
        with path.open("rb") as file:
            before, chunk = b"", file.read(_CHUNK_BYTES)
            while chunk:
                following = file.read(_CHUNK_BYTES)
                text = (before + chunk).lower()
                # What may continue in the next chunk is searched with it, and with as much before it.
                first = max(len(before) - _LONGEST_VALUE, 0)
                last = len(text) - (_LONGEST_VALUE if following else 0)
                for at, value in self.matches(text):
                    others = (longer or {}).get(value, ())
                    if first <= at < last and not any(_covers(text, at, value, other) for other in others):
                        found.add(value)
                before, chunk = text[-2 * _LONGEST_VALUE :], following
        return found


def _covers(text: bytes, at: int, value: bytes, other: bytes) -> bool:
    """Whether the value that begins here is a part of another value."""
    start = other.find(value)
    while start >= 0:
        if at >= start and text.startswith(other, at - start):
            return True
        start = other.find(value, start + 1)
    return False
