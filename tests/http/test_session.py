"""An exchange ends whatever the server sends, and reads a limited part of the answer."""

import gzip
import itertools
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.http.errors import NoReply, host_of
from pipeline.http.session import BoundedSession, Reply
from tests.fakes.raw_http import answering

BODY = b'{"success":true}'
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + BODY
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + BODY + b"\r\n0\r\n\r\n"
SECONDS = 0.3
PROXY_VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")

Endless = Callable[[socket.socket, threading.Event], None]


@pytest.fixture(autouse=True)
def an_environment_without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def ask(url: str, seconds: float = SECONDS) -> Reply | NoReply:
    with BoundedSession(seconds=seconds) as session:
        return session.exchange("GET", url)


def drip(head: bytes, drops: bytes, pause: float = 0.05) -> Endless:
    """A head at once, and then a byte at a time, for ever."""

    def send(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(head)
        for drop in itertools.cycle(drops):
            connection.sendall(bytes([drop]))
            if stopped.wait(pause):
                return

    return send


def pour(head: bytes, more: bytes) -> Endless:
    """A head, and then as much as the connection takes, for ever."""

    def send(connection: socket.socket, stopped: threading.Event) -> None:
        connection.sendall(head)
        while not stopped.is_set():
            connection.sendall(more * 1000)

    return send


# What is an answer


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        CHUNKED,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK,
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + OK,
        b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + CHUNKED,
    ],
    ids=["length", "chunks", "continue", "early hints", "processing"],
)
def test_the_answer_is_the_final_one_and_its_connection_serves_the_next_request(answer: bytes) -> None:
    """Taken for the answer, a 103 would leave the true one to the next request on the connection."""
    with answering(answer) as server, BoundedSession(seconds=10) as session:
        replies = [session.exchange("GET", server.url) for _ in range(3)]
        assert [(reply.status, reply.body) for reply in replies if isinstance(reply, Reply)] == [(200, BODY)] * 3
        assert server.connections == 1


def test_an_answer_that_ends_with_its_connection_is_whole() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\n" + BODY) as server:
        reply = ask(server.url)
    assert isinstance(reply, Reply)
    assert reply.json() == {"success": True}


@pytest.mark.parametrize("body", [b"[" * 60_000, b'{"a":' * 10_000, b"9" * 6_000, b"\xff\xfe", b"", b"<p>"])
def test_what_json_cannot_be_read_from_is_no_json(body: bytes) -> None:
    assert Reply(200, {}, body, "segment.example").json() is None


# What has no end


@pytest.mark.parametrize(
    "answer",
    [
        pour(b"HTTP/1.1 404 Not Found\r\n\r\n", b"x"),
        pour(b"HTTP/1.1 404 Not Found\r\nContent-Length: 99999999999\r\n\r\n", b"x"),
        pour(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        pour(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x"),
        pour(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"a: b\r\n"),
        pour(b"HTTP/1.1 404 Not Found\r\nContent-Encoding: gzip\r\n\r\n", gzip.compress(b"x" * 1_000_000)),
    ],
    ids=["body", "length", "chunks", "extension", "trailers", "packed"],
)
def test_an_answer_without_end_is_cut_and_its_status_counts(answer: Endless) -> None:
    with answering(answer) as server:
        reply = ask(server.url, seconds=30)
    assert isinstance(reply, Reply)
    assert reply.status == 404
    assert len(reply.body) <= 64_000


@pytest.mark.parametrize("status", [301, 302, 308])
def test_a_redirect_without_end_to_an_address_that_is_none_is_cut(status: int) -> None:
    with answering(pour(b"HTTP/1.1 %d Moved\r\nLocation: http://[::1\r\n\r\n" % status, b"x")) as server:
        reply = ask(server.url, seconds=30)
    assert isinstance(reply, Reply)
    assert reply.status == status


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (pour(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "it had not begun after 64 kB"),
        (pour(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "it had not begun after 64 kB"),
        (pour(b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"), "the response is not complete HTTP"),
        (pour(b"HTTP/1.1 200 OK\r\na: ", b"b"), "it had not begun after 64 kB"),
        (b"\x00\xff\x00\r\n\r\n", "the response is not complete HTTP"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the response is not complete HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nx", "the response is not complete HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n{", None),
        (b"", "the connection was closed"),
    ],
    ids=["continue", "hints", "headers", "a header", "bytes", "ssh", "two lengths", "cut", "nothing"],
)
def test_what_is_no_http_answer_is_called_so(answer: bytes | Endless, words: str | None) -> None:
    with answering(answer) as server:
        reply = ask(server.url, seconds=2 if words is None else 30)
    expected = f"no answer from {host_of(server.url)}: {words}"
    if words is None:
        expected = f"no whole answer from {host_of(server.url)} within 2 seconds"
    assert reply == NoReply(expected)


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"", OK * 1000),
        drip(b"HTTP/1.1 200 OK\r\nX: ", b"x"),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b" "),
        drip(b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        drip(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.01),
        lambda _connection, stopped: stopped.wait(30),
    ],
    ids=["status", "header", "body", "chunks", "continue", "silence"],
)
def test_a_drip_holds_a_connection_no_longer_than_the_deadline(answer: Endless) -> None:
    started = time.monotonic()
    with answering(answer) as server:
        reply = ask(server.url)
        lasted = time.monotonic() - started
    assert reply == NoReply(f"no whole answer from {host_of(server.url)} within 0.3 seconds")
    assert SECONDS <= lasted < 10 * SECONDS


def test_a_server_that_does_not_read_holds_a_connection_no_longer_than_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener, BoundedSession(seconds=SECONDS) as session:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        reply = session.exchange("POST", url, data=b"x" * 20_000_000)
    assert isinstance(reply, NoReply)
    assert host_of(url) in reply.reason


def test_a_server_that_shakes_no_hands_holds_a_connection_no_longer_than_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        assert ask(url) == NoReply(f"no answer from {host_of(url)}: the connection timed out")


def test_a_cookie_is_not_kept() -> None:
    with answering(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n\r\n")) as server, BoundedSession() as session:
        session.exchange("GET", server.url)
        assert not session.cookies


# What can't even be tried


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://a host", "a host"),
        ("gopher://segment.example", "segment.example"),
        ("http://127.0.0.1:99999", "127.0.0.1:99999"),
        ("https://name:secret@" + "a" * 70 + ".example", "a" * 70 + ".example"),
        ("http://", "an address without a host"),
    ],
)
def test_an_address_that_is_none_is_called_so(url: str, host: str) -> None:
    assert ask(url) == NoReply(f"no request to {host} can be made: its address is not valid", permanent=True)


@pytest.mark.parametrize("value", ["key\nX-Other: 1", "key\u200b", " key"])
def test_a_key_that_no_header_can_carry_is_not_repeated(value: str) -> None:
    with answering(OK) as server, BoundedSession(seconds=10) as session:
        session.headers["Authorization"] = value
        reply = session.exchange("GET", server.url)
    expected = f"no request to {host_of(server.url)} can be made: its key or token is not valid in a header"
    assert reply == NoReply(expected, permanent=True)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_trusted_certificates_that_can_not_be_read_are_named(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing, wrong = tmp_path / "missing.pem", tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    for path, fault in (
        (missing, "No such file or directory"),
        (wrong, "it is not a file of certificates in PEM format"),
    ):
        monkeypatch.setenv(variable, str(path))
        expected = (
            f"no connection to segment.invalid: the trusted certificates in {path} can't be read ({fault}). "
            f"Check {variable}."
        )
        assert ask("https://segment.invalid") == NoReply(expected, permanent=True)


@pytest.mark.parametrize(
    ("proxy", "fault"),
    [
        ("http://", "it is not the URL of a proxy"),
        ("foo://name:secret@proxy.example", "it is not the URL of a proxy"),
        ("http://name:secret@proxy.example:port", "it is not the URL of a proxy"),
        ("http://[::1", "it is not the URL of a proxy"),
        ("http://" + "a" * 70, "it is not the URL of a proxy"),
        ("socks5://name:secret@proxy.example:1080", "SOCKS is not installed"),
    ],
)
def test_a_proxy_that_is_none_is_a_fault_of_its_setting(
    proxy: str, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    expected = f"no connection to segment.invalid: its proxy can't be used, {fault}. Check HTTPS_PROXY."
    assert ask("https://segment.invalid") == NoReply(expected, permanent=True)


def test_a_proxy_that_is_down_is_named_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://name:secret@127.0.0.1:1")
    assert ask("https://segment.invalid") == NoReply(
        "no answer from 127.0.0.1:1 (the proxy of all_proxy): Connection refused"
    )


@pytest.mark.parametrize(
    ("status", "permanent"), [(b"407 Proxy Authentication Required", True), (b"502 Bad Gateway", False)]
)
def test_a_proxy_that_opens_no_way_is_named_with_its_answer(
    status: bytes, permanent: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with answering(b"HTTP/1.1 " + status + b" for jan.peeters@example.com\r\n\r\n") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        reply = ask("https://segment.invalid", seconds=10)
    expected = (
        f"no connection to segment.invalid: {host_of(proxy.url)} (the proxy of HTTPS_PROXY) "
        f"answered {status.decode()} for j***@example.com"
    )
    assert reply == NoReply(expected, permanent)


def test_a_proxy_that_drips_holds_a_connection_no_longer_than_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(drip(b"HTTP/1.1 200 Connection established\r\n", b"x: y\r\n")) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        reply = ask("https://segment.invalid")
    assert isinstance(reply, NoReply)
    assert "0.3 seconds" in reply.reason


def test_this_machine_itself_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with answering(OK) as server:
        for host in ("127.0.0.1", "localhost"):
            reply = ask(server.url.replace("127.0.0.1", host), seconds=10)
            assert isinstance(reply, Reply)
