"""Several machines as processes, each with a home and a data folder of its own: a daemon, and workers that Dagster's
`CeleryRunLauncher` gives runs to, configured as `deploy/` does. They share a PostgreSQL server, Redis and S3, and
nothing else.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import yaml
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from pipeline.settings import PROJECT_ROOT
from tests.fakes.postgres import Postgres
from tests.fakes.s3 import S3

_BIN = Path(sys.executable).parent
_DEPLOYMENT = PROJECT_ROOT / "deploy"
_SECONDS_TO_STOP = 60


@dataclass
class Cluster:
    """The machines; `settings` are those of the pipeline, and `folder` has a folder for each machine."""

    folder: Path
    postgres: Postgres
    s3: S3
    redis: str
    settings: dict[str, str]
    workers: int = 2
    dagster_database: str = field(default_factory=lambda: f"dagster_{uuid4().hex}")
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.postgres.create(self.dagster_database)

    def environment(self, machine: str) -> dict[str, str]:
        """The variables of a machine, whose home gets its configuration."""
        folder = self.folder / machine
        home = folder / "dagster"
        home.mkdir(parents=True, exist_ok=True)
        (home / "dagster.yaml").write_text(yaml.safe_dump(self._instance), "utf-8")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        database = self.postgres.url(self.dagster_database).replace("postgresql:", "postgresql+psycopg2:")
        servers = {
            "DAGSTER_POSTGRES_URL": database,
            "CELERY_BROKER_URL": self.redis,
            "CELERY_RESULT_BACKEND": self.redis,
        }
        own = {"DAGSTER_HOME": str(home), "PIPELINE_DATA_DIR": str(folder), "PYTHONPATH": str(_DEPLOYMENT)}
        return {**inherited, **self.s3.environment, **servers, **self.settings, **own}

    @property
    def _instance(self) -> Mapping[str, object]:
        """The deployment's configuration, for this number of workers; one that was killed is noticed sooner."""
        instance: dict[str, Any] = yaml.safe_load((_DEPLOYMENT / "dagster.yaml").read_text("utf-8"))
        instance["concurrency"]["runs"]["max_concurrent_runs"] = self.workers
        instance["run_monitoring"]["poll_interval_seconds"] = 10
        return instance

    def start_worker(self, name: str) -> None:
        """A machine that executes one run at a time, and takes none from the queue before."""
        options = ("--queues", "dagster", "--concurrency", "1", "--hostname", f"{name}@localhost")
        self._start(name, "celery", "--app", "dagster_celery.app", "worker", *options)

    def start_daemon(self) -> None:
        """The machine with Dagster's daemon, which has its sensor on, and with the server of the code location."""
        workspace = self.folder / "workspace.yaml"
        if not workspace.exists():
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            server = {"host": "127.0.0.1", "port": port, "location_name": "selligent_to_segment"}
            workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": server}]}), "utf-8")
            listening = ("--host", "127.0.0.1", "--port", str(port))
            self._start("code", "dagster", "api", "grpc", *listening, "--module-name", "pipeline.definitions")
            for attempt in Retrying(stop=stop_after_delay(180), wait=wait_fixed(1), reraise=True):
                with attempt:
                    on = self._call("daemon", "dagster", "sensor", "start", "new_exports", "-w", str(workspace))
                    assert on.returncode == 0, on.stdout + on.stderr
        self._start("daemon", "dagster-daemon", "run", "-w", str(workspace))

    def kill(self, machine: str) -> None:
        """End every process of a machine without a warning."""
        process = self._running.pop(machine)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Stop all machines."""
        for process in self._running.values():
            process.terminate()
        for name, process in list(self._running.items()):
            try:
                process.wait(_SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                self.kill(name)
        self._running.clear()

    def restart_ended(self) -> None:
        """Start what has ended by itself again, as a service manager does."""
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                del self._running[name]
                assert name != "code", self.logs()
                self.start_daemon() if name == "daemon" else self.start_worker(name)

    def pipeline(self, *arguments: str, machine: str = "daemon") -> str:
        """What `python -m pipeline …` prints on a machine."""
        done = self._call(machine, "python", "-m", "pipeline", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def runs(self) -> list[tuple[str, str, float | None, float | None]]:
        """Each run's partition and status, and when it began and ended, in seconds, as Dagster recorded them."""
        query = "SELECT partition, status, start_time, end_time FROM runs ORDER BY id"
        for attempt in Retrying(
            stop=stop_after_delay(60), wait=wait_fixed(0.5), retry=retry_if_exception_type(psycopg.OperationalError)
        ):
            with attempt, psycopg.connect(self.postgres.dsn(self.dagster_database)) as connection:
                return connection.execute(query).fetchall()
        return []

    def logs(self) -> str:
        """The end of what each machine printed."""
        return "\n".join(f"{log.name}:\n{log.read_text()[-3000:]}" for log in sorted(self.folder.glob("*.log")))

    def _start(self, name: str, program: str, *arguments: str) -> None:
        with (self.folder / f"{name}.log").open("a") as output:
            self._running[name] = subprocess.Popen(
                [_BIN / program, *arguments],
                cwd=PROJECT_ROOT,
                env=self.environment(name),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _call(self, machine: str, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [_BIN / program, *arguments],
            cwd=PROJECT_ROOT,
            env=self.environment(machine),
            capture_output=True,
            text=True,
            check=False,
        )


@contextmanager
def stopping(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster, stopped at the end of the block."""
    with ExitStack() as stack:
        stack.callback(cluster.stop)
        yield cluster
