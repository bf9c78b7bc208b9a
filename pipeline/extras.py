"""Packages that only some settings need: the extras of `pyproject.toml`."""


def missing(setting: str, what: str, extra: str) -> str:
    """The sentence for a setting whose packages are not there; the versions are those that were tested."""
    install = f".venv/bin/python -m pip install -c constraints.txt -e '.[{extra}]'"
    return f"{setting}: {what} needs packages that are not installed: `{install}` beside pyproject.toml"
