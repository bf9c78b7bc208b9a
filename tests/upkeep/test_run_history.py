"""Old runs are deleted from Dagster's history, and the partitions that they materialized still count."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from pipeline.orchestration.instance import opened_instance
from pipeline.orchestration.partitions import EXPORT_DATES
from pipeline.upkeep.run_history import prune_runs

DAYS = ("2024-06-11", "2024-06-12")


@dg.asset(partitions_def=EXPORT_DATES)
def loaded(context: dg.AssetExecutionContext) -> None:
    print("output of the step")
    context.log.info("a line of the log")


@dg.op
def fail() -> None:
    raise RuntimeError


@dg.job
def failing() -> None:
    fail()


@pytest.fixture
def instance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    with opened_instance() as instance:
        yield instance


def in_days(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def materialized(instance: dg.DagsterInstance) -> set[str]:
    """What the UI shows."""
    status = get_and_update_asset_status_cache_value(instance, loaded.key, EXPORT_DATES)
    assert status is not None
    return set(status.deserialize_materialized_partition_subsets(EXPORT_DATES).get_partition_keys())


def files_of_runs(home: Path) -> set[str]:
    stored = [*home.glob("history/runs/*.db*"), *home.glob("storage/*")]
    return {path.name.split(".")[0] for path in stored} - {"index"}


def test_old_runs_are_deleted_with_their_files_and_their_partitions_still_count(
    instance: dg.DagsterInstance, tmp_path: Path
) -> None:
    runs = [dg.materialize([loaded], partition_key=day, instance=instance).run_id for day in DAYS]
    runs.append(failing.execute_in_process(instance=instance, raise_on_error=False).run_id)
    assert files_of_runs(tmp_path / "home") == set(runs)

    assert prune_runs(instance, 90, in_days(89)) == 0
    assert files_of_runs(tmp_path / "home") == set(runs)

    assert prune_runs(instance, 90, in_days(91)) == len(runs)
    assert instance.get_runs() == []
    assert files_of_runs(tmp_path / "home") == set()
    assert materialized(instance) == set(DAYS)


def test_a_run_that_is_active_stays(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(failing)
    instance.report_run_canceling(run)
    assert prune_runs(instance, 90, in_days(91)) == 0
    assert [each.run_id for each in instance.get_runs()] == [run.run_id]


def test_what_a_killed_upkeep_left_is_deleted_by_the_next_one(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    [run] = [dg.materialize([loaded], partition_key=day, instance=instance) for day in DAYS[:1]]
    instance.run_storage.delete_run(run.run_id)  # killed here
    prune_runs(instance, 90, in_days(0))
    assert not list((tmp_path / "home" / "history" / "runs").glob(f"{run.run_id}*"))
