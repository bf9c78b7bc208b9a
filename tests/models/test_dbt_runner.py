"""The dbt project is parsed in a thread, while a run waits for its files."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from pipeline.errors import ModelsFailed
from pipeline.models import dbt_runner


class Dbt:
    """Instead of dbt: what it is asked for, and the failure that it returns."""

    def __init__(self) -> None:
        self.asked: list[Sequence[str]] = []
        self.failure: ModelsFailed | None = None

    def run(self, arguments: Sequence[str], _values: Mapping[str, str]) -> tuple[Any, ModelsFailed | None]:
        self.asked.append(arguments)
        return object(), self.failure


@pytest.fixture
def dbt(monkeypatch: pytest.MonkeyPatch) -> Dbt:
    dbt = Dbt()
    monkeypatch.setattr(dbt_runner, "_run_dbt", dbt.run)
    monkeypatch.setattr(dbt_runner, "_manifests", {})
    monkeypatch.setattr(dbt_runner, "_environment", lambda _settings: {})  # which stays in that of the process
    return dbt


def test_it_is_parsed_once(dbt: Dbt) -> None:
    for _ in range(2):
        dbt_runner.preload().join()
    assert [arguments[0] for arguments in dbt.asked] == ["parse"]


def test_a_failure_is_left_to_the_step_that_needs_it(dbt: Dbt, capfd: pytest.CaptureFixture[str]) -> None:
    dbt.failure = ModelsFailed("a model is wrong")
    for _ in range(2):
        dbt_runner.preload().join()
    assert capfd.readouterr() == ("", "")
    assert len(dbt.asked) == 2
