"""The values inside of a sample's nested columns, as columns of their own that JSON pointers name."""

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipeline.layout_drafting.sample_columns import Column

# How many values of a column are listed, and how deep inside of it.
_LEAVES, _DEPTH = 20, 5


def with_nested(columns: Sequence[Column]) -> list[Column]:
    """The columns, each nested one replaced by the values inside of its objects, if there are any."""
    parts = [part for column in columns for part in (_leaves(column) if column.is_nested else [column])]
    return [replace(part, position=position) for position, part in enumerate(parts)]


def _leaves(column: Column) -> list[Column]:
    found: dict[str, list[str]] = defaultdict(list)
    arrays = set()
    for text in column.values:
        try:
            document = json.loads(text)
        except ValueError:  # a text beside the objects
            continue
        for pointer, value in _scalars(document, f"/{_escaped(column.name)}", _DEPTH):
            found[pointer].append(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
            if isinstance(value, dict | list):
                arrays.add(pointer)
    leaves = [
        Column(pointer, column.position, tuple(values), is_nested=pointer in arrays)
        for pointer, values in list(found.items())[:_LEAVES]
        if pointer.count("/") > 1
    ]
    return leaves or [column]


def _scalars(document: object, pointer: str, depth: int) -> Iterator[tuple[str, object]]:
    """The values inside of objects; an array, and what is too deep, is one value."""
    if isinstance(document, dict) and depth:
        for key, value in document.items():
            yield from _scalars(value, f"{pointer}/{_escaped(str(key))}", depth - 1)
    elif document is not None:
        yield pointer, document


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
