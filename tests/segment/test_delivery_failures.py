"""Nothing is dropped when Segment fails: what can't be sent now is still waiting."""

import pytest

from pipeline.http.errors import host_of
from tests.fakes import segment_faults as faults
from tests.support.batches import assert_all_arrived, five_batches, put_out
from tests.support.modelled_tables import DATES, event_row, id_of
from tests.support.sending import Sender, client_for

pytestmark = pytest.mark.usefixtures("small_batches")

# Failures that pass


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_to_failures_of_every_kind(sender: Sender, seed: int) -> None:
    """500, 503, 504 after all, 429, hung up before and after reading; cut, foreign and endless answers."""
    put_out(sender, *five_batches())
    sender.server.fail_randomly(0.5, seed, (*faults.EVERY_KIND, *faults.WITHOUT_END, faults.EarlyHints()))
    sent = sender.deliver(connections=3, max_attempts=50)
    assert sent.stopped_by is None
    assert_all_arrived(sender)
    assert sent.attempts == len(sender.server.requests) > 5
    assert sent.dead == 0
    assert sender.standing() == (75, 0, 0)


@pytest.mark.parametrize("fault", [*faults.EVERY_KIND, *faults.WITHOUT_END, *faults.DRIPS], ids=repr)
def test_after_each_kind_of_failure_the_same_batch_is_sent_with_a_fresh_sent_at(
    sender: Sender, fault: faults.Fault
) -> None:
    put_out(sender, event_row(1), event_row(2))
    sender.server.misbehave(fault)
    impatient = client_for(sender.server.url, sender.time, exchange_seconds=0.5)
    sender.deliver(send=impatient.send)
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
    assert sent.stopped_by == f"{host_of(sender.server.url)} answered 503: down"
    assert sender.standing() == (30, 45, 0)
    frame = sender.ledger.frames(DATES)["delivery.batches"]
    waiting = frame[frame.status == "waiting"]
    assert sorted(waiting.attempts) == [0, 0, 3], "where one is given up, no other is tried"
    assert set(waiting.reason.dropna()) == {f"{host_of(sender.server.url)} answered 503: down"}

    sender.server.behave()
    assert sender.deliver().stopped_by is None
    assert_all_arrived(sender)
    assert not sender.server.duplicates
    frame = sender.ledger.frames(DATES)["delivery.batches"]
    assert sorted(frame.attempts) == [1, 1, 1, 1, 4]
    assert frame.reason.isna().all()


def test_a_server_that_is_not_there_leaves_everything_waiting(sender: Sender) -> None:
    put_out(sender, event_row(1))
    sender.server.__exit__()
    sent = sender.deliver(max_attempts=2)
    assert sent.stopped_by == f"no answer from {host_of(sender.server.url)}: Connection refused"
    assert sender.standing() == (0, 1, 0)

    sender.server.__enter__()
    sender.deliver()
    assert_all_arrived(sender)


def test_a_batch_whose_answer_was_lost_is_sent_again_as_it_was(sender: Sender) -> None:
    """Segment has it; only the answer never came. The next go must use the ids of the first."""
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda number, _: number == 3, faults.CloseAfterReading())
    sent = sender.deliver(max_attempts=1)
    assert sent.stopped_by == f"no answer from {host_of(sender.server.url)}: the connection was closed"
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
def test_a_refusal_stops_at_once_with_what_to_check_and_marks_nothing(
    sender: Sender, answer: faults.Answer, check: str
) -> None:
    put_out(sender, *five_batches())
    sender.server.misbehave_when(lambda *_: True, answer)
    sent = sender.deliver()
    assert (sent.stopped_by or "").startswith(f"Segment answered {answer.status}: ")
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
