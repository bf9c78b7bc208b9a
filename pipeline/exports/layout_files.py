"""Reading of layouts from YAML: one file for each kind of export. A wrong layout is refused as a whole."""

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import regex
import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipeline.errors import LayoutError
from pipeline.exports.layout_properties import Property, conflicts
from pipeline.exports.layouts import Layout, choice


class _StrictLoader(yaml.SafeLoader):
    """YAML's safe loader, but a duplicate key is an error instead of a silent overwrite."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Hashable] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if not isinstance(key, Hashable):
            raise yaml.constructor.ConstructorError(None, None, "a key has to be one word", key_node.start_mark)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is repeated", key_node.start_mark)
        seen.add(key)
    return loader.construct_mapping(node)


# A code 010 is not 8, and no value is used as a number: everything that looks like one stays text.
_StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.rsplit(":", 1)[-1] in ("bool", "null", "merge")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read_layout(path: Path) -> Layout:
    """Read one layout file. Raises LayoutError: with the file, the key, and what would be right."""
    try:
        content = yaml.load(path.read_text("utf-8"), _StrictLoader)  # noqa: S506 - a safe loader, only stricter
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LayoutError(f"{path.name}, line {line}: {error.problem}") from None
    except (yaml.YAMLError, ValueError, AttributeError) as error:  # also raised for explicit tags with wrong values
        raise LayoutError(f"{path.name}: is not YAML in UTF-8: {error}") from None
    if not isinstance(content, dict):
        raise LayoutError(f"{path.name}: is empty or not a mapping; a layout starts with 'name: …'")
    try:
        return Layout.model_validate(content)
    except ValidationError as error:
        details = error.errors()
        faults = [sentence for detail in details for sentence in _sentences(detail)]
        faults += _of_other_keys(content, {str(detail["loc"][0]) for detail in details if detail["loc"]})
        raise LayoutError(f"{path.name}: {'; '.join(dict.fromkeys(faults))}") from None


# Keys that are checked together: while one of them is wrong, the others can't be checked.
_TOGETHER = (
    {"event", "event_column", "event_codes", "event_codes_default"},
    {"timezone", "datetime_formats"},
    {"quote", "delimiter", "null_values", "format"},
    {"header", "columns", "event_column", "properties", "traits", "format"},
)


def _of_other_keys(content: Mapping[str, Any], wrong: set[str]) -> Iterator[str]:
    """The faults of a layout as a whole that are independent of keys that are wrong in themselves."""
    if not wrong or wrong & {"kind", "columns"}:  # nothing more can be checked without them
        return
    rest = {"name": "x", "files": "x", **{key: value for key, value in content.items() if key not in wrong}}
    try:
        Layout.model_validate(rest)
    except ValidationError as error:
        for sentence in (one for detail in error.errors() for one in _sentences(detail)):
            key = sentence.partition(":")[0]
            if not any(key in group and wrong & group for group in _TOGETHER):
                yield sentence


def _sentences(detail: ErrorDetails) -> list[str]:
    if detail["type"] != "wrong":
        return [_sentence(detail)]
    key = _key(detail)
    return [f"{key}: {fault}" if key else fault for fault in detail.get("ctx", {}).get("faults", (detail["msg"],))]


def _key(detail: ErrorDetails) -> str:
    # pydantic includes the branch of a union in the path; only the YAML's own keys help a reader.
    return ".".join(str(part) for part in detail["loc"] if not str(part).startswith(("list[", "literal[", "function-")))


def _sentence(detail: ErrorDetails) -> str:
    key = _key(detail)
    match detail["type"]:
        case "extra_forbidden":
            keys = Layout.model_fields if len(detail["loc"]) == 1 else Property.model_fields
            return f"{key}: is unknown; {choice(str(detail['loc'][-1]), keys)}"
        case "missing":
            return f"{key}: is missing"
        case "literal_error":
            return f"{key}: {detail['input']!r} is not {detail.get('ctx', {}).get('expected')}"
        case _:
            return f"{key}: {detail['msg'][0].lower()}{detail['msg'][1:]}"


def layout_paths(folder: Path) -> list[Path]:
    """The layout files of a folder (`*.yml`, `*.yaml`), by name. Raises LayoutError: there is none."""
    if not folder.is_dir():
        raise LayoutError(f"SELLIGENT_LAYOUTS: there is no folder {folder}")
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".yml", ".yaml"))
    if not paths:
        raise LayoutError(f"SELLIGENT_LAYOUTS: {folder} contains no layout; a layout is a file such as clicks.yml")
    return paths


@dataclass(frozen=True)
class BrokenLayout:
    """A layout that can't be used: the name of its file or of itself, and why. `pattern` is that of its files; None
    where it can't be read, either.
    """

    name: str
    fault: str
    pattern: "regex.Pattern[str] | None" = None


@dataclass(frozen=True)
class Layouts:
    """The layouts of a folder that can be used, and the others."""

    usable: Sequence[Layout]
    broken: Sequence[BrokenLayout] = ()


def faults_of(broken: Iterable[BrokenLayout]) -> str:
    """Why these layouts can't be used, in one sentence; two that contradict each other have the same fault."""
    return "; ".join(dict.fromkeys(each.fault for each in broken))


def read_usable_layouts(folder: Path) -> Layouts:
    """Read all layouts of a folder, by file name. Of layouts that contradict each other, none can be used, since it is
    not known which one is right. Raises LayoutError: there is no layout, or none that can be used.
    """
    read: dict[Path, Layout] = {}
    broken: dict[Path, BrokenLayout] = {}
    for path in layout_paths(folder):
        try:
            read[path] = read_layout(path)
        except LayoutError as error:
            broken[path] = BrokenLayout(path.name, str(error), _pattern_in(path))
    for (earlier, one), (later, other) in combinations(read.items(), 2):
        if faults := _contradictions(one, other):
            fault = "; ".join(f"{later.name}: {words}" for words in faults)
            for path, layout in ((earlier, one), (later, other)):
                broken.setdefault(path, BrokenLayout(path.name, fault, layout.pattern))
    if len(broken) == len(read.keys() | broken.keys()):
        raise LayoutError(faults_of(broken[path] for path in sorted(broken)))
    usable = [layout for path, layout in read.items() if path not in broken]
    return Layouts(usable, [broken[path] for path in sorted(broken)])


def read_layouts(folder: Path) -> Sequence[Layout]:
    """Read all layouts of a folder, by file name. Raises LayoutError: with every wrong file."""
    layouts = read_usable_layouts(folder)
    if layouts.broken:
        raise LayoutError(faults_of(layouts.broken))
    return layouts.usable


def _contradictions(one: Layout, other: Layout) -> list[str]:
    if one.name == other.name:
        return [f"name: {other.name!r} is already the name of another layout"]
    key = "traits" if other.traits else "properties"
    columns = {each.column: (f"layout {one.name}", each) for each in one.declared.values()}
    return [f"{key}: {fault}" for fault in conflicts(other.declared, columns)]


def _pattern_in(path: Path) -> "regex.Pattern[str] | None":
    """The pattern of a layout with another mistake; None where it can't be read."""
    try:
        content = yaml.load(path.read_text("utf-8"), _StrictLoader)  # noqa: S506 - a safe loader, only stricter
        return regex.compile(content["files"])
    except (yaml.YAMLError, regex.error, ValueError, AttributeError, KeyError, TypeError):
        return None
