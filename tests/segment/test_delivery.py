"""What was due is what Segment has, whatever happens on the way; nothing is dropped, nothing is marked too early."""

import itertools
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.dates import ExportDates
from pipeline.segment import outbox
from pipeline.segment.client import Answer, Delivered
from pipeline.segment.delivery import deliver
from pipeline.segment.ledger import Ledger
from pipeline.segment.settling import Send
from tests import segment_faults as faults
from tests.segment.lake import DATES, DAY, PROPERTIES, TABLES, Lake, Row, day, id_of, large, one_of_each, said
from tests.segment.sending import Sender

A_BATCH = 15


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches of small messages."""
    monkeypatch.setattr(outbox, "MAX_BATCH_EVENTS", A_BATCH)


class Killed(BaseException):
    """The process ends here."""


def five_batches() -> list[Row]:
    return [said(number) for number in range(5 * A_BATCH)]


def put_out(sender: Sender, *rows: Row, dates: ExportDates = DATES) -> None:
    sender.lake.stage(*rows)
    sender.lake.put_out(sender.ledger, dates)


def assert_all_arrived(sender: Sender) -> None:
    assert sender.server.received_ids == sender.lake.due_ids()
    assert not sender.server.dropped
    assert {standing.waiting for standing in sender.ledger.standings()} == {0}


# All of it


def test_what_was_due_is_what_segment_has(lake_sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """All six events, three dates, batches full of bytes, connections in parallel."""
    monkeypatch.setattr(outbox, "MAX_BATCH_EVENTS", 2_500)
    sender = lake_sender
    numbers = itertools.count(100)
    rows = [
        large(next(numbers), event, export_date=f"{day(of).first}")
        for event in PROPERTIES
        for of in range(3)
        for _ in range(20)
    ]
    sender.lake.stage(*one_of_each(), *rows)
    three_days = ExportDates(DAY, day(2).first)
    sender.lake.put_out(sender.ledger, three_days)

    results = sender.deliver_all(three_days, connections=4)
    assert_all_arrived(sender)
    assert len(sender.server.received_ids) == 6 + 6 * 3 * 20
    assert not sender.server.duplicates
    assert sum(sent.batches for sent in results.values()) == len(sender.lake.batches()) == len(sender.server.requests)
    assert {sent.stopped_by for sent in results.values()} == {None}
    assert max(map(len, sender.server.bodies)) <= 475_000
    assert {tuple(ids) for ids in sender.server.sent_ids} == {tuple(ids) for ids in sender.lake.batches().values()}


def test_the_second_delivery_has_nothing_to_do(sender: Sender) -> None:
    put_out(sender, *one_of_each())
    sender.deliver_all()
    before = sender.server.requests
    assert {sent.attempts for sent in sender.deliver_all().values()} == {0}
    assert sender.server.requests == before


def test_only_the_event_and_the_dates_asked_for_are_sent(sender: Sender) -> None:
    put_out(
        sender,
        said(1),
        said(2, "Email Bounced"),
        said(3, export_date=f"{day(1).first}"),
        dates=ExportDates(DAY, day(1).first),
    )
    sender.deliver("email_opened", DATES)
    assert sender.server.received_ids == {id_of(1)}
    sender.deliver("email_opened", day(1))
    assert sender.server.received_ids == {id_of(1), id_of(3)}


def test_batches_go_oldest_export_date_first_and_in_order(sender: Sender) -> None:
    older = [said(number, export_date=f"{day(-1).first}") for number in range(100, 100 + 3 * A_BATCH)]
    put_out(sender, *five_batches(), *older, dates=ExportDates(day(-1).first, DAY))
    sender.deliver(dates=ExportDates(day(-1).first, DAY))
    assert sender.server.sent_ids == list(sender.lake.batches().values())


def test_progress_ends_at_all_of_it(plain: Lake, ledger: Ledger) -> None:
    plain.stage(*five_batches())
    plain.put_out(ledger)
    told: list[tuple[int, int]] = []
    deliver(
        plain.connection,
        ledger,
        lambda *_: Answer(Delivered(), 1),
        "email_opened",
        DATES,
        1,
        progress=lambda done, of: told.append((done, of)),
    )
    assert told == sorted(told)
    assert told[-1] == (75, 75)


def test_so_many_connections_are_used_and_no_more(plain: Lake, ledger: Ledger) -> None:
    """Three requests meet at a barrier, which one after the other never would; a fourth is never there."""
    plain.stage(*(said(number) for number in range(6 * A_BATCH)))
    plain.put_out(ledger)
    assert len(plain.batches()) == 6
    meeting = threading.Barrier(3, timeout=30)
    lock, at_once, most = threading.Lock(), 0, 0

    def send(_messages: str, _events: int) -> Answer:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        meeting.wait()
        with lock:
            at_once -= 1
        meeting.wait()
        return Answer(Delivered(), 1)

    deliver(plain.connection, ledger, send, "email_opened", DATES, 3)
    assert most == 3


# What Segment won't take


def test_the_one_event_that_segment_rejects_is_dead_with_its_words_and_the_rest_arrives(sender: Sender) -> None:
    put_out(sender, *(said(number) for number in range(40)))
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(17)))

    sent = sender.deliver()
    assert (sent.batches, sent.stopped_by) == (3, None)
    assert sender.server.received_ids == sender.lake.due_ids() - {id_of(17)}
    assert not sender.server.duplicates
    assert sender.standing() == (39, 0, 1)
    _, dead, *_ = sender.ledger.frames(DATES)
    (event,) = dead.to_dict("records")
    assert (event["id"], event["event"], event["export_date"]) == (id_of(17), "email_opened", DAY)
    assert event["reason"] == 'Segment answered 400: {"success": false, "message": "a message was rejected"}'
    assert event["died_at"] == sender.time.now()


def test_an_event_that_died_is_not_sent_with_its_batch_again(sender: Sender) -> None:
    """The first half is over when the outage begins: the batch waits, and its dead event stays dead."""
    put_out(sender, *(said(number) for number in range(4)))
    sender.server.misbehave_when(lambda *_: True, faults.RejectMessage(id_of(0)))
    sender.server.misbehave_when(lambda _, messages: id_of(2) in str(messages), faults.Answer(503))
    assert "503" in str(sender.deliver(max_attempts=2).stopped_by)
    assert sender.standing() == (0, 3, 1)

    sender.server.behave()
    sender.deliver()
    assert sender.server.sent_ids[-1] == [id_of(1), id_of(2), id_of(3)]
    assert sender.standing() == (3, 0, 1)


def test_a_request_too_large_for_somebody_is_halved(sender: Sender) -> None:
    """413 of a proxy with a smaller limit: everything arrives in smaller requests, and nothing is dead."""
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda _, messages: len(messages) > 4, faults.Answer(413))
    assert sender.deliver(connections=2).stopped_by is None
    assert_all_arrived(sender)
    assert sender.standing() == (75, 0, 0)
    assert not sender.server.duplicates


# Failures that pass


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_to_failures_of_every_kind(sender: Sender, seed: int) -> None:
    """500, 503, 504 after all, 429, hung up before and after reading, cut and foreign answers, in any order."""
    put_out(sender, *five_batches())
    sender.server.fail_randomly(0.5, seed)
    sent = sender.deliver(connections=3, max_attempts=50)
    assert sent.stopped_by is None
    assert_all_arrived(sender)
    assert sent.attempts == len(sender.server.requests) > 5
    assert sender.standing() == (75, 0, 0)


@pytest.mark.parametrize("fault", faults.EVERY_KIND, ids=repr)
def test_after_each_kind_of_failure_the_same_batch_is_sent_with_a_fresh_sent_at(
    sender: Sender, fault: faults.Fault
) -> None:
    put_out(sender, said(1), said(2))
    sender.server.misbehave(fault)
    sender.deliver()
    assert_all_arrived(sender)
    assert len(sender.server.requests) == 2
    assert sender.server.sent_ids[-1] == [id_of(1), id_of(2)]
    assert sender.server.sent_at[-1] == sender.time.now().replace(
        microsecond=sender.time.now().microsecond // 1000 * 1000
    )
    assert sender.time.seconds >= 0.5
    assert set(sender.server.duplicates) == (sender.lake.due_ids() if fault.keeps else set())


def test_an_outage_leaves_everything_waiting_with_its_reason_and_the_next_go_sends_it(sender: Sender) -> None:
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda number, _: number > 2, faults.Answer(503, body="down"))
    sent = sender.deliver(max_attempts=3)
    assert sent.stopped_by == "Segment answered 503: down"
    assert sender.standing() == (30, 45, 0)
    frame, *_ = sender.ledger.frames(DATES)
    waiting = frame[frame.status == "waiting"]
    assert sorted(waiting.attempts) == [0, 0, 3], "where one is given up, no other is tried"
    assert set(waiting.reason.dropna()) == {"Segment answered 503: down"}

    sender.server.behave()
    assert sender.deliver().stopped_by is None
    assert_all_arrived(sender)
    assert not sender.server.duplicates
    frame, *_ = sender.ledger.frames(DATES)
    assert sorted(frame.attempts) == [1, 1, 1, 1, 4]
    assert frame.reason.isna().all()


def test_a_server_that_is_not_there_leaves_everything_waiting(sender: Sender) -> None:
    put_out(sender, said(1))
    sender.server.__exit__()
    sent = sender.deliver(max_attempts=2)
    assert sent.stopped_by == "no answer from Segment (ConnectionError)"
    assert sender.standing() == (0, 1, 0)

    sender.server.__enter__()
    sender.deliver()
    assert_all_arrived(sender)


def test_a_batch_whose_answer_was_lost_is_sent_again_as_it_was(sender: Sender) -> None:
    """Segment has it; only the answer never came. The next go must use the ids of the first."""
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda number, _: number == 3, faults.CloseAfterReading())
    sent = sender.deliver(max_attempts=1)
    assert sent.stopped_by == "no answer from Segment (ConnectionError)"
    assert sender.server.sent_ids[2] == list(sender.lake.batches().values())[2]

    sender.deliver()
    assert_all_arrived(sender)
    assert sender.server.duplicates == dict.fromkeys(sender.server.sent_ids[2], 1)


# Failures that need a person


@pytest.mark.parametrize(
    ("answer", "check"),
    [
        (faults.Answer(401), "Check SEGMENT_WRITE_KEY and SEGMENT_REGION."),
        (faults.Answer(403), "Check SEGMENT_WRITE_KEY and SEGMENT_REGION."),
        (faults.Answer(404), "Check SEGMENT_ENDPOINT."),
        (faults.Answer(302, {"Location": "https://example.com/login"}), "Check SEGMENT_ENDPOINT."),
        (faults.Answer(308, {"Location": "/elsewhere"}), "Check SEGMENT_ENDPOINT."),
    ],
    ids=repr,
)
def test_a_refusal_stops_at_once_says_what_to_check_and_marks_nothing(
    sender: Sender, answer: faults.Answer, check: str
) -> None:
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda *_: True, answer)
    sent = sender.deliver()
    assert (sent.stopped_by or "").startswith(f"Segment answered {answer.status}")
    assert (sent.stopped_by or "").endswith(check)
    assert sender.standing() == (0, 75, 0)
    assert len(sender.server.requests) <= 2, "but for what was on its way, nothing more is tried"
    assert sender.time.slept == []

    sender.server.behave()
    sender.deliver()
    assert_all_arrived(sender)


def test_a_refusal_in_the_middle_keeps_what_was_delivered(sender: Sender) -> None:
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda number, _: number >= 3, faults.Answer(401))
    sent = sender.deliver()
    assert sent.batches == 2
    assert sender.standing() == (30, 45, 0)


# Killed


def dying_in_request(number: int, send: Send) -> Send:
    """A sending that ends its process at the start of the n-th request."""
    requests = itertools.count(1)

    def dying(messages: str, events: int) -> Answer:
        if next(requests) >= number:
            raise Killed
        return send(messages, events)

    return dying


@pytest.mark.parametrize("request_number", [1, 3, 5])
@pytest.mark.parametrize("connections", [1, 2])
def test_after_a_kill_the_next_go_delivers_the_rest(sender: Sender, request_number: int, connections: int) -> None:
    put_out(sender, *five_batches())
    with pytest.raises(Killed):
        sender.deliver(send=dying_in_request(request_number, sender.client().send), connections=connections)

    delivered, waiting, dead = sender.standing()
    assert (delivered + waiting, dead) == (75, 0)
    assert delivered <= len(sender.server.received_ids), "nothing is marked that Segment does not have"
    still_due = {batch.batch_id for batch in sender.ledger.waiting("email_opened", DATES)}
    unmarked = {
        batch_id
        for batch_id, ids in sender.lake.batches().items()
        if batch_id in still_due and set(ids) <= sender.server.received_ids
    }

    sender.deliver(connections=connections)
    assert_all_arrived(sender)
    assert sender.duplicated_batches() == unmarked
    assert len(unmarked) <= 2 * connections, "only what was in flight is sent twice"


def test_a_settled_batch_is_in_the_ledger_at_once(sender: Sender) -> None:
    """One request runs and one waits behind it: when the n-th runs, all before the last but one are written down."""
    put_out(sender, *five_batches())
    real_send, requests = sender.client().send, itertools.count(1)
    behind: list[int] = []

    def send(messages: str, events: int) -> Answer:
        behind.append(next(requests) - 1 - sender.standing()[0] // A_BATCH)
        return real_send(messages, events)

    sender.deliver(send=send)
    assert len(behind) == 5
    assert max(behind) <= 1


def test_what_is_on_its_way_is_noted_before_it_is_sent(sender: Sender, tmp_path: Path) -> None:
    """After a kill somebody must be able to tell which batches Segment may have, and since when."""
    put_out(sender, said(1))
    seen: list[object] = []

    def send(_messages: str, _events: int) -> Answer:
        seen.extend(first_attempts(tmp_path))
        raise Killed

    assert first_attempts(tmp_path) == [None]
    with pytest.raises(Killed):
        sender.deliver(send=send)
    assert seen == first_attempts(tmp_path) == [f"{sender.time.now():%Y-%m-%d %H:%M:%S.%f}"]


def first_attempts(folder: Path) -> list[object]:
    with sqlite3.connect(folder / "ledger.sqlite") as connection:
        return [moment for (moment,) in connection.execute("SELECT first_attempt_at FROM batches")]


KILLED_BY_THE_SYSTEM = """
import itertools, os, signal, sys
from pathlib import Path

from pipeline.segment.delivery import deliver
from pipeline.segment.ledger import Ledger
from pipeline.warehouse import Warehouse
from tests.segment.lake import DATES
from tests.segment.sending import FakeTime, client_for

folder, url, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
time, requests = FakeTime(), itertools.count(1)
client = client_for(url, time)

def send(messages, events):
    answer = client.send(messages, events)
    if next(requests) == last:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

warehouse = Warehouse(f"ducklake:sqlite:{folder}/lake/warehouse.sqlite", f"{folder}/lake/files/")
with warehouse.reading() as connection:
    deliver(connection, Ledger(f"sqlite:///{folder}/ledger.sqlite"), send, "email_opened", DATES, 1, time.now)
"""


def test_kill_9_between_segments_answer_and_the_ledger_loses_nothing(lake_sender: Sender, tmp_path: Path) -> None:
    sender = lake_sender
    put_out(sender, *five_batches())
    command = [sys.executable, "-c", KILLED_BY_THE_SYSTEM, str(tmp_path), sender.server.url, "3"]
    killed = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(sender.server.requests) == 3
    assert sender.standing()[0] in (15, 30), "the third was never written down"

    sender.deliver()
    assert_all_arrived(sender)
    assert sender.server.sent_ids[2][0] in sender.server.duplicates
    assert len(sender.duplicated_batches()) <= 2


def test_the_whole_way_may_be_cut_off_at_every_step(sender: Sender) -> None:
    """Cut but not entered, entered but not sent, sent in part: each time somebody starts again from the beginning."""
    sender.lake.stage(*one_of_each(), *(said(number) for number in range(100, 100 + 3 * A_BATCH)))
    for number in range(1, 5):
        sender.lake.put_out(sender.ledger)
        for table in TABLES.values():
            try:
                sender.deliver(table, send=dying_in_request(number, sender.client().send))
            except Killed:
                break
    sender.lake.put_out(sender.ledger)
    sender.deliver_all()
    assert_all_arrived(sender)
    assert len(sender.lake.batches()) == 5 + 4
