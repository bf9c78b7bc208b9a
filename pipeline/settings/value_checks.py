"""Checks of the values of settings.

Some characters have a meaning where settings are used: dbt renders Jinja in its variables, and HTTP headers end at a
line break. A comment after a value in a file may become a part of the value.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

# Settings with a path; one that is not UTF-8 comes from a file system with such names.
PATHS = (
    *("selligent_exports", "selligent_layouts", "selligent_suppressed", "selligent_pgp_key"),
    *("warehouse", "warehouse_files", "ledger", "report"),
)
# Never passed to dbt, and chosen by a person.
_FREE = "selligent_pgp_passphrase"
# The delimiters of Jinja.
_JINJA = re.compile(r"{[{%#]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Visible ASCII, without the separator of key and password in the header, and without quotes.
_KEY = re.compile(r"[!-~]+")
# Segment's have 32 characters and more. A shorter one is no key, and to mask it would mask parts of words.
_SHORTEST_KEY = 8


def fault(text: str) -> PydanticCustomError:
    """A validation error whose text is shown unchanged."""
    return PydanticCustomError("fault", "{text}", {"text": text})


def clean(value: object, info: ValidationInfo) -> object:
    """A value without the line break of a one-line file; raises PydanticCustomError for impossible characters."""
    if not isinstance(value, str):
        return value
    text = value.rstrip("\r\n")
    try:
        text.encode()
    except UnicodeEncodeError:
        if info.field_name in PATHS:
            raise fault("is a path that is not UTF-8; rename its folder or file") from None
        raise fault("is not UTF-8") from None
    if not text and value:
        raise fault("contains only a line break")
    if _CONTROL.search(text):
        raise fault("contains a control character, such as a line break or a tab")
    if info.field_name != _FREE and (found := _JINJA.search(text)):
        raise fault(f"contains {found[0]}, which dbt would interpret as a template")
    return text


def check_key(value: str, noun: str) -> None:
    """Refuse a key that was not copied exactly, by PydanticCustomError: Segment answers 200 to any key."""
    if not _KEY.fullmatch(value) or set(value) & set("\"':"):
        raise fault(f"has a character that no {noun} has; copy it again")
    if len(value) < _SHORTEST_KEY:
        raise fault(f"is shorter than any {noun} ({len(value)} of at least {_SHORTEST_KEY} characters); copy it again")


def check_namespace(value: str) -> None:
    """Refuse, by PydanticCustomError, values that can't be intended as part of every id."""
    # systemd and docker take a comment after a value, and quotes around it, as part of the value.
    if "#" in value:
        raise fault(f"{value!r} contains a comment, which must be on a line of its own; a namespace contains no #")
    if value[:1] in "\"'" or value[-1:] in "\"'":
        raise fault(f"{value!r} has quotes around it")
    if value != value.strip() or not value.isprintable():
        raise fault(f"{value!r} has spaces around it or invisible characters in it")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only be this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def check_url(value: str, example: str) -> str:
    """The host of a URL that uses https, or is this machine."""
    try:
        url = urlsplit(value)
        host, _port = url.hostname or "", url.port
    except ValueError:
        raise fault(f"is not a URL such as {example}") from None
    if url.scheme not in ("http", "https") or not host:
        raise fault(f"is not a URL such as {example}")
    if url.scheme != "https" and not is_loopback(host):
        raise fault("must start with https:// (http is allowed only for this machine)")
    return host


def check_region(
    value: str,
    info: ValidationInfo,
    defaults: Mapping[str, str],
    domains_of: Mapping[str, Sequence[str]],
    example: str,
    lost: str,
) -> str:
    """A base URL of Segment's, by default the region's; PydanticCustomError for no URL or another region."""
    region: str | None = info.data.get("segment_region")
    if region is None:  # it has a fault of its own
        return value
    if not value:
        return defaults[region]
    host = check_url(value, example)
    for other, domains in domains_of.items():
        if host in domains and other != region:
            raise fault(f"is Segment's endpoint for {other!r}, but SEGMENT_REGION is {region!r}: {lost}")
    return value.rstrip("/")
