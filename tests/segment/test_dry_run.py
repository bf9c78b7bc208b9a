"""Without a write key the exact requests are written out, and nothing else happens."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from pipeline.export_dates import ExportDates
from pipeline.ledger import DeadEvent, Ledger, Settled
from pipeline.segment.dry_run import delete_requests, write_requests
from pipeline.segment.enqueue import register
from tests.support.modelled_tables import DATES, DAY, NOW, TABLES, Lake, day, event_row, id_of, large, one_of_each
from tests.support.sending import FakeTime, Sender


def dry_run(sender: Sender, folder: Path, event: str = "email_opened", dates: ExportDates = DATES) -> int:
    return write_requests(sender.lake.reader, sender.ledger, folder, event, dates, sender.time.now)


def written(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_bodies_are_those_that_a_delivery_would_send(lake_sender: Sender, tmp_path: Path) -> None:
    sender, folder = lake_sender, tmp_path / "dry_run"
    sender.lake.stage(*one_of_each(), *(large(number) for number in range(100, 140)), event_row(99, user_id=None))
    sender.lake.put_out(sender.ledger)
    standings = sender.ledger.standings()

    count = sum(dry_run(sender, folder, table) for table in TABLES.values())
    assert sender.server.requests == []
    assert sender.ledger.standings() == standings
    assert {standing.delivered for standing in standings} == {0}

    sender.deliver_all()
    assert sorted(written(folder).values()) == sorted(sender.server.bodies)
    assert count == len(sender.server.bodies) == len(sender.lake.batches())


def test_the_files_lie_by_date_and_event_and_in_order(sender: Sender, tmp_path: Path) -> None:
    sender.lake.stage(*(large(number) for number in range(40)), event_row(99, export_date=f"{day(1).first}"))
    both = ExportDates(DAY, day(1).first)
    sender.lake.put_out(sender.ledger, both)
    assert dry_run(sender, tmp_path, dates=both) == 4
    paths = sorted(path for path in written(tmp_path) if path.suffix == ".json")
    assert [str(path.parent) for path in paths] == ["2026-03-02/email_opened"] * 3 + ["2026-03-03/email_opened"]
    ids = [[message["messageId"] for message in json.loads((tmp_path / path).read_bytes())["batch"]] for path in paths]
    assert ids == list(sender.lake.batches().values())


def test_what_does_not_wait_any_more_does_not_stay(sender: Sender, tmp_path: Path) -> None:
    """Of the first batch an event dies, of the second all, the third is delivered: what lies there is what waits."""
    folder = tmp_path / "dry_run"
    sender.lake.stage(*(large(number) for number in range(40)), event_row(50, export_date=f"{day(1).first}"))
    both = ExportDates(DAY, day(1).first)
    sender.lake.put_out(sender.ledger, both)
    assert dry_run(sender, folder, dates=both) == 4
    first, second, third, _ = sender.ledger.waiting("email_opened", both)
    ids = sender.lake.batches()
    dead = [(ids[first.batch_id][0], first), *((key, second) for key in ids[second.batch_id])]
    sender.ledger.withdraw([DeadEvent(key, "email_opened", DAY, of.batch_id, "gone") for key, of in dead], NOW)
    sender.ledger.settle([Settled(third, delivered=True, attempts=1)], NOW)

    assert dry_run(sender, folder, dates=both) == 0
    lying = [json.loads(body)["batch"] for _, body in sorted(written(folder).items())]
    assert [[message["messageId"] for message in batch] for batch in lying] == [ids[first.batch_id][1:], [id_of(50)]]

    delete_requests(folder, "email_opened", DATES)
    assert [path.parts[0] for path in written(folder)] == [f"{day(1).first}"]


def test_the_second_dry_run_writes_nothing(sender: Sender, tmp_path: Path) -> None:
    folder = tmp_path / "dry_run"
    sender.lake.stage(*(large(number) for number in range(40)))
    sender.lake.put_out(sender.ledger)
    assert dry_run(sender, folder) == 3
    before = written(folder)

    sender.time.seconds += 3_600
    assert dry_run(sender, folder) == 0
    assert written(folder) == before


def test_only_what_is_new_is_written(sender: Sender, tmp_path: Path) -> None:
    folder = tmp_path / "dry_run"
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    dry_run(sender, folder)
    before = written(folder)
    sender.lake.stage(event_row(2))
    sender.lake.put_out(sender.ledger)
    assert dry_run(sender, folder) == 1
    assert before.items() < written(folder).items()


def test_a_dry_run_that_was_cut_off_leaves_no_half_body_behind(sender: Sender, tmp_path: Path) -> None:
    """The next one writes what is missing; the clock that breaks stands for a kill between two files."""
    folder = tmp_path / "dry_run"
    sender.lake.stage(*(large(number) for number in range(40)))
    sender.lake.put_out(sender.ledger)
    moments = [NOW]
    with pytest.raises(IndexError):
        write_requests(sender.lake.reader, sender.ledger, folder, "email_opened", DATES, moments.pop)
    assert len(list(folder.rglob("*.json"))) == 1

    assert dry_run(sender, folder) == 2
    assert [path.suffix for path in written(folder)] == [".json"] * 3


def test_what_was_delivered_is_not_written_out(sender: Sender, tmp_path: Path) -> None:
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    sender.deliver()
    assert dry_run(sender, tmp_path / "dry_run") == 0


def test_a_withdrawn_event_is_not_in_the_body(plain: Lake, ledger: Ledger, time: FakeTime, tmp_path: Path) -> None:
    plain.stage(event_row(1), event_row(2))
    plain.put_out(ledger)
    plain.withdraw_events(1)
    register(plain.connection, ledger, DATES, NOW)
    write_requests(plain.reader, ledger, tmp_path / "dry_run", "email_opened", DATES, time.now)
    (body,) = written(tmp_path / "dry_run").values()
    assert [message["messageId"] for message in json.loads(body)["batch"]] == [id_of(2)]


def test_a_batch_without_events_left_is_no_request(sender: Sender, tmp_path: Path) -> None:
    """A delivery would send nothing for it; Segment drops an empty batch: `empty_batch`."""
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    sender.lake.withdraw_events(1)
    register(sender.lake.connection, sender.ledger, DATES, NOW + timedelta(hours=1))
    assert dry_run(sender, tmp_path / "dry_run") == 0
    assert written(tmp_path / "dry_run") == {}
