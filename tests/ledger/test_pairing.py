"""Events are cut and sent only if warehouse and ledger belong together; reconciliation pairs them again."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from pipeline.errors import DeliveryError, SettingsError
from pipeline.export_dates import EVERY_DATE, ExportDates
from pipeline.ledger import Batch, DeadEvent, Ledger, Pairing, Settled, warehouse_pairing
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.ledger.warehouse_pairing import check_pair, is_copy_behind, is_pair, pair_up, pairing_of
from pipeline.segment import enqueue
from pipeline.segment.checks import due_is_settled
from pipeline.segment.outbox import cut_batches
from pipeline.segment.reconcile import reconcile
from pipeline.settings import Settings
from pipeline.warehouse import Warehouse
from tests.support.modelled_tables import DATES, NOW, Lake, Row, day, event_row, id_of
from tests.support.sending import FakeTime, RecordingServer, Sender
from tests.support.warehouses import plain_file_in

SETTINGS = Settings(message_id_namespace="example.com", selligent_exports="/srv/out")
TWO_DAYS = ExportDates(DATES.first, day(1).first)


@contextmanager
def opened(warehouse: Warehouse) -> Iterator[Lake]:
    with warehouse.writing() as connection:
        yield Lake(connection)


def cut(lake: Lake, ledger: Ledger, *rows: Row, hold: bool = False) -> None:
    """A run, up to the sending."""
    settings = SETTINGS.model_copy(update={"segment_bots": "hold" if hold else "send"})
    lake.stage(*rows)
    pair_up(lake.connection, ledger)
    enqueue.cut_due(lake.connection, ledger, settings, TWO_DAYS, NOW)


def deliver(lake: Lake, ledger: Ledger, dead: int | None = None) -> list[str]:
    """The sending, in which one event dies; the batches that went out."""
    waiting = ledger.start_attempts(ledger.waiting("email_opened", TWO_DAYS), NOW)
    ledger.settle([Settled(batch, True, 1, _dead(batch, dead, lake)) for batch in waiting], NOW)
    mirror_into(lake.connection, ledger, EVERY_DATE)
    return [batch.batch_id for batch in waiting]


def _dead(batch: Batch, number: int | None, lake: Lake) -> list[DeadEvent]:
    if number is None or id_of(number) not in lake.batches()[batch.batch_id]:
        return []
    return [DeadEvent(id_of(number), batch.event, batch.export_date, batch.batch_id, "no")]


def refusal(lake: Lake | None, ledger: Ledger) -> str:
    with pytest.raises(SettingsError, match=r"^WAREHOUSE and LEDGER do not belong together: ") as caught:
        check_pair(lake.connection if lake else None, ledger)
    return str(caught.value)


@pytest.fixture
def anew(without_rows: Path, tmp_path: Path) -> Iterator[Lake]:
    """A warehouse that was made after another was lost."""
    shutil.copytree(without_rows, tmp_path / "anew")
    with opened(plain_file_in(tmp_path / "anew")) as lake:
        yield lake


def ledger_of(tmp_path: Path, name: str = "another.sqlite") -> Ledger:
    return Ledger(f"sqlite:///{tmp_path}/{name}")


def copy_of(ledger: Ledger, tmp_path: Path) -> Ledger:
    ledger.compact()
    ledger.close()
    assert ledger.file is not None
    shutil.copy(ledger.file, tmp_path / "backup.sqlite")
    return ledger_of(tmp_path, "backup.sqlite")


# They belong together


def test_a_run_goes_on_with_the_ledger_of_the_one_before(plain: Lake, ledger: Ledger) -> None:
    cut(plain, ledger, event_row(1))
    deliver(plain, ledger)
    check_pair(plain.connection, ledger)
    cut(plain, ledger, event_row(2), event_row(3, export_date=f"{day(1).first}"))
    deliver(plain, ledger)
    check_pair(plain.connection, ledger)
    assert ledger.standing_of("email_opened", TWO_DAYS).delivered == 3


def test_a_process_killed_between_the_outbox_and_the_ledger_is_no_mismatch(
    plain: Lake, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(plain, ledger, event_row(1))
    with monkeypatch.context() as patched:
        patched.setattr(enqueue, "register", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        for number in (2, 3):
            with pytest.raises(KeyboardInterrupt):
                cut(plain, ledger, event_row(number))
            check_pair(plain.connection, ledger)
    cut(plain, ledger)
    assert ledger.standing_of("email_opened", TWO_DAYS).waiting == 3


def test_a_process_killed_while_it_made_them_a_pair_is_no_mismatch(
    plain: Lake, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "start_over", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            cut(plain, ledger, event_row(1))
    cut(plain, ledger)
    assert deliver(plain, ledger) == list(plain.batches())


def test_what_was_never_sent_goes_with_its_warehouse(plain: Lake, anew: Lake, ledger: Ledger) -> None:
    """After a dry run, the warehouse is removed; dates that are withheld stay so."""
    ledger.withhold([day(1).first], NOW)
    cut(plain, ledger, event_row(1), event_row(2))
    check_pair(anew.connection, ledger)
    check_pair(None, ledger)
    cut(anew, ledger, event_row(1), event_row(3), event_row(4))
    assert ledger.standing_of("email_opened", TWO_DAYS).waiting == 3
    assert due_is_settled(anew.connection, ledger, TWO_DAYS).holds
    assert ledger.withheld() == [day(1).first]


def test_stores_that_were_made_before_there_were_pairs_go_on(plain: Lake, ledger: Ledger) -> None:
    plain.stage(event_row(1))
    plain.put_out(ledger)
    deliver(plain, ledger)
    assert (pairing_of(plain.connection).pair, ledger.pairing().pair) == (None, None)
    cut(plain, ledger, event_row(2))
    assert pairing_of(plain.connection).pair == ledger.pairing().pair != None  # noqa: E711
    assert ledger.standing_of("email_opened", TWO_DAYS).delivered == 1


def test_another_run_that_cuts_and_sends_during_the_look_is_no_mismatch(
    plain: Lake, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(plain, ledger, event_row(1))
    numbers = itertools.count(2)

    def meanwhile(connection: duckdb.DuckDBPyConnection) -> Pairing:
        """The other run goes all the way before the warehouse is asked, and once more right after."""
        found = []
        with monkeypatch.context() as patched:
            patched.setattr(warehouse_pairing, "pairing_of", pairing_of)
            for _ in range(2):
                cut(plain, ledger, event_row(next(numbers)))
                deliver(plain, ledger)
                found.append(pairing_of(connection))
        return found[0]

    monkeypatch.setattr(warehouse_pairing, "pairing_of", meanwhile)
    check_pair(plain.connection, ledger)
    assert next(numbers) == 4


# They do not


def test_a_warehouse_that_was_lost_is_refused(plain: Lake, anew: Lake, ledger: Ledger) -> None:
    cut(plain, ledger, event_row(1), event_row(2))
    deliver(plain, ledger, dead=1)
    anew.stage(event_row(1), event_row(2))
    for lake in (anew, None):
        assert "the ledger has 2 delivered events, and the warehouse contains none of them" in refusal(lake, ledger)
    with pytest.raises(SettingsError):
        pair_up(anew.connection, ledger)


def test_a_ledger_that_was_lost_is_refused(plain: Lake, tmp_path: Path, ledger: Ledger) -> None:
    cut(plain, ledger, event_row(1))
    assert "the warehouse contains events that were due, and the ledger has no batch of them" in refusal(
        plain, ledger_of(tmp_path)
    )


def test_a_ledger_of_another_warehouse_is_refused(plain: Lake, anew: Lake, ledger: Ledger, tmp_path: Path) -> None:
    cut(plain, ledger, event_row(1))
    deliver(plain, ledger)
    cut(anew, other := ledger_of(tmp_path), event_row(1))
    deliver(anew, other)
    assert "each of them was paired with a different counterpart" in refusal(plain, other)
    assert "each of them was paired with a different counterpart" in refusal(anew, ledger)


@pytest.mark.parametrize("later", ["was cut", "was delivered", "died"])
def test_an_older_ledger_is_refused(plain: Lake, ledger: Ledger, tmp_path: Path, later: str) -> None:
    cut(plain, ledger, event_row(1))
    backup = copy_of(ledger, tmp_path)
    check_pair(plain.connection, backup)
    if later == "was cut":
        cut(plain, ledger, event_row(2))
    else:
        deliver(plain, ledger, dead=1 if later == "died" else None)
    assert "the ledger is older than the warehouse" in refusal(plain, backup)


def test_an_older_warehouse_is_refused(plain_warehouse: Warehouse, ledger: Ledger, tmp_path: Path) -> None:
    with opened(plain_warehouse) as lake:
        cut(lake, ledger, event_row(1))
    assert plain_warehouse.catalog_file is not None
    shutil.copytree(plain_warehouse.catalog_file.parent, tmp_path / "backup")
    with opened(plain_file_in(tmp_path / "backup")) as lake:
        check_pair(lake.connection, ledger)
    with opened(plain_warehouse) as lake:
        cut(lake, ledger, event_row(2))
    with opened(plain_file_in(tmp_path / "backup")) as lake:
        assert "the warehouse is older than the ledger" in refusal(lake, ledger)
        reconcile(lake.connection, ledger, NOW)
        check_pair(lake.connection, ledger)
        cut(lake, ledger, event_row(2))
        assert due_is_settled(lake.connection, ledger, TWO_DAYS).holds


def test_a_copy_of_the_ledger_that_is_behind_is_noticed(plain: Lake, ledger: Ledger) -> None:
    """A process was killed after it had sent, or the warehouse is one from before the sending."""
    cut(plain, ledger, event_row(1))
    assert not is_copy_behind(plain.connection, ledger)
    (batch,) = ledger.start_attempts(ledger.waiting("email_opened", DATES), NOW)
    ledger.settle([Settled(batch, True, 1)], NOW)
    check_pair(plain.connection, ledger)
    assert is_copy_behind(plain.connection, ledger)
    mirror_into(plain.connection, ledger, EVERY_DATE)
    assert not is_copy_behind(plain.connection, ledger)
    assert plain.query("SELECT status FROM delivery.events") == [("delivered",)]


# What was lost is made good


def test_a_rebuilt_warehouse_sends_nothing_again_that_is_as_it_was(plain: Lake, anew: Lake, ledger: Ledger) -> None:
    events = [*(event_row(number) for number in range(1, 31)), event_row(40, export_date=f"{day(1).first}")]
    cut(plain, ledger, *events)
    sent = deliver(plain, ledger)
    done = reconcile(anew.connection, ledger, NOW)
    assert (done.missing, done.recognisable, done.taken) == (31, 31, 0)
    assert ledger.standings() == []
    cut(anew, ledger, *events)
    assert deliver(anew, ledger) == []
    assert set(anew.batches()) == set(sent)
    assert ledger.standing_of("email_opened", TWO_DAYS).delivered == 31
    assert due_is_settled(anew.connection, ledger, TWO_DAYS).holds


def test_a_batch_with_another_event_in_its_middle_is_another_batch(
    plain: Lake, anew: Lake, ledger: Ledger, server: RecordingServer, time: FakeTime
) -> None:
    """Its first and last event and their number are as they were: the one that is new was never sent."""
    cut(plain, ledger, *(event_row(number) for number in range(1, 31)))
    Sender(plain, ledger, server, time).deliver()
    mirror_into(plain.connection, ledger, EVERY_DATE)
    reconcile(anew.connection, ledger, NOW)
    cut(
        anew,
        ledger,
        *(event_row(number) for number in range(1, 31) if number != 15),
        event_row(99, timestamp=event_row(15)["timestamp"]),
    )
    sender = Sender(anew, ledger, server, time)
    sender.deliver()
    assert {key for ids in server.sent_ids for key in ids} == {id_of(number) for number in [*range(1, 31), 99]}
    assert sender.standing() == (30, 0, 0)
    assert due_is_settled(anew.connection, ledger, TWO_DAYS).holds


def test_a_lost_ledger_is_made_anew_of_the_warehouse(
    plain: Lake, ledger: Ledger, tmp_path: Path, small_batches: None
) -> None:
    cut(plain, ledger, *(event_row(number) for number in range(1, 31)))
    sent = deliver(plain, ledger, dead=7)
    cut(plain, ledger, event_row(50), event_row(51, export_date=f"{day(1).first}"))
    ledger.withhold([day(1).first], NOW)
    mirror_into(plain.connection, ledger, EVERY_DATE)
    before = ledger.standings()

    found = ledger_of(tmp_path)
    done = reconcile(plain.connection, found, NOW)
    assert (done.missing, done.taken) == (0, len(sent) + 2)
    assert found.standings() == before
    assert found.withheld() == [day(1).first]
    assert found.dead_ids("email_opened", DATES) == [id_of(7)]
    found.release(EVERY_DATE)
    assert set(deliver(plain, found)) == set(plain.batches()) - set(sent)
    assert due_is_settled(plain.connection, found, TWO_DAYS).holds


def test_an_older_ledger_learns_what_was_delivered_since(plain: Lake, ledger: Ledger, tmp_path: Path) -> None:
    cut(plain, ledger, event_row(1))
    backup = copy_of(ledger, tmp_path)
    deliver(plain, ledger)
    cut(plain, ledger, event_row(2))
    assert reconcile(plain.connection, backup, NOW).taken == 1
    assert [batch.events for batch in backup.waiting("email_opened", DATES)] == [1]
    assert is_pair(plain.connection, backup)


def test_held_events_stay_held_in_a_ledger_that_is_made_anew_and_released_ones_released(
    plain: Lake, ledger: Ledger, tmp_path: Path
) -> None:
    """The opens of 2026-03-02 were released after the backup, the ones of the next day are held."""
    cut(plain, ledger, event_row(1, is_bot=True), event_row(2, is_bot=True, export_date=f"{day(1).first}"), hold=True)
    backup = copy_of(ledger, tmp_path)
    assert ledger.release_held(None, DATES) == 1
    mirror_into(plain.connection, ledger, EVERY_DATE)
    assert "the ledger is older than the warehouse" in refusal(plain, backup)
    for found, taken in ((backup, 1), (ledger_of(tmp_path), 2)):
        assert reconcile(plain.connection, found, NOW).taken == taken
        assert [(standing.waiting, standing.held) for standing in found.standings()] == [(1, 0), (0, 1)]
        assert due_is_settled(plain.connection, found, TWO_DAYS).holds


def test_events_that_died_in_a_lost_batch_are_tried_again(plain: Lake, anew: Lake, ledger: Ledger) -> None:
    cut(plain, ledger, event_row(1), event_row(2))
    deliver(plain, ledger, dead=2)
    done = reconcile(anew.connection, ledger, NOW)
    assert (done.missing, done.recognisable) == (1, 0)
    cut(anew, ledger, event_row(1), event_row(2))
    assert len(deliver(anew, ledger)) == 1
    assert due_is_settled(anew.connection, ledger, TWO_DAYS).numbers["delivered"] == 2


def test_a_process_killed_while_it_reconciled_does_it_again(
    plain: Lake, anew: Lake, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut(plain, ledger, event_row(1), event_row(2))
    deliver(plain, ledger)
    with monkeypatch.context() as patched:
        patched.setattr(
            "pipeline.segment.reconcile.pair_warehouse", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            reconcile(anew.connection, ledger, NOW)
    reconcile(anew.connection, ledger, NOW)
    cut(anew, ledger, event_row(1), event_row(2))
    assert deliver(anew, ledger) == []


# The size of a batch


@pytest.mark.parametrize("number", [1, 2])
def test_a_batch_that_lacks_an_event_is_not_sent(plain: Lake, ledger: Ledger, number: int) -> None:
    cut(plain, ledger, event_row(1), event_row(2))
    (batch,) = cut_batches(plain.connection, DATES)
    plain.query("DELETE FROM delivery.outbox WHERE id IN (SELECT unnest(?))", [id_of(n) for n in range(1, number + 1)])
    with pytest.raises(DeliveryError, match=f"has 2 events in the ledger and {2 - number} in the warehouse"):
        list(plain.reader.bodies([batch], []))
