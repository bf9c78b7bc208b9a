"""What all assets have in common in Dagster's UI."""

import warnings
from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from pipeline.orchestration.asset_keys import OUTBOX, raw_table
from pipeline.orchestration.failures import with_reasons

# Dagster warns at every use that code references are beta; the constraints pin its version.
warnings.filterwarnings("ignore", category=dg.BetaWarning)

# Exports arrive daily, at varying hours: a day and a half without an export is a warning, two days are a failure.
FRESH = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=48), warn_window=timedelta(hours=36))
# Groups of assets whose tables contain personal data.
_PERSONAL_GROUPS = {"raw", "staging", "segment"}
_IMPERSONAL = {raw_table("export_files"), raw_table("suppressed")}
PERSONAL_TAG = "personal_data"


def with_defaults(assets: Sequence[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets with a freshness policy, a tag for personal data, references to their code, and failures in words."""
    shown = dg.with_source_code_references(dg.map_asset_specs(_spec, assets))
    return [with_reasons(asset) for asset in shown if isinstance(asset, dg.AssetsDefinition)]


def _spec(spec: dg.AssetSpec) -> dg.AssetSpec:
    personal = spec.key == OUTBOX or (spec.group_name in _PERSONAL_GROUPS and spec.key not in _IMPERSONAL)
    tags = {**spec.tags, **({PERSONAL_TAG: "true"} if personal else {})}
    if spec.partitions_def is None:  # upkeep, which is weekly and has no deadline
        return spec.replace_attributes(tags=tags)
    return spec.replace_attributes(freshness_policy=FRESH, tags=tags)
