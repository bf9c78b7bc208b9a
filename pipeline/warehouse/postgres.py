"""A catalog in PostgreSQL as DuckDB reaches it: DuckDB repeats a connection string in its errors, so the password is
handed over apart from it.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from pipeline.warehouse.sql import literal

# Under this name a DuckDB connection keeps the password.
LOGIN = "catalog"
_PAIR = re.compile(r"\s*(\w+)\s*=\s*('(?:[^'\\]|\\.)*'|(?:[^\s'\\]|\\.)*)(?=\s|$)", re.DOTALL)
_SCHEMES = ("postgresql://", "postgres://")


@dataclass(frozen=True)
class PostgresServer:
    """Where the catalog is, as libpq has it (`host=… dbname=…`), and the password; empty: it is not needed, or libpq
    finds it in its own file.
    """

    address: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, dsn: str, environment: Mapping[str, str] = os.environ) -> "PostgresServer":
        """The server of a connection string or a URL; PGPASSWORD counts where they have no password."""
        parameters = parameters_of(dsn)
        password = parameters.pop("password", "") or environment.get("PGPASSWORD", "")
        # What can't be read is left as it is, for the driver to refuse.
        address = " ".join(f"{name}={_value(value)}" for name, value in parameters.items()) or dsn
        return cls(address, password)

    @property
    def secret(self) -> str:
        """The statement by which a DuckDB connection knows the password."""
        return f"CREATE SECRET {LOGIN} (TYPE postgres, PASSWORD {literal(self.password)})"


def parameters_of(dsn: str) -> dict[str, str]:
    """What a connection string or a URL of PostgreSQL says, by libpq's names; nothing where it is neither."""
    if dsn.startswith(_SCHEMES):
        return _of_url(dsn)
    parameters, end = {}, 0
    while found := _PAIR.match(dsn, end):
        name, value = found.groups()
        parameters[name] = re.sub(r"\\(.)", r"\1", value[1:-1] if value.startswith("'") else value, flags=re.DOTALL)
        end = found.end()
    return parameters if not dsn[end:].strip() else {}


def _of_url(url: str) -> dict[str, str]:
    rest, _, query = url.partition("://")[2].partition("?")
    servers, _, database = rest.partition("/")
    login, _, servers = servers.rpartition("@")
    user, _, password = login.partition(":")
    # libpq takes several servers, and as many ports.
    hosts, ports = [], []
    for server in servers.split(","):
        host, _, port = server.rpartition(":") if re.search(r":\d*$", server) else (server, "", "")
        hosts.append(host.removeprefix("[").removesuffix("]"))
        ports.append(port)
    given = {
        "host": ",".join(hosts),
        "port": ",".join(ports) if any(ports) else "",
        "dbname": database,
        "user": user,
        "password": password,
        **dict(pair.partition("=")[::2] for pair in query.split("&")),
    }
    return {name: unquote(value) for name, value in given.items() if value}


def _value(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
