"""The files of the folder deploy/, read as those who use them would."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from pipeline.settings import PROJECT_ROOT

FOLDER = PROJECT_ROOT / "deploy"
DOCKERFILE = (FOLDER / "Dockerfile").read_text("utf-8")
COMPOSE: Mapping[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text("utf-8"))
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]
DAGSTER: Mapping[str, Any] = yaml.safe_load((FOLDER / "dagster.yaml").read_text("utf-8"))
HELM: Mapping[str, Any] = yaml.safe_load((FOLDER / "helm-values.yaml").read_text("utf-8"))
# The services that have the project's image.
OURS = [name for name, service in SERVICES.items() if "build" in service]
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?P<how>:?[-?])?(?P<rest>[^}]*)\}")


def example_env() -> dict[str, str]:
    """The names and values of example.env."""
    lines = (FOLDER / "example.env").read_text("utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def variables(text: str) -> set[str]:
    """The names that compose replaces in a text."""
    return {found["name"] for found in _VARIABLE.finditer(text)}


def interpolated(text: str, given: Mapping[str, str]) -> str:
    """A text as compose makes it of the variables given; a variable without a value has to have a default."""

    def value(found: "re.Match[str]") -> str:
        present = found["name"] in given and (given[found["name"]] or found["how"] in ("-", "?"))
        if present:
            return given[found["name"]]
        assert found["how"] in ("-", ":-"), f"{found['name']} has no value"
        return found["rest"]

    return _VARIABLE.sub(value, text)
