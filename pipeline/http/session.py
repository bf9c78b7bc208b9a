"""HTTP exchanges with a deadline and a maximum size of the answer.

`requests` limits each read of a socket and nothing else. A server or proxy that sends a byte every other second, `100
Continue` forever, or an endless body would occupy a connection indefinitely, or fill the memory.
"""

import http.client
import io
import json
import socket
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProtocolError,
)
from urllib3.poolmanager import PoolManager, ProxyManager
from urllib3.util.connection import allowed_gai_family

from pipeline.http.errors import AnswerTooLong, DeadlinePassed, Exchange, NoReply, host_of, why_no_reply, why_no_request
from pipeline.settings.value_checks import is_loopback

# Per address of a host, TLS included.
CONNECT_SECONDS = 10
# Per exchange, from connecting to the last byte of the answer.
EXCHANGE_SECONDS = 60
MAX_ANSWER_BYTES = 64_000
# At most so much of an answer that breaks off is lost, and so much of a compressed one is unpacked at a time.
_CHUNK = 1024
# One TLS record: a deadline is checked between two of them.
_PIECE = 16 * 1024


@dataclass
class _Limits:
    ends_at: float
    bytes_left: int

    def seconds_left(self) -> float:
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise DeadlinePassed
        return left


# Of the current exchange of this thread: `requests` creates and uses connections internally.
_LIMITS: ContextVar[_Limits] = ContextVar("limits")


@dataclass(frozen=True)
class Reply:
    """An answer, with as much of its body as was read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    host: str

    def json(self) -> Any:
        """The body as JSON; None where it is not, or is nested too deeply."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


class BoundedSession(requests.Session):
    """Connections to one server; without cookies, redirects, and proxies for this machine itself.

    An exchange reads at most `most` bytes of an answer, within so many seconds.
    """

    def __init__(
        self, connections: int = 1, *, seconds: float = EXCHANGE_SECONDS, most: int = MAX_ANSWER_BYTES
    ) -> None:
        super().__init__()
        self._seconds, self._most = seconds, most
        adapter = _BoundedAdapter(pool_connections=1, pool_maxsize=connections, pool_block=True)
        self.mount("https://", adapter)
        self.mount("http://", adapter)
        self.headers["Accept-Encoding"] = "identity"
        self._environment: dict[str, Any] = {}
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))

    def exchange(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        data: bytes | None = None,
        json: object = None,
        host: str | None = None,
    ) -> Reply | NoReply:
        """Send a request and read its answer. Messages show `host` instead of a host name that must not be shown."""
        host = host or host_of(url)
        try:
            request = self.prepare_request(requests.Request(method, url, params=params, data=data, json=json))
            settings = self._settings_of(request.url or "")
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            return why_no_request(error, host)
        limits = _Limits(time.monotonic() + self._seconds, self._most)
        token = _LIMITS.set(limits)
        try:
            with self.send(request, allow_redirects=False, **settings) as response:
                return Reply(response.status_code, response.headers, _read(response, self._most), host)
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            scheme, proxy = urlsplit(url).scheme, select_proxy(url, settings["proxies"])
            failed = Exchange(host, scheme, proxy, settings["verify"], self._seconds, self._most)
            return why_no_reply(error, failed)
        finally:
            _LIMITS.reset(token)

    def _settings_of(self, url: str) -> Any:
        """The proxies and certificates of the environment, which is read once per host."""
        parts = urlsplit(url)
        server = f"{parts.scheme}://{parts.netloc}"
        if server not in self._environment:
            settings = self.merge_environment_settings(url, {}, True, None, None)
            if is_loopback(parts.hostname or ""):
                settings["proxies"] = {}
            self._environment[server] = settings
        return self._environment[server]

    def get_redirect_target(self, resp: requests.Response) -> None:
        """No target: `requests` would read the whole answer for an address to follow."""


def _read(response: requests.Response, most: int) -> bytes:
    body = bytearray()
    try:
        for chunk in response.raw.stream(_CHUNK, decode_content=True):
            body += chunk
            if len(body) >= most:
                break
    except ProtocolError as error:
        if not any(isinstance(cause, AnswerTooLong) for cause in error.args):
            raise
    except DecodeError:
        body.clear()
    return bytes(body[:most])


class _BoundedReader(io.RawIOBase):
    """The bytes from a server, within the limits of the exchange."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._limits = _LIMITS.get()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._limits.bytes_left <= 0:
            raise AnswerTooLong
        self._sock.settimeout(self._limits.seconds_left())
        try:
            count = self._raw.readinto(memoryview(buffer)[: self._limits.bytes_left]) or 0
        except TimeoutError as error:
            raise DeadlinePassed from error
        self._limits.bytes_left -= count
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _FinalResponse(http.client.HTTPResponse):
    """The answer after any number of interim ones; the standard library treats a 103 as the answer."""

    def __init__(
        self, sock: socket.socket, debuglevel: int = 0, method: str | None = None, url: str | None = None
    ) -> None:
        super().__init__(sock, debuglevel, method, url)
        self.fp.close()
        self.fp = io.BufferedReader(_BoundedReader(sock))

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # of http.client's own begin()
            if not 100 <= status < 200 or status == http.HTTPStatus.SWITCHING_PROTOCOLS:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _Bounded(HTTPConnection):
    response_class = _FinalResponse

    def _new_conn(self) -> socket.socket:
        limits = _LIMITS.get()
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, allowed_gai_family(), socket.SOCK_STREAM)
        except socket.gaierror as error:
            raise NameResolutionError(self.host, self, error) from error
        failure: OSError | None = None
        for family, kind, protocol, _, address in found:
            connecting = socket.socket(family, kind, protocol)
            try:
                for option in self.socket_options or ():
                    connecting.setsockopt(*option)
                connecting.settimeout(min(CONNECT_SECONDS, limits.seconds_left()))
                connecting.connect(address)
            except OSError as error:
                connecting.close()
                failure = error
            else:
                return connecting
        if isinstance(failure, TimeoutError):
            raise ConnectTimeoutError(self, "no connection in time") from failure
        raise NewConnectionError(self, "no connection") from failure

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        limits = _LIMITS.get()
        for start in range(0, len(data), _PIECE):
            self.sock.settimeout(limits.seconds_left())
            super().send(data[start : start + _PIECE])


class _BoundedTls(_Bounded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Bounded


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _BoundedTls


class _BoundedAdapter(HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, **options)
        _bound(self.poolmanager)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, **options)
        if type(manager) is ProxyManager:  # a SOCKS proxy has its own connections
            _bound(manager)
        return manager


def _bound(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
