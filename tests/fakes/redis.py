"""Redis as the system has it, which keeps nothing on the disk."""

import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

PROGRAM = "redis-server"


def is_installed() -> bool:
    """Whether the system has it."""
    return shutil.which(PROGRAM) is not None


@contextmanager
def redis_server() -> Iterator[str]:
    """A server for the block; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ("--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
    with subprocess.Popen([PROGRAM, *options], stdout=subprocess.DEVNULL) as process:
        try:
            for attempt in Retrying(
                stop=stop_after_delay(30),
                wait=wait_fixed(0.1),
                retry=retry_if_exception_type(OSError),
                reraise=True,
            ):
                with attempt, socket.create_connection(("127.0.0.1", port), timeout=1):
                    pass
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
