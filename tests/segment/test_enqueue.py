"""What a run and a replay put into the outbox."""

from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import DeadEvent
from pipeline.segment.enqueue import cut_due
from pipeline.settings import Settings
from tests.support.modelled_tables import DATES, DAY, NOW, event_row, id_of
from tests.support.sending import Sender


def test_a_replay_keeps_to_the_ceiling_and_cuts_nothing_else(sender: Sender) -> None:
    """Under 50 events a second a batch has 60 at most, so that no minute sees 2 % more."""
    lake, ledger = sender.lake, sender.ledger
    lake.stage(*(event_row(number) for number in range(130)))
    lake.put_out(ledger)
    [batch_id] = lake.batches()
    died = [DeadEvent(id_of(number), "email_opened", DAY, batch_id, "answered 400") for number in range(130)]
    ledger.withdraw(died, NOW)
    ledger.request_replays(None, None, EVERY_DATE)
    lake.stage(event_row(200))
    settings = Settings(_env_file=None, segment_events_per_second=50)  # type: ignore[call-arg]
    due = cut_due(lake.connection, ledger, settings, DATES, NOW, replays_only=True)
    assert set(due.cut.replayed_ids) == {id_of(number) for number in range(130)}
    assert sorted(map(len, lake.batches().values())) == [10, 60, 60]
    assert id_of(200) not in lake.due_ids()
    cut_due(lake.connection, ledger, settings, DATES, NOW)
    assert id_of(200) in lake.due_ids()
