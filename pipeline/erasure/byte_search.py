"""Many values looked for among the bytes of files, at a price that does not grow with their number."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

_CHUNK_BYTES = 1 << 22
# Longer than any value; so many bytes around a chunk's end are looked at with both chunks.
_LONGEST_VALUE = 1 << 10
_PREFIX_BYTES = 8
_TABLE_BITS = 22
# An odd number without a pattern (Knuth: the golden ratio), which spreads prefixes over the table.
_SPREAD = np.uint64(0x9E3779B97F4A7C15)


class Needles:
    """Values in lower case, told by their first bytes: a table says of most places in a file that none begins there."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self._by_prefix: dict[bytes, list[bytes]] = defaultdict(list)
        self._short: list[bytes] = []
        for value in values:
            if len(value) < _PREFIX_BYTES:
                self._short.append(value)
            else:
                self._by_prefix[value[:_PREFIX_BYTES]].append(value)
        self._begins = np.zeros(1 << _TABLE_BITS, dtype=bool)
        if self._by_prefix:
            self._begins[_places(b"".join(self._by_prefix))[::_PREFIX_BYTES]] = True

    def within(self, text: bytes) -> Iterator[tuple[int, bytes]]:
        """Where which value begins in a text that is in lower case."""
        for value in self._short:
            at = text.find(value)
            while at >= 0:
                yield at, value
                at = text.find(value, at + 1)
        if not self._by_prefix or len(text) < _PREFIX_BYTES:
            return
        for place in np.flatnonzero(self._begins[_places(text)]):
            at = int(place)
            for value in self._by_prefix.get(text[at : at + _PREFIX_BYTES], ()):
                if text.startswith(value, at):
                    yield at, value


def _places(text: bytes) -> np.ndarray:
    """Of every position in a text, where the bytes that begin there stand in the table."""
    windows = np.ndarray((len(text) - _PREFIX_BYTES + 1,), dtype="<u8", buffer=text, strides=(1,))
    return (windows * _SPREAD) >> np.uint64(64 - _TABLE_BITS)


def found_in(path: Path, needles: Needles, longer: Mapping[bytes, Sequence[bytes]] | None = None) -> set[bytes]:
    """The values among a file's bytes, in whatever case.

    What stands within one of `longer` is no trace: `joanna@…` holds `anna@…`, and is somebody else.
    """
    found: set[bytes] = set()
    with path.open("rb") as file:
        before, chunk = b"", file.read(_CHUNK_BYTES)
        while chunk:
            following = file.read(_CHUNK_BYTES)
            text = (before + chunk).lower()
            # What may go on in the next chunk is looked at with it, and with as much before it.
            first = max(len(before) - _LONGEST_VALUE, 0)
            last = len(text) - (_LONGEST_VALUE if following else 0)
            for at, value in needles.within(text):
                others = (longer or {}).get(value, ())
                if first <= at < last and not any(_covers(text, at, value, other) for other in others):
                    found.add(value)
            before, chunk = text[-2 * _LONGEST_VALUE :], following
    return found


def _covers(text: bytes, at: int, value: bytes, other: bytes) -> bool:
    """Whether the value that begins here does so as a part of another."""
    start = other.find(value)
    while start >= 0:
        if at >= start and text.startswith(other, at - start):
            return True
        start = other.find(value, start + 1)
    return False
