"""Dagster's home: what is written into it on first use, and never again."""

from pathlib import Path

import dagster as dg
import pytest

from pipeline.instance import dagster_home


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_limits_of_the_queue_are_those_of_the_project(home: Path) -> None:
    dagster_home()
    with dg.DagsterInstance.get() as instance:
        queue = instance.get_concurrency_config().run_queue_config
        assert queue is not None
        assert queue.max_concurrent_runs == 3
        assert queue.tag_concurrency_limits == [
            {"key": "dagster/partition", "value": {"applyLimitPerUniqueValue": True}, "limit": 1}
        ]
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds > 24 * 60 * 60, "history is on its way for hours"


def test_a_configuration_that_is_there_is_the_users(home: Path) -> None:
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n", "utf-8")
    dagster_home()
    assert (home / "dagster.yaml").read_text("utf-8") == "telemetry: {enabled: false}\n"
