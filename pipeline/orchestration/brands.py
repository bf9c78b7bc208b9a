"""The runs of a brand: all brands of an installation share Dagster's home, and so its history of runs."""

from collections.abc import Mapping

import dagster as dg

from pipeline.settings import BRAND

_TAG = "pipeline/brand"
# The parts of an asset key without a brand: its group and its table.
_PARTS = 2


def brand_tags() -> Mapping[str, str]:
    """The tags of this brand's jobs."""
    return {_TAG: BRAND} if BRAND else {}


def is_of_this_brand(run: dg.DagsterRun) -> bool:
    """Whether a run belongs to this brand. Runs of single assets and checks have no tags of a job, but a selection."""
    keys = [*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())]
    of_selection = next((key.path[0] for key in keys if len(key.path) > _PARTS), "")
    return run.tags.get(_TAG, of_selection) == BRAND
