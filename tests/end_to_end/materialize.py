"""Materialise assets (commas between them) for a range of dates in this process; exit status 1 where the run failed."""

import json
import sys

import dagster as dg

from pipeline.definitions import defs
from pipeline.instance import dagster_home


def main(assets: str, first: str, last: str, config: str) -> int:
    dagster_home()
    keys = [dg.AssetKey(asset.split("/")) for asset in assets.split(",")]
    with dg.DagsterInstance.get() as instance:
        result = defs.resolve_job_def("selligent_to_segment").execute_in_process(
            instance=instance,
            asset_selection=keys,
            run_config=json.loads(config),
            tags={"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
            raise_on_error=False,
        )
    return 0 if result.success else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
