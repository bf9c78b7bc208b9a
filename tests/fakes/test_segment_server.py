"""The server runs: for several senders at once, through an outage, as a program; and what it counts is right."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests

from tests.fakes.posting import JSON, LOST, NOW, OMIT, batch_of, envelope, event, post, send
from tests.fakes.segment_faults import Answer, CloseAfterReading
from tests.fakes.segment_server import SegmentServer


def test_a_sender_that_hangs_up_in_the_middle_of_its_body_has_sent_nothing(server: SegmentServer) -> None:
    body = envelope([event()])
    port = int(server.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"POST /v1/batch HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[:-5])
    server.wait_for_requests(1)
    assert server.requests[0].refused_because == "the sender hung up before the end of its body"
    assert not server.received_ids
    assert send(server, event()).status_code == 200


def test_one_connection_serves_many_requests_refused_ones_among_them(server: SegmentServer) -> None:
    with requests.Session() as session:
        session.trust_env = False
        statuses = [
            session.post(f"{server.url}/v1/batch", body, headers=JSON, auth=("test-key", ""), timeout=30).status_code
            for body in (envelope([event("a")]), b"not JSON", batch_of(500_001), envelope([event("b")]))
        ]
    assert statuses == [200, 400, 400, 200]
    assert server.received_ids == {"a", "b"}


def test_it_stops_while_a_sender_keeps_its_connection_for_later() -> None:
    with requests.Session() as session:
        session.trust_env = False
        with SegmentServer(clock=lambda: NOW) as server:
            session.post(f"{server.url}/v1/batch", envelope([event()]), headers=JSON, timeout=30)
        with pytest.raises(requests.ConnectionError):
            session.post(f"{server.url}/v1/batch", envelope([event()]), headers=JSON, timeout=30)
    assert len(server.requests) == 1


def test_many_senders_at_once_are_all_counted_while_others_look(server: SegmentServer) -> None:
    def sender(name: int) -> None:
        for number in range(10):
            send(server, event(f"{name}-{number}"), event("shared"))
            assert len(server.messages) <= len(server.received_ids)

    threads = [threading.Thread(target=sender, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.requests) == 80
    assert len(server.received_ids) == 81
    assert server.duplicates == {"shared": 79}
    assert sorted(record.number for record in server.requests) == list(range(1, 81))


def test_what_it_hands_out_is_a_copy(server: SegmentServer) -> None:
    server.received_ids.add("never sent")
    server.messages["never sent"] = event()
    server.requests.clear()
    server.dropped["nothing"] += 1
    assert not server.received_ids
    assert not server.messages
    assert not server.dropped


def test_after_an_outage_it_is_back_at_the_same_address_with_what_it_had() -> None:
    server = SegmentServer(clock=lambda: NOW)
    with server:
        address = server.url
        send(server, event("before"))
    with pytest.raises(requests.ConnectionError):
        send(server, event("meanwhile"))
    with server:
        assert server.url == address
        send(server, event("after"))
    assert server.received_ids == {"before", "after"}


def test_waiting_for_requests_that_do_not_come_fails(server: SegmentServer) -> None:
    with pytest.raises(TimeoutError, match="0 of 1 requests"):
        server.wait_for_requests(1, timeout=0)


def test_without_messages_it_still_knows_what_it_got() -> None:
    with SegmentServer(keep_messages=False, clock=lambda: NOW) as server:
        send(server, event("id-1"), event("id-1"), event("id-2", event=OMIT))
        assert server.received_ids == {"id-1"}
        assert (server.duplicates, server.dropped) == ({"id-1": 1}, {"event_not_defined": 1})
        assert not server.messages
        assert not server.dropped_messages


def test_counting_only_looks_at_nothing_but_can_still_fail() -> None:
    with SegmentServer(counting_only=True) as server:
        server.misbehave(Answer(503))
        answers = [post(server, b"anything", auth=None) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503, 200, 200]
        assert answers[1].json() == {"success": True}
        assert [(record.bytes, record.events) for record in server.requests] == [(8, None)] * 3
        assert not server.received_ids
        assert not server.dropped


def test_what_a_killed_sender_had_sent_is_recorded_once_the_server_is_idle(server: SegmentServer) -> None:
    port = int(server.url.rpartition(":")[2])
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(b"POST /v1/batch HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}")
    server.wait_until_idle()
    assert len(server.requests) == 20


def test_the_clock_can_move() -> None:
    now = [NOW]
    with SegmentServer(clock=lambda: now[0]) as server:
        send(server, event("in time"))
        now[0] += timedelta(minutes=6)
        send(server, event("sent again with the old sentAt"))
        assert server.received_ids == {"in time"}
        assert server.dropped == {"stale_sent_at": 1}
        assert [record.time for record in server.requests] == [NOW, NOW + timedelta(minutes=6)]


def test_the_summary_is_numbers(server: SegmentServer) -> None:
    server.misbehave(Answer(503), CloseAfterReading())
    send(server, event("id-1"))
    with pytest.raises(LOST):
        send(server, event("id-1"))
    send(server, event("id-1"), event("id-2"), event("id-3", event=OMIT))
    summary = server.summary()
    assert summary.pop("bytes") == sum(record.bytes for record in server.requests)
    assert summary == {
        "received": 2,
        "duplicates": 1,
        "dropped": {"event_not_defined": 1},
        "requests": {"503": 1, "no answer": 1, "200": 1},
    }


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_it_runs_as_a_program_and_sums_up_when_stopped(stop: signal.Signals) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.fakes.segment_server",
        "--port",
        "0",
        "--write-key",
        "k",
        "--region",
        "eu",
    ]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as program:
        assert program.stdout is not None
        address = program.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", address)
        with requests.Session() as session:
            session.trust_env = False
            body = envelope([event("a"), event("a"), event("b", event=OMIT)], datetime.now(UTC).isoformat())
            answer = session.post(f"{address}/v1/batch", body, headers=JSON, auth=("k", ""), timeout=30)
        assert answer.status_code == 200
        program.send_signal(stop)
        summary, _ = program.communicate(timeout=30)
    assert program.returncode == 0
    assert json.loads(summary) == {
        "received": 1,
        "duplicates": 1,
        "dropped": {"event_not_defined": 1},
        "requests": {"200": 1},
        "bytes": len(body),
    }
