"""All brands share Dagster's history of runs: what a brand looks at there is its own."""

import dagster as dg
import pytest

from pipeline.automation.jobs import running_dates
from pipeline.orchestration import brands
from pipeline.orchestration.partitions import PARTITION_TAG

SINGLE_ASSET = "__ASSET_JOB"


def run_of(brand: str, date: str = "2024-06-11") -> dg.DagsterRun:
    """An active run of the main job, as a sensor or the command line starts it."""
    tags = {PARTITION_TAG: date, **({"pipeline/brand": brand} if brand else {})}
    return dg.DagsterRun(job_name="selligent_to_segment", tags=tags, status=dg.DagsterRunStatus.STARTED)


def run_of_assets(*keys: str) -> dg.DagsterRun:
    """A run of assets that were selected in the UI: it has no tags of a job."""
    return dg.DagsterRun(
        job_name=SINGLE_ASSET, asset_selection=frozenset(dg.AssetKey.from_user_string(key) for key in keys)
    )


def run_of_check(key: str) -> dg.DagsterRun:
    """A run of one check alone."""
    checks = frozenset({dg.AssetCheckKey(dg.AssetKey.from_user_string(key), "no_date_is_missing")})
    return dg.DagsterRun(job_name=SINGLE_ASSET, asset_check_selection=checks)


@pytest.mark.parametrize("brand", ["", "acme", "bravo"])
def test_a_run_belongs_to_the_brand_of_its_job_or_of_its_assets(monkeypatch: pytest.MonkeyPatch, brand: str) -> None:
    monkeypatch.setattr(brands, "BRAND", brand)
    runs = {
        "": [run_of(""), run_of_assets("raw/events", "raw/lookups"), run_of_assets("warehouse/upkeep")],
        "acme": [run_of("acme"), run_of_assets("acme/raw/events"), run_of_assets("acme/warehouse/upkeep")],
        "bravo": [run_of("bravo"), run_of_assets("bravo/delivery/report"), run_of_check("bravo/raw/events")],
    }
    for owner, theirs in runs.items():
        assert [brands.is_of_this_brand(run) for run in theirs] == [owner == brand] * len(theirs)


def test_the_jobs_of_a_brand_are_tagged(monkeypatch: pytest.MonkeyPatch) -> None:
    assert brands.brand_tags() == {}
    monkeypatch.setattr(brands, "BRAND", "acme")
    assert brands.brand_tags() == {"pipeline/brand": "acme"}


def test_a_sensor_waits_for_runs_of_its_own_brand_only(monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        for run in (run_of("acme", "2024-06-11"), run_of("bravo", "2024-06-12"), run_of("", "2024-06-13")):
            instance.add_run(run)
        for brand, day in (("acme", "2024-06-11"), ("bravo", "2024-06-12"), ("", "2024-06-13")):
            monkeypatch.setattr(brands, "BRAND", brand)
            assert [str(dates) for dates in running_dates(instance)] == [day]
