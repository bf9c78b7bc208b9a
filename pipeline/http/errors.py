"""Reasons why there was no answer over HTTP, with the host, the proxy or the file.

The messages of the errors themselves are not used: they repeat whole URLs, header values and objects of the libraries.
"""

import http.client
import os
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import urllib3.exceptions

from pipeline.masking import on_one_line

_LONGEST = 100


class AnswerTooLong(OSError):
    """An answer has more bytes than are read."""


class DeadlinePassed(TimeoutError):
    """The time limit of the exchange has passed."""


@dataclass(frozen=True)
class Exchange:
    """An exchange that failed: the `host` as messages show it, and the connection to it. `certificates` is the file or
    folder of the trusted ones, if it is a path; `seconds` and `most` (bytes) are the limits.
    """

    host: str
    scheme: str
    proxy: str | None
    certificates: object
    seconds: float
    most: int


@dataclass(frozen=True)
class NoReply:
    """There is no answer; `permanent`: there will be none until something is changed on this machine."""

    reason: str
    permanent: bool = False


def why_no_request(error: Exception, host: str) -> NoReply:
    """The reason why a request can't be made: its address or its headers are invalid."""
    if isinstance(error, UnicodeError | requests.exceptions.InvalidHeader):
        return _no_header(host)
    return NoReply(f"no request to {host} can be made: its address is not valid", permanent=True)


def _no_header(host: str) -> NoReply:
    return NoReply(f"no request to {host} can be made: its key or token is not valid in a header", permanent=True)


def why_no_reply(error: Exception, exchange: Exchange) -> NoReply:
    """The reason why an exchange failed."""
    causes, host, scheme, proxy = list(_causes(error)), exchange.host, exchange.scheme, exchange.proxy

    def cause(*kinds: type[BaseException]) -> BaseException | None:
        return next((found for found in causes if isinstance(found, kinds)), None)

    if isinstance(exchange.certificates, str) and (fault := _unusable(exchange.certificates)):
        return NoReply(
            f"no connection to {host}: the trusted certificates in {exchange.certificates} can't be read ({fault}). "
            f"Check {_set_one('REQUESTS_CA_BUNDLE', 'CURL_CA_BUNDLE') or 'REQUESTS_CA_BUNDLE'}.",
            permanent=True,
        )
    if any(isinstance(found, UnicodeEncodeError) and found.encoding == "latin-1" for found in causes):
        return _no_header(host)
    if _is_invalid_address(causes):
        if not proxy:
            return NoReply(f"no request to {host} can be made: its address is not valid", permanent=True)
        fault = "SOCKS is not installed" if cause(requests.exceptions.InvalidSchema) else "it is not the URL of a proxy"
        return NoReply(
            f"no connection to {host}: its proxy can't be used, {fault}. Check {_proxy_variable(scheme)}.",
            permanent=True,
        )
    to = host
    if proxy and cause(urllib3.exceptions.ProxyError, requests.exceptions.ProxyError):
        to = f"{host_of(proxy)} (the proxy of {_proxy_variable(scheme)})"
        if tunnel := next((f for f in map(_tunnel_status, causes) if f), None):
            status, words = tunnel
            refused = status in (401, 403, 407)
            return NoReply(f"no connection to {host}: {to} answered {status} {words}".rstrip(), refused)
    if cause(AnswerTooLong):
        return NoReply(f"no answer from {to}: it had not begun after {exchange.most // 1000} kB")
    if cause(DeadlinePassed):
        return NoReply(f"no whole answer from {to} within {exchange.seconds:g} seconds")
    if cause(urllib3.exceptions.NameResolutionError):
        return NoReply(f"no answer from {to}: its host name can't be resolved; check it and this machine's DNS")
    if cause(urllib3.exceptions.SSLError, ssl.SSLError):
        return NoReply(f"no trusted TLS connection to {to}; check its certificate and this machine's clock")
    if cause(TimeoutError):
        return NoReply(f"no answer from {to}: the connection timed out")
    return NoReply(f"no answer from {to}: {_words(causes)}")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and its causes; libraries wrap errors in several ways."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop(0)
        if isinstance(found, BaseException) and id(found) not in seen:
            seen.add(id(found))
            yield found
            waiting += [*found.args, getattr(found, "reason", None), found.__cause__]


def _is_invalid_address(causes: list[BaseException]) -> bool:
    if isinstance(causes[0], requests.exceptions.InvalidHeader):  # of the answer
        return False
    of_addresses = (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        urllib3.exceptions.LocationValueError,
        UnicodeError,
    )
    return any(isinstance(found, of_addresses) for found in causes)


def _words(causes: list[BaseException]) -> str:
    for found in causes:
        if isinstance(found, http.client.RemoteDisconnected):
            return "the connection was closed"
        if isinstance(found, OSError) and isinstance(found.errno, int):
            return os.strerror(found.errno)
    if any(isinstance(f, http.client.HTTPException | urllib3.exceptions.HTTPError) for f in causes[1:]):
        return "the response is not complete HTTP"
    return type(causes[0]).__name__


def _tunnel_status(error: BaseException) -> tuple[int, str] | None:
    """The answer of a proxy that refused a tunnel; http.client has it as text only."""
    found = re.fullmatch(r"Tunnel connection failed: (\d{3}) ?(.*)", str(error), re.DOTALL)
    return (int(found[1]), on_one_line(found[2].strip(), _LONGEST)) if found else None


def _unusable(certificates: str) -> str | None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if Path(certificates).is_dir():
            context.load_verify_locations(capath=certificates)
        else:
            context.load_verify_locations(cafile=certificates)
    except ssl.SSLError:
        return "it is not a file of certificates in PEM format"
    except OSError as error:
        return error.strerror or "it can't be opened"
    return None


def host_of(url: str) -> str:
    """Host and port, without a login."""
    return urlsplit(url if "//" in url else f"//{url}").netloc.rpartition("@")[2] or "an address without a host"


def _proxy_variable(scheme: str) -> str:
    names = (spelled for name in (f"{scheme}_proxy", "all_proxy") for spelled in (name, name.upper()))
    return _set_one(*names) or "the proxy settings of this machine"


def _set_one(*variables: str) -> str | None:
    return next((name for name in variables if os.environ.get(name)), None)
