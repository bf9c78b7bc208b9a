"""`delivery.events` in the warehouse is equal to the ledger, so that it can be queried in SQL."""

from datetime import datetime
from typing import Any

import pytest

from pipeline.export_dates import ExportDates
from pipeline.http.errors import host_of
from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_copy import mirror
from pipeline.segment import cut_rules
from pipeline.segment.enqueue import register
from pipeline.warehouse import Warehouse
from tests.fakes import segment_faults as faults
from tests.support.delivery_fixtures import opened
from tests.support.modelled_tables import DATES, DAY, NOW, Lake, day, event_row, id_of
from tests.support.sending import FakeTime, RecordingServer, Sender

BOTH_DAYS = ExportDates(DAY, day(1).first)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 3)


def events(warehouse: Warehouse) -> dict[str, tuple[Any, ...]]:
    with warehouse.reading() as connection:
        rows = connection.execute("SELECT * FROM delivery.events ORDER BY id").fetchall()
    assert len({row[0] for row in rows}) == len(rows), "one row an event"
    return {row[0]: row[1:] for row in rows}


def test_every_event_that_was_ever_due_is_waiting_delivered_or_dead(
    plain_warehouse: Warehouse, ledger: Ledger, server: RecordingServer, time: FakeTime
) -> None:
    """Batch 1 has an event that Segment rejects, batch 2 is sent twice, batch 3 and the next day's wait."""
    with opened(plain_warehouse) as lake:
        lake.stage(
            *(event_row(number) for number in range(9)),
            event_row(20, user_id=None),
            event_row(21, "Email Bounced"),
            event_row(22, export_date=f"{day(1).first}"),
        )
        lake.put_out(ledger, BOTH_DAYS)
        before = len(lake.outbox())
    mirror(plain_warehouse, ledger, BOTH_DAYS)
    assert {row[2:5] for key, row in events(plain_warehouse).items() if key != id_of(20)} == {("waiting", None, 0)}

    down = f"{host_of(server.url)} answered 503: down"
    with opened(plain_warehouse) as lake:
        server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(1)))
        server.misbehave_when(lambda _, messages: id_of(6) in str(messages), faults.Answer(503, body="down"))
        server.misbehave_when(
            lambda _, messages: id_of(4) in str(messages) and len(server.sent_ids) == 6, faults.CloseBeforeReading()
        )
        sent = Sender(lake, ledger, server, time).deliver(max_attempts=3)
        assert sent.stopped_by == down
    mirror(plain_warehouse, ledger, BOTH_DAYS)

    found = events(plain_warehouse)
    assert len(found) == before == 12
    unidentified = "no_user_anon_id: neither a user id nor an email address is known; a contacts lookup can add one"
    rejected = 'Segment answered 400: {"success": false, "message": "a message was rejected"}'
    opened_on = ("email_opened", DAY)
    assert found[id_of(20)] == (*opened_on, "dead", None, 0, unidentified)
    assert found[id_of(1)] == (*opened_on, "dead", None, 5, rejected)
    for number, attempts in {0: 5, 2: 5, 3: 2, 4: 2, 5: 2}.items():
        event, date, status, delivered_at, tried, reason = found[id_of(number)]
        assert (event, date, status, tried, reason) == (*opened_on, "delivered", attempts, None)
        assert isinstance(delivered_at, datetime)
        assert NOW < delivered_at <= time.now()
    for number in (6, 7, 8):
        assert found[id_of(number)] == (*opened_on, "waiting", None, 3, down)
    assert found[id_of(21)] == ("email_bounced", DAY, "waiting", None, 0, None)
    assert found[id_of(22)] == ("email_opened", day(1).first, "waiting", None, 0, None)


def test_what_was_cut_and_never_mirrored_is_waiting(plain_warehouse: Warehouse, ledger: Ledger) -> None:
    with opened(plain_warehouse) as lake:
        lake.stage(event_row(1), event_row(2))
        lake.put_out(ledger)
    assert {row[2:] for row in events(plain_warehouse).values()} == {("waiting", None, 0, None)}


def test_only_what_changed_is_written_and_else_nothing(
    warehouse: Warehouse, ledger: Ledger, server: RecordingServer, time: FakeTime
) -> None:
    """Time travel is for changes; a snapshot a call, for ever, would drown them."""
    with opened(warehouse) as lake:
        lake.stage(*(event_row(number) for number in range(9)), event_row(20, user_id=None))
        lake.put_out(ledger)
    with warehouse.reading() as connection:
        reader = Lake(connection)
        sender = Sender(reader, ledger, server, time)

        def now() -> tuple[int, list[tuple[Any, ...]]]:
            ((snapshot,),) = reader.query("SELECT max(snapshot_id) FROM ducklake_snapshots('lake')")
            return snapshot, reader.query("FROM delivery.events ORDER BY id")

        server.misbehave_when(lambda number, _: number == 3, faults.Answer(401))
        sender.deliver()
        mirror(warehouse, ledger, DATES)
        before = now()
        mirror(warehouse, ledger, DATES)
        assert now() == before

        sender.deliver()
        mirror(warehouse, ledger, DATES)
        changes = f"'lake', 'delivery', '{{}}', {before[0] + 1}, {now()[0]}"
        changed = reader.query(f"SELECT status, change_type FROM ducklake_table_changes({changes.format('batches')})")
        assert sorted(changed) == [("delivered", "insert"), ("waiting", "delete")]
        assert reader.query(f"FROM ducklake_table_changes({changes.format('dead_events')})") == []


def test_a_copy_that_differs_from_the_ledger_is_corrected(plain_warehouse: Warehouse, ledger: Ledger) -> None:
    """A ledger that was brought back from a backup, for one."""
    with opened(plain_warehouse) as lake:
        lake.stage(event_row(1), event_row(2, export_date=f"{day(1).first}"))
        lake.put_out(ledger, BOTH_DAYS)
    mirror(plain_warehouse, ledger, BOTH_DAYS)
    with opened(plain_warehouse) as lake:
        lake.query("UPDATE delivery.batches SET status = 'delivered'")
        lake.query(
            "INSERT INTO delivery.dead_events (id, event, export_date) VALUES (?, 'email_opened', ?)", id_of(1), DAY
        )
    mirror(plain_warehouse, ledger, DATES)
    assert {key: row[2] for key, row in events(plain_warehouse).items()} == {id_of(1): "waiting", id_of(2): "delivered"}


def test_a_withdrawn_event_is_dead_with_its_reason(plain_warehouse: Warehouse, ledger: Ledger) -> None:
    with opened(plain_warehouse) as lake:
        lake.stage(event_row(1), event_row(2))
        lake.put_out(ledger)
        lake.withdraw_events(2)
        register(lake.connection, ledger, DATES, NOW)
    mirror(plain_warehouse, ledger, DATES)
    found = events(plain_warehouse)
    assert found[id_of(1)][2] == "waiting"
    assert (found[id_of(2)][2], found[id_of(2)][5]) == (
        "dead",
        "withdrawn: a corrected export no longer contains it",
    )


def test_an_empty_ledger_can_be_mirrored(plain_warehouse: Warehouse, ledger: Ledger) -> None:
    mirror(plain_warehouse, ledger, DATES)
    assert events(plain_warehouse) == {}
