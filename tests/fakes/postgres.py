"""PostgreSQL as the system has it, with a cluster of its own and a password."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import sqlalchemy as sa
from tenacity import Retrying, stop_after_attempt

PASSWORD = "pg-hunter2"
_USER = "zoe"


@dataclass(frozen=True)
class Postgres:
    """A server that listens on loopback."""

    port: int
    restart: Callable[[], None] = field(default=lambda: None, compare=False, repr=False)

    def dsn(self, database: str, password: str = PASSWORD) -> str:
        """As libpq and DuckDB have it."""
        return f"host=127.0.0.1 port={self.port} dbname={database} user={_USER} password={password}"

    def url(self, database: str, password: str = PASSWORD) -> str:
        """As SQLAlchemy has it."""
        return f"postgresql://{_USER}:{password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, template: str | None = None) -> str:
        """A new database, empty or a copy of another one without connections; its name."""
        engine = sa.create_engine(
            sa.make_url(self.url("postgres")).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT"
        )
        with engine.connect() as connection:
            copied = f' TEMPLATE "{template}"' if template else ""
            connection.execute(sa.text(f'CREATE DATABASE "{database}"{copied}'))
        engine.dispose()
        return database


def end_connections(dsn: str, *, with_locks: bool = False) -> None:
    """End the connections of others to a database, as a restart of its server does; or those that hold its locks."""
    has_lock = "pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted)" if with_locks else "true"
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            f"WHERE datname = current_database() AND pid <> pg_backend_pid() AND {has_lock}"
        )


def binaries() -> Path | None:
    """Where `initdb` and `pg_ctl` are; Debian keeps them out of PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).parent
    return max((path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A cluster for the block; it does not run as root, so root runs it as another user."""
    programs = binaries()
    assert programs is not None
    user = "nobody" if os.geteuid() == 0 else None
    with TemporaryDirectory(prefix="postgres_") as name:
        folder = Path(name)
        (folder / "password").write_text(PASSWORD)
        if user:
            for path in (folder, folder / "password"):
                shutil.chown(path, user)

        def call(program: str, *arguments: str) -> None:
            subprocess.run(
                [programs / program, *arguments],
                user=user,
                cwd=folder,
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

        data = str(folder / "data")
        call(
            *("initdb", "--pgdata", data, "--username", _USER, "--pwfile", str(folder / "password")),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"),
        )
        # Another process may take the port before the server does.
        for attempt in Retrying(stop=stop_after_attempt(3), reraise=True):
            with attempt:
                with socket.create_server(("127.0.0.1", 0)) as free:
                    port = free.getsockname()[1]
                options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
                call("pg_ctl", "--pgdata", data, "--log", str(folder / "log"), "--wait", "--options", options, "start")
        try:
            yield Postgres(port, lambda: call("pg_ctl", "--pgdata", data, "--wait", "--mode", "fast", "restart"))
        finally:
            call("pg_ctl", "--pgdata", data, "--wait", "--mode", "immediate", "stop")
