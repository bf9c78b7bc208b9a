"""The ledger, the only record of deliveries."""

import sqlite3
import traceback
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.errors import DeliveryError, SettingsError
from pipeline.export_dates import ExportDates
from pipeline.ledger import (
    CUT,
    HELD,
    MODELLED,
    REPORTED,
    Batch,
    DeadEvent,
    Ledger,
    Pairing,
    Remaining,
    Settled,
    Standing,
)
from pipeline.warehouse.loads import Load
from tests.fakes.postgres import Postgres
from tests.support.modelled_tables import DATES, DAY, NOW, day

LATER = NOW + timedelta(hours=1)
PASSWORD = "hunter2-and-more"


def batch(number: int, events: int = 10, event: str = "email_opened", export_date: date = DAY) -> Batch:
    return Batch(f"batch-{number}", event, export_date, number, events)


def dead(number: int, of: Batch | None, reason: str = "no") -> DeadEvent:
    return DeadEvent(f"id-{number}", of.event if of else "email_opened", DAY, of.batch_id if of else None, reason)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """An empty ledger, in each kind of database."""
    if request.param == "SQLite":
        return Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    server: Postgres = request.getfixturevalue("postgres")
    return Ledger(server.url(server.create(f"ledger_{uuid4().hex}")))


# Registering


def test_known_batches_and_dead_events_are_not_registered_again(ledger: Ledger) -> None:
    assert ledger.register([batch(1), batch(2)], [dead(1, None)], NOW) == 2
    assert ledger.register([batch(1), batch(2), batch(3)], [dead(1, None, "another reason")], LATER) == 1
    assert ledger.waiting("email_opened", DATES) == [batch(1), batch(2), batch(3)]
    died = ledger.frames(DATES)["delivery.dead_events"]
    assert (died.reason.tolist(), died.died_at.tolist()) == (["no"], [NOW])


def test_thousands_of_batches_are_registered_at_once(ledger: Ledger) -> None:
    """One statement does not accept that many parameters."""
    assert ledger.register([batch(number) for number in range(1_201)], [], NOW) == 1_201
    many = [batch(number) for number in range(1_300)]
    events = [dead(number, None) for number in range(1_100)]
    assert ledger.register(many, events, NOW) == 99
    assert ledger.register(many, events, NOW) == 0
    assert ledger.standing_of("email_opened", DATES) == Standing(DAY, "email_opened", 0, 13_000, 1_100)


def test_registering_is_one_transaction(ledger: Ledger) -> None:
    broken = replace(dead(1, None), reason=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="reason"):
        ledger.register([batch(1)], [broken], NOW)
    assert ledger.standings() == []


# Sending


def test_waiting_batches_are_ordered_by_date_and_sequence(ledger: Ledger) -> None:
    yesterday = day(-1).first
    all_of_them = [batch(2), batch(1), batch(4, export_date=yesterday), batch(3, export_date=yesterday)]
    ledger.register([*all_of_them, batch(5, event="email_bounced"), batch(6, export_date=day(1).first)], [], NOW)
    found = ledger.waiting("email_opened", ExportDates(yesterday, DAY))
    assert [each.batch_id for each in found] == ["batch-3", "batch-4", "batch-1", "batch-2"]
    assert ledger.waiting_dates() == {yesterday, DAY, day(1).first}


def test_a_delivered_batch_no_longer_waits_but_the_others_do(ledger: Ledger) -> None:
    ledger.register([batch(1), batch(2, export_date=day(1).first)], [], NOW)
    ledger.settle([Settled(batch(1), True, 1)], LATER)
    assert ledger.waiting("email_opened", DATES) == []
    assert ledger.waiting_dates() == {day(1).first}
    frame = ledger.frames(DATES)["delivery.batches"]
    (row,) = frame.to_dict("records")
    assert (row["status"], row["attempts"], row["delivered_at"], row["reason"]) == ("delivered", 1, LATER, None)


def test_attempts_add_up_and_a_delivery_clears_the_reason(ledger: Ledger) -> None:
    ledger.register([batch(1)], [], NOW)
    ledger.settle([Settled(batch(1), False, 8, reason="Segment answered 503")], NOW)
    frame = ledger.frames(DATES)["delivery.batches"]
    assert frame[["status", "attempts", "reason"]].values.tolist() == [["waiting", 8, "Segment answered 503"]]
    assert frame.delivered_at.isna().all()
    ledger.settle([Settled(batch(1), True, 2)], LATER)
    frame = ledger.frames(DATES)["delivery.batches"]
    assert frame[["status", "attempts"]].values.tolist() == [["delivered", 10]]
    assert frame.reason.isna().all()


def test_a_later_attempt_keeps_the_time_of_the_first(ledger: Ledger) -> None:
    ledger.register([batch(1), batch(2)], [], NOW)
    ledger.start_attempts([batch(1)], NOW)
    ledger.start_attempts([batch(1), batch(2)], LATER)
    tried = ledger.frames(DATES)["delivery.batches"]
    assert tried.sort_values("batch_id").first_attempt_at.tolist() == [NOW, LATER]


def test_only_the_newest_sender_starts_attempts(ledger: Ledger) -> None:
    ledger.register([batch(1), batch(2)], [], NOW)
    first = ledger.become_sender()
    assert ledger.start_attempts([batch(1)], NOW, first) == [batch(1)]
    second = ledger.become_sender()
    with pytest.raises(DeliveryError, match="Another process delivers now"):
        ledger.start_attempts([batch(2)], NOW, first)
    # What it has sent is recorded all the same.
    ledger.settle([Settled(batch(1), True, 1)], LATER)
    assert ledger.start_attempts([batch(1), batch(2)], LATER, second) == [batch(2)]
    tried = ledger.frames(DATES)["delivery.batches"].sort_values("batch_id")
    assert tried.first_attempt_at.tolist() == [NOW, LATER]


def test_a_dead_event_keeps_its_first_reason(ledger: Ledger) -> None:
    ledger.register([batch(1)], [], NOW)
    ledger.settle([Settled(batch(1), False, 1, [dead(1, batch(1))], "down")], NOW)
    ledger.settle([Settled(batch(1), True, 1, [dead(1, batch(1), "again")])], LATER)
    assert ledger.dead_ids("email_opened", DATES) == ["id-1"]
    died = ledger.frames(DATES)["delivery.dead_events"]
    assert died.reason.tolist() == ["no"]
    assert ledger.dead_ids("email_bounced", DATES) == []
    assert ledger.dead_ids("email_opened", day(1)) == []


def test_settling_batches_is_one_transaction(ledger: Ledger) -> None:
    ledger.register([batch(1), batch(2)], [], NOW)
    broken = replace(dead(1, batch(2)), reason=None)  # type: ignore[arg-type]
    with pytest.raises(Exception, match="reason"):
        ledger.settle([Settled(batch(1), True, 1), Settled(batch(2), True, 1, [broken])], NOW)
    assert ledger.standing_of("email_opened", DATES).delivered == 0


def test_a_stored_load_is_read_back_unchanged_in_utc(ledger: Ledger) -> None:
    in_tokyo = LATER.astimezone(timezone(timedelta(hours=9)))
    ledger.reach(CUT, {DAY: Load(7, in_tokyo)})
    assert ledger.reached(CUT) == {DAY: Load(7, LATER)}
    assert ledger.reached(CUT)[DAY].at.tzinfo is UTC


def test_each_stage_has_its_own_latest_progress(ledger: Ledger) -> None:
    """The clock was set back before the third load."""
    first, second, third = Load(1, NOW), Load(2, LATER), Load(3, NOW)
    ledger.reach(CUT, {DAY: second})
    ledger.reach(REPORTED, {DAY: second})
    ledger.reach(CUT, {DAY: third, day(1).first: first})
    assert ledger.reached(CUT) == {DAY: third, day(1).first: first}
    assert ledger.reached(CUT, day(1)) == {day(1).first: first}
    assert ledger.reached(REPORTED) == {DAY: second}
    assert ledger.reached(MODELLED) == {}


def test_a_released_date_must_be_cut_and_reported_again(ledger: Ledger) -> None:
    """Both were completed without its events while it was withheld."""
    tomorrow, later = day(1).first, day(2).first
    loaded = Load(1, NOW)
    ledger.withhold([DAY, later], NOW)
    for stage in (MODELLED, CUT, REPORTED):
        ledger.reach(stage, dict.fromkeys((DAY, tomorrow, later), loaded))
    assert ledger.release(ExportDates(DAY, tomorrow)) == [DAY]
    assert ledger.reached(CUT) == ledger.reached(REPORTED) == {tomorrow: loaded, later: loaded}
    assert set(ledger.reached(MODELLED)) == {DAY, tomorrow, later}


def test_the_progress_in_a_ledger_of_an_earlier_version_is_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    with closing(sqlite3.connect(tmp_path / "ledger.sqlite")) as former, former:
        former.execute(
            "CREATE TABLE progress (export_date DATE NOT NULL, stage VARCHAR(16) NOT NULL, "
            "loaded_at DATETIME NOT NULL, PRIMARY KEY (export_date, stage))"
        )
        former.execute("INSERT INTO progress VALUES ('2026-03-02', 'reported', '2026-03-02 08:00:00.000000')")
    loaded = Load(0, datetime(2026, 3, 2, 8, tzinfo=UTC))
    assert Ledger(url).reached(REPORTED) == {DAY: loaded}
    Ledger(url).reach(REPORTED, {DAY: replace(loaded, number=1)})
    assert Ledger(url).reached(REPORTED) == {DAY: replace(loaded, number=1)}


# Standings

histories = st.lists(
    st.tuples(
        st.sampled_from(["email_opened", "email_bounced"]),
        st.integers(0, 2),
        st.integers(1, 30),
        st.booleans(),
        st.integers(0, 30),
    ),
    max_size=12,
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, undeliverable=st.lists(st.integers(0, 2), max_size=4))
def test_delivered_waiting_and_dead_add_up_to_what_was_due(
    tmp_path: Path, history: list[tuple[str, int, int, bool, int]], undeliverable: list[int]
) -> None:
    """Each batch has some dead events and is delivered or not; some events died before they were in a batch."""
    (tmp_path / "ledger.sqlite").unlink(missing_ok=True)
    for leftover in tmp_path.glob("ledger.sqlite-*"):
        leftover.unlink()
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    expected: dict[tuple[date, str], list[int]] = {}
    results = []
    died = [DeadEvent(f"u-{n}", "email_opened", day(of).first, None, "no") for n, of in enumerate(undeliverable)]
    for event in died:
        expected.setdefault((event.export_date, event.event), [0, 0, 0])[2] += 1
    for number, (event, of, events, delivered, deaths) in enumerate(history):
        cut = batch(number, events, event, day(of).first)
        gone = [
            DeadEvent(f"{number}-{n}", event, cut.export_date, cut.batch_id, "no") for n in range(min(deaths, events))
        ]
        results.append(Settled(cut, delivered, 1, gone))
        counts = expected.setdefault((cut.export_date, event), [0, 0, 0])
        counts[0 if delivered else 1] += events - len(gone)
        counts[2] += len(gone)
    ledger.register([result.batch for result in results], died, NOW)
    ledger.settle(results, LATER)

    assert ledger.standings() == [Standing(*key, *counts) for key, counts in sorted(expected.items())]
    of_one_day = [Standing(*key, *counts) for key, counts in sorted(expected.items()) if key[0] == DAY]
    assert ledger.standings(DATES) == of_one_day
    of_all = ledger.standing_of("email_opened", ExportDates(DAY, day(2).first))
    opened = [counts for (_, event), counts in expected.items() if event == "email_opened"]
    assert (of_all.delivered, of_all.waiting, of_all.dead) == tuple(sum(each[n] for each in opened) for n in range(3))


def test_nothing_is_due_in_an_empty_ledger(ledger: Ledger) -> None:
    assert ledger.standings() == []
    assert ledger.standing_of("email_opened", DATES) == Standing(DAY, "email_opened", 0, 0, 0)
    assert ledger.waiting_dates() == set()


# Held batches


def held(number: int, events: int = 10, event: str = "email_opened", export_date: date = DAY) -> Batch:
    return replace(batch(number, events, event, export_date), status=HELD)


def test_a_held_batch_is_not_to_be_sent_until_it_is_released(ledger: Ledger) -> None:
    ledger.register([batch(1), held(2), held(3, event="email_bounced"), held(4, export_date=day(1).first)], [], NOW)
    assert ledger.register([held(2)], [], LATER) == 0
    assert ledger.waiting("email_opened", DATES) == ledger.waiting_since(date.min) == [batch(1)]
    assert ledger.start_attempts([held(2)], NOW) == []
    assert ledger.waiting_dates() == {DAY}
    assert ledger.waiting_ids(DATES) == ["batch-1"]
    assert sorted(ledger.undelivered_ids(DATES)) == ["batch-1", "batch-2", "batch-3"]
    assert ledger.standing_of("email_opened", DATES) == Standing(DAY, "email_opened", 0, 10, 0, held=10)

    assert ledger.release_held("email_opened", DATES) == 10
    assert ledger.waiting("email_opened", DATES) == [batch(1), batch(2)]
    assert ledger.release_held(None, ExportDates(DAY, day(1).first)) == 20
    assert ledger.waiting_dates() == {DAY, day(1).first}
    assert [standing.held for standing in ledger.standings()] == [0, 0, 0]


def test_dead_and_forgotten_events_are_neither_held_nor_released(ledger: Ledger) -> None:
    ledger.register([held(1), held(2, events=3)], [], NOW)
    assert ledger.withdraw([dead(1, held(1), "suppressed")], NOW) == (1, 0)
    ledger.forget([Remaining("batch-1", "email_opened", DAY, 7), Remaining("batch-2", "email_opened", DAY, 0)], [])
    assert ledger.standings() == [Standing(DAY, "email_opened", 0, 0, 1, forgotten=6, held=6)]
    assert ledger.release_held(None, DATES) == 6
    assert ledger.waiting("email_opened", DATES) == [batch(1, events=7)]
    assert ledger.standings() == [Standing(DAY, "email_opened", 0, 6, 1, forgotten=6)]


def test_a_release_makes_every_earlier_copy_of_the_ledger_older(ledger: Ledger) -> None:
    ledger.pair(Pairing("pair", 5, 5))
    ledger.register([held(1)], [], NOW)
    before = ledger.pairing().generation
    ledger.release_held("email_bounced", DATES)
    assert ledger.pairing().generation == before
    ledger.release_held(None, DATES)
    assert ledger.pairing().generation > before


# Location and errors


def test_other_processes_see_the_ledger_and_a_reader_blocks_no_writer(tmp_path: Path) -> None:
    """`status` reads while a delivery writes."""
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    ledger.register([batch(1)], [], NOW)
    with sqlite3.connect(tmp_path / "ledger.sqlite") as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT status FROM batches").fetchall() == [("waiting",)]
        ledger.settle([Settled(batch(1), True, 1)], NOW)
        assert reader.execute("SELECT status FROM batches").fetchall() == [("waiting",)]
    assert Ledger(f"sqlite:///{tmp_path}/ledger.sqlite").standing_of("email_opened", DATES).delivered == 10


def test_the_folder_of_the_ledger_is_created(tmp_path: Path) -> None:
    Ledger(f"sqlite:///{tmp_path}/new/folder/ledger.sqlite").register([batch(1)], [], NOW)
    assert (tmp_path / "new/folder/ledger.sqlite").exists()


def assert_one_sentence_without_secrets(error: BaseException) -> None:
    shown = str(error) + "".join(traceback.format_exception(error))
    assert str(error).startswith("LEDGER: ")
    assert len(str(error).splitlines()) == 1
    assert PASSWORD not in shown


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://someone:{PASSWORD}@127.0.0.1:1/ledger",
        f"postgresql+psycopg://someone:{PASSWORD}@127.0.0.1:1/ledger",
        f"postgresql://someone@127.0.0.1:1/ledger?password={PASSWORD}",
        f"postgresql+driver_that_is_not_there://someone:{PASSWORD}@127.0.0.1:1/ledger",
        f"postgresql+psycopg2://someone:{PASSWORD}@127.0.0.1:1/ledger",
    ],
)
def test_a_server_that_cannot_be_reached_is_reported_without_the_password(url: str) -> None:
    with pytest.raises((DeliveryError, SettingsError)) as caught:
        Ledger(url)
    assert_one_sentence_without_secrets(caught.value)


def test_a_file_that_is_not_a_ledger_is_reported(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("no database, but text, and more than a hundred bytes of it " * 10)
    with pytest.raises(DeliveryError, match=r"ledger\.sqlite") as caught:
        Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    assert_one_sentence_without_secrets(caught.value)


def test_a_folder_in_place_of_the_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(DeliveryError) as caught:
        Ledger(f"sqlite:///{tmp_path}")
    assert_one_sentence_without_secrets(caught.value)


def test_a_file_in_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    with pytest.raises(DeliveryError) as caught:
        Ledger(f"sqlite:///{tmp_path}/data/ledger.sqlite")
    assert_one_sentence_without_secrets(caught.value)


def test_a_batch_whose_people_were_all_forgotten_can_be_cut_and_sent_again(ledger: Ledger) -> None:
    """A person who is taken off the list comes back with the same events, in a batch of the same id."""
    ledger.register([batch(1, events=3), batch(2, events=5)], [], NOW)
    ledger.settle([Settled(batch(1, events=3), True, 1), Settled(batch(2, events=5), True, 1)], NOW)
    for _ in range(2):  # a killed process repeats it
        ledger.forget([Remaining("batch-1", "email_opened", DAY, 0), Remaining("batch-2", "email_opened", DAY, 4)], [])
    standing = ledger.standing_of("email_opened", DATES)
    assert (standing.delivered, standing.waiting, standing.forgotten) == (4, 0, 4)

    assert ledger.register([batch(1, events=3)], [], NOW) == 1
    assert [known.batch_id for known in ledger.waiting("email_opened", DATES)] == ["batch-1"]
    standing = ledger.standing_of("email_opened", DATES)
    assert (standing.delivered, standing.waiting, standing.forgotten) == (4, 3, 4)


def test_forgetting_a_batch_twice_counts_its_events_once(ledger: Ledger) -> None:
    ledger.register([batch(1, events=3)], [], NOW)
    ledger.forget([Remaining("batch-1", "email_opened", DAY, 0)], [])
    ledger.register([batch(1, events=3)], [], NOW)
    ledger.forget([Remaining("batch-1", "email_opened", DAY, 0)], [])
    assert ledger.standings() == [Standing(DAY, "email_opened", 0, 0, 0, forgotten=3)]
