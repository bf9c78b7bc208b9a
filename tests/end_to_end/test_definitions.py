"""What Dagster shows: every step and every test by its public name."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from pipeline.automation.job_names import AUTOMATIONS
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
WARNINGS = {
    "every_file_is_read",
    "every_layout_is_usable",
    "few_rows_are_rejected",
    "every_person_column_is_found",
    "no_file_came_twice",
    "delivered_events_keep_their_ids",
    "no_event_is_held_since_a_restore",
    "no_delivered_event_is_withdrawn",
    "no_event_is_dead",
    "every_event_code_is_known",
    "no_value_holds_rows",
    "no_date_is_missing",
    "volume_is_as_usual",
    "every_id_has_its_name",
    "nothing_is_earlier_than_its_email",
    "machines_are_counted_apart",
    "nothing_waits_for_long",
}
_SHOW = """
import json
from pipeline.definitions import defs
from pipeline.settings import DBT_TARGET_DIR
nodes = json.loads((DBT_TARGET_DIR / "manifest.json").read_text())["nodes"].values()
graph = defs.resolve_asset_graph()
print(json.dumps({
    "assets": [key.to_user_string() for key in graph.get_all_asset_keys()],
    "undescribed": [key.to_user_string() for key in graph.get_all_asset_keys() if not graph.get(key).description],
    "with_defaults": {key.to_user_string(): {
        "group": graph.get(key).group_name,
        "kinds": sorted(graph.get(key).kinds),
        "partitioned": graph.get(key).partitions_def is not None,
        "code": [reference.file_path for reference in
                 graph.get(key).metadata["dagster/code_references"].code_references],
        "fresh": graph.get(key).freshness_policy is not None,
        "personal": "personal_data" in graph.get(key).tags,
        "description": graph.get(key).description,
    } for key in graph.get_all_asset_keys()},
    "undescribed_checks": [key.name for key in graph.asset_check_keys
                           if not graph.get_check_spec(key).description
                           and key.name not in {node["name"] for node in nodes if node["resource_type"] == "test"}],
    "blocking": [key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking],
    "checks": [key.name for key in graph.asset_check_keys],
    "dbt_tests": [node["name"] for node in nodes
                  if node["resource_type"] == "test"],
    "of_jobs": {job.name: sorted(key.to_user_string() for key in
                defs.resolve_job_def(job.name).asset_layer.executable_asset_keys) for job in defs.jobs},
    "jobs": [job.name for job in defs.jobs],
    "schedules": [schedule.name for schedule in defs.schedules],
    "undescribed_automation": [each.name for each in (*defs.schedules, *defs.sensors) if not each.description],
    "sensors": [sensor.name for sensor in defs.sensors],
}))
"""


def test_processes_that_start_together_have_dbt_read_its_project_once(unparsed: Project) -> None:
    """As the service and a command do after an update; one would read what the other has half written."""
    loading = [sys.executable, "-c", "import pipeline.definitions"]
    processes = [
        subprocess.Popen(loading, env=unparsed.environment, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert "".join(outputs).count("Running with dbt") == 1


def test_every_step_is_an_asset_and_every_test_is_a_check(project: Project) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SHOW],
        env=project.environment,
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    shown: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert set(shown["assets"]) >= ASSETS
    assert shown["undescribed"] == []
    assert set(shown["dbt_tests"]) > {f"{table}_holds_its_events" for table in (*TABLES, "tracks")}
    assert set(shown["checks"]) >= {
        *shown["dbt_tests"],
        "every_row_is_accounted_for",
        "staged_is_modelled_or_known",
        "due_is_delivered_waiting_or_dead",
        "segment_kept_what_was_delivered",
        *WARNINGS,
        "no_event_is_in_the_future",
    }
    assert set(AUTOMATIONS) == {*shown["schedules"], *shown["sensors"]}
    assert (shown["jobs"], shown["schedules"], shown["sensors"]) == (
        ["selligent_to_segment", "warehouse_upkeep"],
        ["selligent_to_segment_daily", "warehouse_upkeep_weekly"],
        ["new_exports", "failed_runs", "warned_runs"],
    )
    assert shown["undescribed_automation"] == []
    # Upkeep has no dates, and no run waits for it.
    assert shown["of_jobs"]["warehouse_upkeep"] == ["warehouse/upkeep"]
    assert set(shown["of_jobs"]["selligent_to_segment"]) == set(shown["assets"]) - {"warehouse/upkeep"}
    assert shown["undescribed_checks"] == []
    assert not WARNINGS & set(shown["blocking"]), "nothing is stopped by what only looks odd"
    for name, asset in shown["with_defaults"].items():
        daily = name != "warehouse/upkeep"
        assert (asset["group"], asset["partitioned"], asset["fresh"]) == (name.split("/")[0], daily, daily), name
        assert asset["kinds"], name
        assert all(Path(file).is_file() for file in asset["code"]), name
        assert asset["code"], name
        assert "select" not in asset["description"].lower().split(), f"{name}: words, not SQL"
    assert {name for name, asset in shown["with_defaults"].items() if asset["personal"]} == {
        *("raw/events", "raw/rejected_rows", "raw/lookups", "staging/events", "staging/event_rows", "delivery/outbox"),
        "staging/event_details",
        *(f"segment/{name}" for name in (*TABLES, "tracks")),
    }
