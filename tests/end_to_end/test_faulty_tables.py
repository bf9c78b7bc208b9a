"""Rows in an event table that no model writes are found by dbt's tests, which name the fault and its column."""

import dagster as dg

from tests.end_to_end.project import SCHEMA, Project

OPENED = f"{SCHEMA}.email_opened"


def test_each_fault_is_named_with_its_column_and_rows(once: Project) -> None:
    with once.warehouse.writing() as connection:
        # Ids and times of the write stay as they are, so that the model repairs none of it.
        connection.execute(f"UPDATE {OPENED} SET event = 'email_bounced' WHERE user_id IN ('ann', 'bob')")
        connection.execute(f"UPDATE {OPENED} SET received_at = NULL WHERE user_id = 'eve'")
    done = once.command("run", "--from", "2024-06-11", "--to", "2024-06-11")
    assert done.returncode == 1
    assert "check failed: email_opened_holds_its_events" in done.stderr
    assert "failed: models: " in done.stderr
    with dg.DagsterInstance.local_temp(str(once.data / "dagster")) as instance:
        run = instance.get_runs(limit=1)[0]
        evaluated = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    events = [record.event_log_entry.get_dagster_event() for record in evaluated.records]
    [failed] = [event.asset_check_evaluation_data for event in events if not event.asset_check_evaluation_data.passed]
    shown = str(failed.metadata["failing_rows"].value)
    assert "belongs to another table" in shown
    assert "| event | 2 |" in shown
    assert "| received_at | 1 |" in shown


def test_a_table_with_other_columns_than_its_model_is_not_written(once: Project) -> None:
    with once.warehouse.writing() as connection:
        connection.execute(f"ALTER TABLE {OPENED} ADD COLUMN added_by_hand INTEGER")
    done = once.command("run", "--from", "2024-06-11", "--to", "2024-06-11")
    assert done.returncode == 1
    assert "are not those of its model: added_by_hand" in done.stderr.replace("\n", " ")
