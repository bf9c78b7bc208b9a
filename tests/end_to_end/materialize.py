"""Materialize assets (commas between them) for a range of dates in this process; exit status 1 where the run failed."""

import json
import sys

import dagster as dg

from pipeline.orchestration.instance import opened_instance
from pipeline.orchestration.partitions import RANGE_END_TAG, RANGE_START_TAG


def main(assets: str, first: str, last: str, config: str) -> int:
    keys = [dg.AssetKey(asset.split("/")) for asset in assets.split(",")]
    with opened_instance() as instance:
        result = dg.execute_job(
            dg.build_reconstructable_job("pipeline.definitions", "job_of", ("selligent_to_segment",)),
            instance=instance,
            asset_selection=keys,
            run_config=json.loads(config),
            tags={RANGE_START_TAG: first, RANGE_END_TAG: last},
        )
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
