"""An SFTP server on loopback, which shows one folder to one user and knows who that is by a password or a key."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import asyncssh

# With characters that a URL has a use for.
PASSWORD = "sftp/hunter2@#%:"
USER = "zoe"
CLIENT_KEY = asyncssh.generate_private_key("ssh-ed25519")
_HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")


@dataclass
class Behaviour:
    """What a server does otherwise than as it should."""

    # Whether it has OpenSSH's extension, by which a file can be renamed over another one.
    renames_over_files: bool = True
    # Whether it has room for what is written.
    has_room: bool = True


class _Files(asyncssh.SFTPServer):
    def __init__(self, channel: asyncssh.SSHServerChannel, folder: Path, behaviour: Behaviour) -> None:
        super().__init__(channel, chroot=str(folder).encode())
        self._behaviour = behaviour

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> None:
        if not self._behaviour.renames_over_files:
            raise asyncssh.SFTPOpUnsupported("Unsupported request")
        super().posix_rename(oldpath, newpath)

    def write(self, file_obj: object, offset: int, data: bytes) -> int:
        if not self._behaviour.has_room:
            super().write(file_obj, offset, data[: len(data) // 2])
            raise asyncssh.SFTPFailure("Failure")
        return int(super().write(file_obj, offset, data))


class Connections:
    """How many a server has at a moment."""

    def __init__(self) -> None:
        self._number = 0
        self._changed = threading.Condition()

    def add(self, number: int) -> None:
        with self._changed:
            self._number += number
            self._changed.notify_all()

    def become(self, number: int) -> bool:
        """Whether there are that many, sooner or later: a server learns of an end late."""
        with self._changed:
            return self._changed.wait_for(lambda: self._number == number, timeout=60)


class _Login(asyncssh.SSHServer):
    def __init__(self, connections: "Connections") -> None:
        self._connections = connections

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connections.add(1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.add(-1)

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key == CLIENT_KEY.convert_to_public()


@dataclass(frozen=True)
class Sftp:
    """`folder` is what the server shows as /; `host_key` is the line of known_hosts that it should be known by."""

    folder: Path
    port: int
    connections: Connections
    _loop: asyncio.AbstractEventLoop
    behaviour: Behaviour = field(default_factory=Behaviour)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """For the block it neither hears nor answers."""
        stopped, go_on = threading.Event(), threading.Event()

        def stop() -> None:
            stopped.set()
            go_on.wait()

        self._loop.call_soon_threadsafe(stop)
        stopped.wait()
        try:
            yield
        finally:
            go_on.set()

    @property
    def host_key(self) -> str:
        return f"[127.0.0.1]:{self.port} {_HOST_KEY.export_public_key().decode().strip()}\n"

    def url(self, path: str = "/", password: str | None = PASSWORD) -> str:
        login = USER if password is None else f"{USER}:{quote(password, safe='')}"
        return f"sftp://{login}@127.0.0.1:{self.port}{path}"


@contextmanager
def sftp_server(folder: Path, port: int = 0) -> Iterator[Sftp]:
    """A server for the block; `port` 0 is any that is free."""
    connections, behaviour = Connections(), Behaviour()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def chrooted(channel: asyncssh.SSHServerChannel) -> asyncssh.SFTPServer:
        return _Files(channel, folder, behaviour)

    async def listen() -> asyncssh.SSHAcceptor:
        return await asyncssh.listen(
            "127.0.0.1",
            port,
            server_factory=lambda: _Login(connections),
            server_host_keys=[_HOST_KEY],
            sftp_factory=chrooted,
        )

    async def close(acceptor: asyncssh.SSHAcceptor) -> None:
        acceptor.close()
        await acceptor.wait_closed()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        yield Sftp(folder, acceptor.get_port(), connections, loop, behaviour)
    finally:
        asyncio.run_coroutine_threadsafe(close(acceptor), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
