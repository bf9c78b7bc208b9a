r"""Names of files as text that every store and every message can contain.

On Unix, a name is bytes. Python keeps bytes that are not UTF-8 as lone surrogates, which neither DuckDB nor a terminal
accepts. Here such a byte is written as `\xe9`; a backslash that would read like one is written as `\x5c`, so that the
escaping is unique and reversible.
"""

import re

_ODD = re.compile(r"[\udc80-\udcff]|\\(?=x[0-9a-f]{2})")
_WRITTEN = re.compile(r"\\x([0-9a-f]{2})")
# Of OpenPGP files.
PGP_ENDINGS = (".pgp", ".gpg", ".asc")
_PACKED = re.compile(r"(\.(zip|gz|pgp|gpg|asc))*$", re.IGNORECASE)


def escaped(name: str) -> str:
    """A name as it is stored and shown."""
    return _ODD.sub(lambda odd: "\\x5c" if odd[0] == "\\" else f"\\x{ord(odd[0]) - 0xDC00:02x}", name)


def unescaped(name: str) -> str:
    """The name in the file system for a stored name."""
    return _WRITTEN.sub(lambda written: bytes.fromhex(written[1]).decode("utf-8", "surrogateescape"), name)


def without_packing(name: str) -> str:
    """A name without `.gz`, `.zip`, `.pgp`, `.gpg` and `.asc` at its end, in whatever order and case."""
    return _PACKED.sub("", name, count=1)


def without_pgp_ending(name: str) -> str:
    """A name without the last `.pgp`, `.gpg` or `.asc`, if it ends with one."""
    return name[: -len(PGP_ENDINGS[0])] if name.lower().endswith(PGP_ENDINGS) else name
