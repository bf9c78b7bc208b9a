"""Several batches of small messages, put out and delivered."""

from pipeline.export_dates import ExportDates
from tests.support.modelled_tables import DATES, Row, event_row
from tests.support.sending import Sender

A_BATCH = 15


def five_batches() -> list[Row]:
    return [event_row(number) for number in range(5 * A_BATCH)]


def put_out(sender: Sender, *rows: Row, dates: ExportDates = DATES) -> None:
    sender.lake.stage(*rows)
    sender.lake.put_out(sender.ledger, dates)


def assert_all_arrived(sender: Sender) -> None:
    assert sender.server.received_ids == sender.lake.due_ids()
    assert not sender.server.dropped
    assert {standing.waiting for standing in sender.ledger.standings()} == {0}
