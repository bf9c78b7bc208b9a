"""A server on loopback that answers each request with bytes as they stand, however wrong, or for ever."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = bytes | Callable[[socket.socket, threading.Event], None]


class RawServer:
    """Its URL, and how many connections were made to it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.connections = 0


@contextmanager
def answering(answer: Answer) -> Iterator[RawServer]:
    """Bytes, or a function that sends what it likes until the event is set, for each request of any connection."""
    stopped = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = RawServer(f"http://127.0.0.1:{listener.getsockname()[1]}")

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                server.connections += 1
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

        def serve(connection: socket.socket) -> None:
            with connection:
                try:
                    while _request(connection):
                        if callable(answer):
                            answer(connection, stopped)
                            return
                        connection.sendall(answer)
                        if b"ontent-Length" not in answer and b"chunked" not in answer:
                            return
                except OSError:  # the other side hung up
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield server
        stopped.set()
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


def _request(connection: socket.socket) -> bool:
    """Read one request without a body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        received = connection.recv(65536)
        if not received:
            return False
        head += received
    return True
