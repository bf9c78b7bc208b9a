"""SFTP with the host key check of `ssh`: only servers in `~/.ssh/known_hosts` are trusted.

fsspec imports it when an sftp:// URL is used, since its packages are an extra.
"""

from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit

from asyncssh.sftp import SFTPNoSuchFile, SFTPOpUnsupported
from fsspec.asyn import sync_wrapper
from sshfs import SSHFileSystem
from sshfs.utils import wrap_exceptions

_CONNECT_SECONDS = 30
# A server that is silent for three of these is gone; without this, a copy would wait for ever.
_KEEPALIVE_SECONDS = 15


class CarefulSFTP(SSHFileSystem):  # type: ignore[misc] # it has no types
    """Logs in with the URL's password or, as `ssh` does, with the keys of `~/.ssh`, an agent and `~/.ssh/config`."""

    cachable = False  # a cached connection would fail after a restart of the server

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        url = urlsplit(path)
        options: dict[str, Any] = {
            "host": url.hostname,
            # Asyncssh's value for the user's own file, whatever `~/.ssh/config` says; sshfs would trust any server.
            "known_hosts": b"",
            "connect_timeout": _CONNECT_SECONDS,
            "keepalive_interval": _KEEPALIVE_SECONDS,
            # As Python treats names that are not UTF-8; by default one of them makes its folder unreadable.
            "sftp_client_kwargs": {"path_errors": "surrogateescape"},
        }
        if url.port:
            options["port"] = url.port
        if url.username:
            options["username"] = unquote(url.username)
        if url.password:
            options["password"] = unquote(url.password)
        return options

    @wrap_exceptions  # type: ignore[untyped-decorator] # as above
    async def _realpath(self, path: str) -> str:
        async with self._pool.get() as channel:
            return str(await channel.realpath(path))

    realpath = sync_wrapper(_realpath)

    @wrap_exceptions  # type: ignore[untyped-decorator] # as above
    async def _replace(self, source: str, target: str) -> None:
        async with self._pool.get() as channel:
            try:
                await channel.posix_rename(source, target)
            except SFTPOpUnsupported:  # SFTP itself can't rename over a file; for a moment, there is none
                with suppress(SFTPNoSuchFile):
                    await channel.unlink(target)
                await channel.rename(source, target)

    replace = sync_wrapper(_replace)

    def close(self) -> None:
        """Close without waiting, since sshfs keeps a connection that does not close within 0.1 s."""
        self.loop.call_soon_threadsafe(self._client.close)
