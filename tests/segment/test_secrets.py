"""The write key goes to Segment and nowhere else, whatever goes wrong."""

import base64
import logging
import traceback
from pathlib import Path

import pandas as pd
import pytest

from pipeline.ledger import Ledger
from pipeline.ledger.warehouse_copy import mirror
from pipeline.segment import cut_rules
from pipeline.segment.dry_run import write_requests
from pipeline.warehouse import Warehouse
from tests.fakes import segment_faults as faults
from tests.support.delivery_fixtures import opened
from tests.support.modelled_tables import DATES, event_row, id_of
from tests.support.sending import KEY, FakeTime, RecordingServer, Sender, client_for

ENCODED = base64.b64encode(f"{KEY}:".encode()).decode()
REFUSALS = [faults.Answer(status) for status in (302, 307, 401, 403, 404, 501)]
PASSING = [faults.Answer(400), faults.Answer(413), *faults.EVERY_KIND, faults.RejectMessage(id_of(4))]


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_rules, "MAX_BATCH_EVENTS", 3)


@pytest.fixture(autouse=True)
def everything_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("pipeline", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, name)


def assert_appears_nowhere(folder: Path, caplog: pytest.LogCaptureFixture, *texts: object) -> None:
    shown = [text.to_csv() if isinstance(text, pd.DataFrame) else str(text) for text in texts]
    shown += [f"{record.getMessage()} {record.__dict__}" for record in caplog.records]
    for text in shown:
        assert KEY not in text
        assert ENCODED not in text
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert KEY.encode() not in content, path.name
            assert ENCODED.encode() not in content, path.name


def rows_of(warehouse: Warehouse) -> list[object]:
    with warehouse.reading() as connection:
        return [
            connection.execute(f"FROM delivery.{table}").fetchall()
            for table in ("outbox", "batches", "dead_events", "events")
        ]


def test_no_kind_of_failure_reveals_the_write_key(
    warehouse: Warehouse,
    ledger: Ledger,
    server: RecordingServer,
    time: FakeTime,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    shown: list[object] = []
    with opened(warehouse) as lake:
        sender = Sender(lake, ledger, server, time)
        lake.stage(*(event_row(number) for number in range(90)))
        lake.put_out(ledger)
        shown.append(write_requests(lake.reader, ledger, tmp_path / "dry_run", "email_opened", DATES))
        for fault in [*REFUSALS, *PASSING]:
            server.misbehave(fault)
            shown += [sender.deliver(max_attempts=1), *ledger.frames(DATES).values()]
        shown.append(client_for("http://127.0.0.1:1", time).send(b"{}", 1))
    mirror(warehouse, ledger, DATES)
    shown += [*ledger.frames(DATES).values(), ledger.standings(), rows_of(warehouse)]

    assert any("401" in str(text) for text in shown)
    assert caplog.records
    assert_appears_nowhere(tmp_path, caplog, *shown)


ECHO = f'{{"success": false, "message": "unknown write key {KEY}"}} <pre>Authorization: Basic {ENCODED}</pre>'


@pytest.mark.parametrize("status", [200, 400, 401, 404, 413, 503])
def test_an_answer_that_repeats_the_write_key_is_not_repeated(
    sender: Sender, tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    """Proxies show what they were sent on their error pages; a reason goes to the ledger, the UI and the report."""
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    sender.server.misbehave(faults.Answer(status, body=ECHO, kept=False))
    sent = sender.deliver(max_attempts=1)
    assert sender.standing()[0] == 0
    assert_appears_nowhere(tmp_path, caplog, sent, *sender.ledger.frames(DATES).values())


@pytest.mark.parametrize(
    "endpoint", ["http://127.0.0.1:1", "http://a host", "http://127.0.0.1:99999", "gopher://x", "http://"]
)
def test_an_endpoint_that_cannot_be_reached_reveals_nothing(
    endpoint: str, time: FakeTime, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_for(endpoint, time, max_attempts=1)
    answer = client.send(b'{"messageId":"1"}', 1)
    assert_appears_nowhere(tmp_path, caplog, answer, client, vars(answer.verdict))


def test_a_write_key_that_no_header_can_carry_is_not_revealed(
    sender: Sender, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Copied from a web page with an invisible character in it."""
    sender.lake.stage(event_row(1))
    sender.lake.put_out(sender.ledger)
    client = client_for(sender.server.url, sender.time, write_key=f"{KEY}\u200b")
    shown: list[object] = []
    try:
        shown.append(sender.deliver(send=client.send))
    except Exception as error:
        shown += [error, "".join(traceback.format_exception(error))]
    assert_appears_nowhere(tmp_path, caplog, *shown)


def test_the_representation_of_a_client_does_not_show_its_write_key(time: FakeTime) -> None:
    assert KEY not in repr(client_for("http://127.0.0.1:1", time))
