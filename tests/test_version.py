"""The version is written in `pipeline/__init__.py`; where else one has to stand, it is the same."""

import tomllib

import yaml

from pipeline import __version__
from pipeline.settings import PROJECT_ROOT


def test_the_package_takes_its_version_from_the_program() -> None:
    described = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text("utf-8"))
    assert described["project"]["dynamic"] == ["version"]
    assert described["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "pipeline.__version__"}


def test_the_dbt_project_has_the_same_version() -> None:
    project = yaml.safe_load((PROJECT_ROOT / "dbt_project" / "dbt_project.yml").read_text("utf-8"))
    assert project["version"] == __version__
