"""What Dagster shows: every step and every test by its public name."""

import json
import subprocess
import sys
from typing import Any

from pipeline.settings import PROJECT_ROOT
from tests.end_to_end.project import TABLES, Project

ASSETS = {
    *(f"raw/{name}" for name in ("export_files", "events", "rejected_rows", "lookups")),
    "staging/events",
    *(f"segment/{name}" for name in (*TABLES, "tracks")),
    "delivery/outbox",
    *(f"delivery/{name}" for name in TABLES),
    "delivery/report",
    "delivery/confirmation",
    "warehouse/upkeep",
}
_TELL = """
import json
from pipeline.definitions import defs
from pipeline.models.dbt import TARGET_DIR
graph = defs.resolve_asset_graph()
print(json.dumps({
    "assets": [key.to_user_string() for key in graph.get_all_asset_keys()],
    "undescribed": [key.to_user_string() for key in graph.get_all_asset_keys() if not graph.get(key).description],
    "checks": [key.name for key in graph.asset_check_keys],
    "dbt_tests": [node["name"] for node in json.loads((TARGET_DIR / "manifest.json").read_text())["nodes"].values()
                  if node["resource_type"] == "test"],
    "of_jobs": {job.name: sorted(key.to_user_string() for key in
                defs.resolve_job_def(job.name).asset_layer.executable_asset_keys) for job in defs.jobs},
    "jobs": [job.name for job in defs.jobs],
    "schedules": [schedule.name for schedule in defs.schedules],
    "sensors": [sensor.name for sensor in defs.sensors],
}))
"""


def test_every_step_is_an_asset_and_every_test_is_a_check(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _TELL],
        env=project.environment,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    shown: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert set(shown["assets"]) >= ASSETS
    assert shown["undescribed"] == []
    assert len(shown["dbt_tests"]) > 30
    assert set(shown["checks"]) >= {
        *shown["dbt_tests"],
        "every_row_is_accounted_for",
        "staged_is_modelled_or_known",
        "due_is_delivered_waiting_or_dead",
        "segment_kept_what_was_delivered",
    }
    assert (shown["jobs"], shown["schedules"], shown["sensors"]) == (
        ["selligent_to_segment", "warehouse_upkeep"],
        ["selligent_to_segment_daily", "warehouse_upkeep_weekly"],
        ["new_exports"],
    )
    # Upkeep has no dates, and no run waits for it.
    assert shown["of_jobs"]["warehouse_upkeep"] == ["warehouse/upkeep"]
    assert set(shown["of_jobs"]["selligent_to_segment"]) == set(shown["assets"]) - {"warehouse/upkeep"}
