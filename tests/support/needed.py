"""What tests need of the machine: where it is not there they are skipped, or fail if `EVERYTHING_REQUIRED` is set."""

import os
from typing import NoReturn

import pytest


def is_lacking(what: str) -> NoReturn:
    """Say that a test did not run, and what it lacks."""
    if os.environ.get("EVERYTHING_REQUIRED"):
        pytest.fail(what, pytrace=False)
    pytest.skip(what)
