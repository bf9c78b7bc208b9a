"""A server on loopback that reads requests and responds as Segment does, so that only the sender is measured.

    python -m benchmarks.stub_server [SECONDS]

It prints its port. SECONDS is the delay of each response.
"""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_BODY = b'{"success":true}'
_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    + str(len(_BODY)).encode()
    + b"\r\n\r\n"
    + _BODY
)


class StubConnection(asyncio.Protocol):
    """One connection."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._head = b""
        self._missing: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport for the responses."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Read the headers, then as many bytes as they announce, then respond."""
        while data:
            if self._missing is None:
                self._head += data
                end = self._head.find(b"\r\n\r\n")
                if end < 0:
                    return
                found = _LENGTH.search(self._head)
                self._missing = int(found[1]) if found else 0
                data, self._head = self._head[end + 4 :], b""
            taken = min(len(data), self._missing)
            self._missing -= taken
            data = data[taken:]
            if self._missing == 0:
                self._missing = None
                asyncio.get_running_loop().call_later(self._seconds, self._transport.write, _RESPONSE)  # type: ignore[attr-defined]


@contextmanager
def serving(seconds: float = 0) -> Iterator[str]:
    """A server in a process of its own; its port."""
    command = [sys.executable, "-m", "benchmarks.stub_server", str(seconds)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
    finally:
        server.terminate()
        server.wait()


async def main(seconds: float) -> None:
    """Serve until the process ends."""
    server = await asyncio.get_running_loop().create_server(lambda: StubConnection(seconds), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0))
