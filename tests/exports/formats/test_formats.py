"""A format is one module: each name that a layout can have is read by one."""

from typing import get_args

import pytest

from pipeline.exports.formats import FORMATS
from pipeline.exports.layouts import Format


@pytest.mark.parametrize("name", get_args(Format))
def test_every_format_of_a_layout_is_read_by_the_module_of_its_name(name: Format) -> None:
    assert FORMATS[name].__name__ == f"pipeline.exports.formats.{name}"  # type: ignore[attr-defined]


def test_no_module_is_listed_that_no_layout_can_ask_for() -> None:
    assert set(FORMATS) == set(get_args(Format))
