"""Each row of "When something goes wrong" in docs/operations.md is shown by a test."""

from collections.abc import Mapping

import pytest

from pipeline.settings import PROJECT_ROOT
from tests.docs.documents import OPERATIONS, section, table_rows

ROWS = table_rows(section(OPERATIONS, "When something goes wrong"))
# By the beginning of the symptom: the test's file below `tests`, and its name.
SHOWN_BY: Mapping[str, tuple[str, str]] = {
    "A run failed": ("end_to_end/test_bad_days.py", "test_a_delivery_that_fails_still_leaves_the_report_of_its_run"),
    "The machine or a process died": (
        "end_to_end/test_interruptions.py",
        "test_a_run_that_is_killed_in_the_middle_of_a_delivery_loses_nothing",
    ),
    "You don't know whether": ("commands/test_check.py", "test_every_wrong_setting_has_a_line"),
    "Segment accepts events, but": (
        "commands/test_check.py",
        "test_a_usable_installation_passes_and_the_test_event_arrives",
    ),
    "A wrong key or region": (
        "end_to_end/test_bad_days.py",
        "test_events_that_went_to_a_wrong_source_are_sent_again",
    ),
    "Segment did not answer": (
        "end_to_end/test_bad_days.py",
        "test_a_delivery_that_fails_still_leaves_the_report_of_its_run",
    ),
    "Events are dead": (
        "end_to_end/test_holding_back.py",
        "test_a_dead_event_is_put_back_by_a_command_and_sent_by_the_next_run",
    ),
    "A file was refused": (
        "end_to_end/test_interruptions.py",
        "test_a_file_that_cannot_be_read_is_refused_and_the_others_go_on",
    ),
    "A file is `unmatched`": ("layout_drafting/test_unknown_exports.py", "test_the_final_layouts_load_every_row"),
    "A layout is broken": (
        "end_to_end/test_bad_days.py",
        "test_a_broken_layout_stops_no_other_and_its_files_are_loaded_once_it_is_corrected",
    ),
    "Many rows are rejected": ("end_to_end/test_status.py", "test_problems_are_listed_with_their_reasons"),
    "An event code is not listed": (
        "end_to_end/test_facts.py",
        "test_a_code_that_is_not_listed_rejects_its_row",
    ),
    "An export was wrong": (
        "end_to_end/test_increments.py",
        "test_a_corrected_export_replaces_its_rows_and_a_row_that_another_export_has_stays",
    ),
    "A file came twice": ("end_to_end/test_status.py", "test_problems_are_listed_with_their_reasons"),
    "A date looks wrong": (
        "end_to_end/test_clocks.py",
        "test_what_an_event_table_lacks_is_put_back_as_the_message_of_the_check_says",
    ),
    "One step should be repeated": (
        "end_to_end/test_interruptions.py",
        "test_loading_alone_again_changes_nothing_downstream",
    ),
    "Older events must not": (
        "end_to_end/test_holding_back.py",
        "test_history_is_loaded_without_delivery_and_delivered_when_it_is_released",
    ),
    "New events are held since": (
        "end_to_end/test_new_ids.py",
        "test_a_changed_time_zone_sends_nothing_until_it_is_restored_or_released",
    ),
    "Events of machines are held": (
        "end_to_end/test_bots.py",
        "test_events_of_machines_are_modelled_and_held_and_leave_once_when_they_are_released",
    ),
    "The disk was lost": (
        "end_to_end/test_restore.py",
        "test_after_the_loss_of_both_what_may_have_been_sent_is_held_until_it_is_decided",
    ),
    "Events are held since a restore": (
        "end_to_end/test_restore.py",
        "test_a_ledger_that_survived_recognizes_what_was_sent_after_the_backup",
    ),
    "The warehouse or the ledger": (
        "end_to_end/test_reconcile.py",
        "test_a_lost_warehouse_is_rebuilt_and_only_what_is_other_is_sent",
    ),
    "A person has to be erased": (
        "end_to_end/test_forget.py",
        "test_a_person_on_the_list_is_not_loaded_not_sent_and_then_forgotten_everywhere",
    ),
    "The disk is full": (
        "end_to_end/test_full_disk.py",
        "test_what_could_not_be_written_is_named_and_the_next_run_goes_on",
    ),
    "A run waits": ("end_to_end/test_stopping.py", "test_a_run_that_waits_obeys_signals_and_the_next_goes_on"),
    "New files are not loaded": ("automation/test_overview.py", "test_a_sensor_is_on_or_off_in_this_code_location"),
    "Queries have become slow": ("upkeep/test_upkeep.py", "test_small_files_are_merged_and_every_row_stays"),
    "The project's folder was moved": ("test_makefile.py", "test_an_environment_of_another_folder_is_refused"),
}


def test_there_are_twenty_rows_and_each_names_a_command() -> None:
    assert len(ROWS) >= 20
    assert all(command.startswith("`") and what for _, command, what in ROWS)


@pytest.mark.parametrize("symptom", [row[0] for row in ROWS])
def test_each_of_them_is_shown_by_a_test(symptom: str) -> None:
    [(file, test)] = [shown for beginning, shown in SHOWN_BY.items() if symptom.startswith(beginning)]
    assert f"def {test}(" in (PROJECT_ROOT / "tests" / file).read_text("utf-8")


def test_no_row_is_listed_here_that_the_document_lacks() -> None:
    assert len(SHOWN_BY) == len(ROWS)
