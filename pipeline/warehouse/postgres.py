"""A catalog in PostgreSQL. DuckDB repeats a connection string in its errors, so the password is passed apart."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.errors import SettingsError, missing_packages
from pipeline.warehouse.sql import literal

# Under this name a DuckDB connection stores the password of the server of `lake`.
LOGIN = "catalog"


def driver(setting: str) -> Any:
    """The module psycopg, which only servers need. Raises SettingsError: `setting` needs it, and there is none."""
    try:
        import psycopg
    except ImportError:
        scheme = "ducklake:postgres:" if setting == "WAREHOUSE" else "postgresql"
        raise SettingsError(missing_packages(setting, scheme, "postgres")) from None
    return psycopg


@dataclass(frozen=True)
class PostgresServer:
    """The address of a catalog in libpq's form, and the password, empty where libpq needs none or finds it itself."""

    address: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, dsn: str, environment: Mapping[str, str] = os.environ) -> "PostgresServer":
        """The server of a connection string or a URL, else with PGPASSWORD; SettingsError without the driver."""
        make_conninfo = driver("WAREHOUSE").conninfo.make_conninfo
        parameters = parameters_of(dsn)
        password = parameters.pop("password", "") or environment.get("PGPASSWORD", "")
        # An invalid string is left as it is, for the driver to refuse.
        return cls(make_conninfo(**parameters) or dsn, password)

    def secret(self, name: str) -> str:
        """The statement that gives a DuckDB connection the password, under a name."""
        return f"CREATE SECRET {name} (TYPE postgres, PASSWORD {literal(self.password)})"


def parameters_of(dsn: str) -> dict[str, str]:
    """Parameters of a connection string or URL by libpq's names; none where it is neither, or without the driver."""
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError:
        return {}
    try:
        return {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
    except ProgrammingError:
        return {}
