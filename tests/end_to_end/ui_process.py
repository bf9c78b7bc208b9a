"""Dagster's UI as a process: started by a command, stopped as Ctrl+C stops it."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

_SECONDS_TO_STOP = 120


@contextmanager
def running_ui(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Where it answers; on a port that is free. What it says is in `ui.log` of the folder."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url, log = f"http://127.0.0.1:{port}", folder / "ui.log"
    with log.open("w") as output:
        started = subprocess.Popen(
            [*command, "--port", str(port)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        assert _answers(f"{url}/server_info"), log.read_text()
        yield url
        os.killpg(started.pid, signal.SIGINT)
        assert started.wait(_SECONDS_TO_STOP) == 0, log.read_text()
    finally:
        if started.poll() is None:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()


def _answers(url: str) -> bool:
    """Whether a server answers, sooner or later."""
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=Retry(200, backoff_factor=0.1, backoff_max=1)))
        try:
            return "dagster_webserver_version" in session.get(url, timeout=30).json()
        except requests.RequestException:
            return False
