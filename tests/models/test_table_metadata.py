"""The numbers of the tables, by export date."""

from pipeline.export_dates import ExportDates
from pipeline.models.table_metadata import Tables, counts_in
from pipeline.orchestration.asset_keys import EVENT_ROWS, STAGED_EVENTS, TRACKS, segment_table
from pipeline.orchestration.metadata import PARTITION_ROWS
from tests.support.modelled_tables import Lake, day, event_row


def test_each_export_date_has_its_own_numbers(lake: Lake) -> None:
    first, second, third = (day(number).first for number in (0, 1, 2))
    lake.stage(event_row(1), event_row(2, "Email Bounced"), event_row(3, export_date=f"{third}"))
    lake.stage_duplicates(event_row(1, export_date=f"{third}"))
    shown = Tables("schema", counts_in(lake.connection, ExportDates(first, third)), {}, {})

    def rows(name: str) -> list[int]:
        key = {"event_rows": EVENT_ROWS, "events": STAGED_EVENTS, "tracks": TRACKS}.get(name, segment_table(name))
        numbers = shown.by_date(key)
        assert list(numbers) == [first, second, third]
        return [of_date[PARTITION_ROWS] for of_date in numbers.values()]

    assert rows("event_rows") == [2, 0, 2]
    assert rows("events") == [2, 0, 1]
    assert rows("tracks") == [2, 0, 1]
    assert rows("email_opened") == [1, 0, 1]
    assert rows("email_bounced") == [1, 0, 0]
    assert shown.by_date(STAGED_EVENTS)[third]["duplicates"] == 1
    whole_run = shown.metadata_of(STAGED_EVENTS, seconds=2.0)
    assert (whole_run[PARTITION_ROWS], whole_run["duplicates"], whole_run["rows_per_second"]) == (3, 1, 2)
