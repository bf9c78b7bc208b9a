"""FTP, and FTP over TLS as RFC 4217 has it: certificates are verified, and a file is whole or an error.

fsspec's own file system does not verify certificates, and does not compare sizes.
"""

import io
import socket
import ssl
from collections.abc import Callable
from ftplib import FTP, FTP_TLS, all_errors, error_perm, error_temp
from typing import Any
from urllib.parse import unquote, urlsplit

from fsspec.implementations.ftp import FTPFileSystem

from pipeline.filesystems.ftp_listings import WIRE_ENCODING, entries_of_list, entries_of_mlsd, moment_of, wired
from pipeline.filesystems.remote_errors import RemoteFault

_CONNECT_SECONDS = 30
# A server that is silent for this long is gone, as with SFTP.
SILENT_SECONDS = 45
_BUFFER_BYTES = 1 << 20
# Folders inside one another; links to folders may form a loop, which FTP can't detect.
_MOST_FOLDERS = 50
_IMPLICIT_PORT = 990
_NO_TLS = "the server offers no TLS (AUTH TLS and PROT P); ask its owner to switch it on"
_IMPLICIT = "port 990 is for implicit TLS, which is not supported; use the port of explicit TLS, usually 21"
_NO_TIMES = "the server gives no modification times: it has neither MLSD nor MDTM"
_CUT_OFF = "the connection broke off after {:,} of {:,} bytes"


class _Tls(FTP_TLS):
    """FTP over TLS whose data connections resume the session of the control connection, which strict servers require
    as a proof that both come from the same client.
    """

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> tuple[socket.socket, int | None]:
        connection, size = FTP.ntransfercmd(self, cmd, rest)  # noqa: S321
        assert isinstance(self.sock, ssl.SSLSocket)
        try:
            secured = self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session)
        except BaseException:
            connection.close()
            raise
        return secured, size


class CarefulFTP(FTPFileSystem):  # type: ignore[misc] # it has no types
    """Logs in with the URL's name and password, or anonymously; `ftp://` without TLS, `ftps://` only with it."""

    cachable = False  # a cached connection would fail after a restart of the server
    protocol = ("ftp", "ftps")

    def __init__(self, host: str, *, tls: bool, **options: Any) -> None:
        super().__init__(host, timeout=_CONNECT_SECONDS, tls=tls, **options)

    @staticmethod
    def _get_kwargs_from_urls(path: str) -> dict[str, Any]:
        url = urlsplit(path)
        is_secure = url.scheme == "ftps"
        if is_secure and url.port == _IMPLICIT_PORT:
            raise RemoteFault(_IMPLICIT)
        login = {"username": unquote(url.username or ""), "password": unquote(url.password or "")}
        return {"host": url.hostname or "", "port": url.port or 21, "tls": is_secure, **login}

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        """The path of a URL, as it is: `#` and `?` have no meaning in FTP."""
        for scheme in ("ftp://", "ftps://"):
            if path.startswith(scheme):
                path = path.removeprefix(scheme).partition("/")[2]
        return "/" + path.strip("/")

    def _connect(self) -> None:
        self.ftp: FTP = _Tls(context=ssl.create_default_context()) if self.tls else FTP()  # noqa: S321 - as chosen
        self.ftp.encoding = WIRE_ENCODING
        self.ftp.timeout = _CONNECT_SECONDS
        self.ftp.connect(self.host, self.port)
        assert self.ftp.sock is not None
        self.ftp.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # it is idle during transfers
        if isinstance(self.ftp, FTP_TLS):
            try:
                self.ftp.auth()
            except error_perm:
                raise RemoteFault(_NO_TLS) from None
        self.ftp.login(*map(wired, self.cred))
        if isinstance(self.ftp, FTP_TLS):
            try:
                self.ftp.prot_p()
            except error_perm:
                raise RemoteFault(_NO_TLS) from None
        self.ftp.timeout = SILENT_SECONDS
        self.ftp.sock.settimeout(SILENT_SECONDS)

    def _connected(self) -> FTP:
        """The connection, again if the server has closed it: many do after some idle minutes."""
        try:
            if self.ftp.sock is not None:
                self.ftp.voidcmd("NOOP")
                return self.ftp
        except (error_temp, OSError, EOFError):
            self.ftp.close()
        self._connect()
        return self.ftp

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        """The entries of a folder, each with its modification time. Raises FileNotFoundError, or an error of ftplib."""
        path = self._strip_protocol(path)
        connection = self._connected()
        try:
            connection.cwd(wired(path))
        except error_perm as error:
            raise _missing(error, path) from None
        try:
            entries = entries_of_mlsd(connection)
        except error_perm:  # a server without MLSD
            entries = [self._with_time(connection, entry) for entry in entries_of_list(connection)]
        found = [{**entry, "name": f"{path.rstrip('/')}/{entry['name']}"} for entry in entries]
        return found if detail else sorted(entry["name"] for entry in found)

    def _with_time(self, connection: FTP, entry: dict[str, Any]) -> dict[str, Any]:
        if entry["type"] != "file":
            return entry
        try:
            answer = connection.sendcmd(f"MDTM {wired(entry['name'])}")
        except error_perm:
            raise RemoteFault(_NO_TIMES) from None
        return {**entry, "mtime": moment_of(answer.split()[1])}

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """The entry of a file or folder. Raises FileNotFoundError."""
        path = self._strip_protocol(path)
        if path == "/":
            return {"name": "/", "size": 0, "type": "directory"}
        for entry in self.ls(self._parent(path)):
            if entry["name"] == path:
                return dict(entry)
        raise FileNotFoundError(path)

    def realpath(self, path: str) -> str:
        """The path itself. Raises RemoteFault for what only a loop of links can be."""
        if path.count("/") > _MOST_FOLDERS:
            raise RemoteFault(f"folders are inside one another more than {_MOST_FOLDERS} times, as in a loop of links")
        return path.rstrip("/") or "/"

    def _open(self, path: str, mode: str = "rb", **_: Any) -> Any:
        if mode != "rb":
            raise ValueError(f"files on an FTP server are opened for reading only, and {mode!r} is another mode")
        path = self._strip_protocol(path)
        return io.BufferedReader(_Download(self._connected, path), buffer_size=_BUFFER_BYTES)

    def makedirs(self, path: str, exist_ok: bool = True) -> None:
        """Create a folder, and those above it that don't exist. Raises an error of ftplib."""
        folder, connection = self._strip_protocol(path), self._connected()
        try:
            connection.cwd(wired(folder))
        except error_perm:
            if folder == "/":
                raise
            self.makedirs(self._parent(folder))
            connection.mkd(wired(folder))

    def pipe_file(self, path: str, value: bytes, **_: Any) -> None:
        """Write a file. Raises an error of ftplib."""
        self._connected().storbinary(f"STOR {wired(self._strip_protocol(path))}", io.BytesIO(value))

    def replace(self, source: str, target: str) -> None:
        """Rename a file over another one. Raises an error of ftplib."""
        connection, old, new = self._connected(), *(wired(self._strip_protocol(path)) for path in (source, target))
        try:
            connection.rename(old, new)
        except error_perm:  # some servers don't rename over a file; for a moment, there is none
            connection.delete(new)
            connection.rename(old, new)

    def rm_file(self, path: str) -> None:
        """Remove a file. Raises an error of ftplib."""
        self._connected().delete(wired(self._strip_protocol(path)))

    def close(self) -> None:
        """Close the connection without waiting for an answer."""
        self.ftp.close()


class _Download(io.RawIOBase):
    """One file, read from where it is sought. Its end is reached only if the server has sent all of it."""

    def __init__(self, connect: Callable[[], FTP], path: str) -> None:
        self._connect, self._connection, self._path = connect, connect(), wired(path)
        try:
            self._connection.voidcmd("TYPE I")  # after a listing it is text, whose size differs
            size = self._connection.size(self._path)
        except error_perm as error:
            raise _missing(error, path) from None
        self._size = size or 0
        self._position = 0
        self._data: socket.socket | None = None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if start + offset != self._position:
            self._stop()
            self._position = max(start + offset, 0)
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: "memoryview | bytearray") -> int:  # type: ignore[override]
        if self._position >= self._size and self._data is None:
            return 0
        if self._data is None:
            self._connection = self._connect()
            self._connection.voidcmd("TYPE I")
            self._data = self._connection.transfercmd(f"RETR {self._path}", self._position or None)
        try:
            received = self._data.recv_into(buffer)
            if not received:
                self._finish()
        except all_errors as error:
            self._stop()
            raise RemoteFault(_CUT_OFF.format(self._position, self._size)) from error
        self._position += received
        return received

    def _finish(self) -> None:
        """The server has closed the transfer: at the end of the file, or because something broke."""
        assert self._data is not None
        self._data.close()
        self._connection.voidresp()
        self._data = None
        if self._position < self._size:
            raise RemoteFault(_CUT_OFF.format(self._position, self._size))

    def _stop(self) -> None:
        """End a transfer early. What the server answers to that differs, so the connection ends, too."""
        if self._data is not None:
            self._data.close()
            self._data = None
            self._connection.close()

    def close(self) -> None:
        if not self.closed:
            self._stop()
        super().close()


def _missing(error: error_perm, path: str) -> Exception:
    """550 is the answer for what is not there, and also for what the login may not read (RFC 959, section 4.2)."""
    return FileNotFoundError(path) if str(error).startswith("550") else error
