"""What all assets have in common in Dagster's UI, put on them in one place."""

import warnings
from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from pipeline.orchestration.asset_keys import OUTBOX, raw_table

# Dagster calls code references beta and says so at every use; the constraints pin the version that is used here.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

# Exports come daily, at whatever hour: a day and a half without any is worth a look, two days are a fault.
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=36))
# Assets with values of people in their tables: who has a copy of the warehouse should know which.
_PERSONAL_GROUPS = {"raw", "staging", "segment"}
_IMPERSONAL = {raw_table("export_files"), raw_table("suppressed")}
PERSONAL_TAG = "personal_data"


def presented(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The same assets with a freshness policy, a tag where they hold personal data, and where their code stands."""
    shown = dg.with_source_code_references(dg.map_asset_specs(_spec, assets))
    return [asset for asset in shown if isinstance(asset, dg.AssetsDefinition)]


def _spec(spec: dg.AssetSpec) -> dg.AssetSpec:
    personal = spec.key == OUTBOX or (spec.group_name in _PERSONAL_GROUPS and spec.key not in _IMPERSONAL)
    tags = {**spec.tags, **({PERSONAL_TAG: "true"} if personal else {})}
    if spec.partitions_def is None:  # upkeep, which is weekly, and nobody waits for it
        return spec.replace_attributes(tags=tags)
    return spec.replace_attributes(freshness_policy=FRESH, tags=tags)
