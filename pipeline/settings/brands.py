"""What keeps the brands of an installation apart: each has a file of settings, and some settings must differ."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from pipeline.errors import SettingsError
from pipeline.settings.env_file import values_of

_NAMESPACE, _SOURCE = "message_id_namespace", "segment_source_name"
# Two brands with one of these in common would mix their events, or Segment would take events of one for the other's.
# Their reports would replace each other.
_OF_ONE_BRAND = ("segment_write_key", _NAMESPACE, "warehouse", "warehouse_files", "ledger", "report")


def faults_of_brand(settings: BaseSettings, file: Path, values: Mapping[str, str | None]) -> Iterator[str]:
    """What is wrong with the settings of a brand, in sentences; `values` are those of its file."""
    yield from _contradictions(settings, file, values)
    if not {_NAMESPACE, _SOURCE} & settings.model_fields_set:
        yield (
            f"{_NAMESPACE.upper()}: is missing; each brand needs one of its own, such as its domain, "
            "so that two brands never give two events the same id"
        )
    for other in _other_files(file):
        try:
            values_of(other)
            theirs = type(settings)(_env_file=other)
        except (SettingsError, ValidationError):  # that brand can't run either: it is refused when it is used
            continue
        yield from _shared(settings, theirs, _shown(other, file))


def _contradictions(settings: BaseSettings, file: Path, values: Mapping[str, str | None]) -> Iterator[str]:
    """Settings that the environment has, and the file with another value. The environment is that of all brands."""
    environment = {name.upper(): value for name, value in os.environ.items()}
    known = {name.upper() for name in type(settings).model_fields}
    for name in sorted(known & {name.upper() for name in values}):
        of_file = next(value for own, value in values.items() if own.upper() == name)
        if of_file and environment.get(name) and environment[name] != of_file:
            yield f"{name}: the environment and {file.name} differ; a setting of a brand belongs into its file only"


def _other_files(file: Path) -> list[Path]:
    """The files of other brands: beside this one, or in folders beside its own."""
    folder, pattern = (file.parent.parent, "*/.env") if file.name == ".env" else (file.parent, "*.env")
    return [path for path in sorted(folder.glob(pattern)) if path != file and path.is_file()]


def _shown(other: Path, file: Path) -> str:
    return f"{other.parent.name}/{other.name}" if file.name == ".env" else other.name


def _shared(settings: BaseSettings, theirs: BaseSettings, name_of_theirs: str) -> Iterator[str]:
    for name in _OF_ONE_BRAND:
        given = name in settings.model_fields_set & theirs.model_fields_set or name == _NAMESPACE
        if given and getattr(settings, name) == getattr(theirs, name):
            yield f"{name.upper()}: {name_of_theirs} has the same; each brand needs one of its own"
