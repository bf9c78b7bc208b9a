"""Partitions begin at the first export date of the settings."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("setting", "first"), [({}, "2024-01-01"), ({"FIRST_EXPORT_DATE": "2019-12-24"}, "2019-12-24")]
)
def test_the_first_partition_is_the_first_export_date(setting: dict[str, str], first: str) -> None:
    """In a process of its own, since partitions are defined when the program is imported."""
    program = (
        "from pipeline.orchestration.partitions import EXPORT_DATES; print(EXPORT_DATES.get_first_partition_key())"
    )
    kept = {name: value for name, value in os.environ.items() if name != "FIRST_EXPORT_DATE"}
    done = subprocess.run(
        [sys.executable, "-c", program], env={**kept, **setting}, capture_output=True, text=True, check=False
    )
    assert done.stdout == f"{first}\n", done.stderr
