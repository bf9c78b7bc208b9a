"""The ledger's database: how it is opened, and its errors as sentences."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from filelock import FileLock
from sqlalchemy.engine import Engine, make_url

from pipeline.errors import DeliveryError, SettingsError, missing_packages
from pipeline.ledger.migrations import make_tables
from pipeline.ledger.schema import metadata

# The same on every machine: a lock of the database.
_OPENING = int.from_bytes(b"ledgerUp")


class LedgerDatabase:
    """The database at a SQLAlchemy URL. Its tables are created on first use.

    Raises:
        SettingsError: the driver is not installed, or a newer version of the program wrote the ledger.
        DeliveryError: the database can't be opened; the message contains no password.
    """

    def __init__(self, url: str) -> None:
        self._engine = _opened(url)

    def _values(self, query: sa.Select[Any]) -> list[Any]:
        """The values of a query's only column."""
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    @property
    def file(self) -> Path | None:
        """The SQLite file of the ledger; None for a server."""
        database = self._engine.url.database
        return Path(database) if self._engine.dialect.name == "sqlite" and database else None

    def compact(self) -> None:
        """Rewrite everything, so that no byte of a deleted row is left in the database's files."""
        statements = [f"VACUUM FULL {table.name}" for table in metadata.sorted_tables]
        if self.file:
            statements = ["VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"]
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.execute(sa.text(statement))

    def close(self) -> None:
        """Close the connections; the next query opens new ones."""
        self._engine.dispose()


def _opened(url: str) -> Engine:
    location = make_url(url)
    try:
        if location.get_backend_name() == "sqlite" and location.database:
            Path(location.database).parent.mkdir(parents=True, exist_ok=True)
        engine = _engine(location)
        with _exclusive(engine) as connection:
            make_tables(connection)
    except ImportError:
        raise SettingsError(missing_packages("LEDGER", location.get_backend_name(), "postgres")) from None
    except (sa.exc.SQLAlchemyError, DeliveryError, OSError) as error:
        # The parameters of a URL can also contain a password, and drivers repeat what they were given.
        shown = location.set(query={}).render_as_string(hide_password=True)
        raise DeliveryError(f"LEDGER: {shown} can't be opened ({_cause(error.__cause__ or error)})") from None
    return engine


@contextmanager
def _exclusive(engine: Engine) -> Iterator[sa.Connection]:
    """A connection for one process at a time: two first starts would both find tables missing and create them."""
    with ExitStack() as stack:
        if engine.dialect.name == "sqlite":
            stack.enter_context(FileLock(f"{engine.url.database}.opening"))
        connection = stack.enter_context(engine.begin())
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING})
        yield connection


def _engine(location: sa.URL) -> Engine:
    if location.drivername == "postgresql":  # SQLAlchemy would load psycopg2, the predecessor of psycopg
        location = location.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(location)
    if engine.dialect.name == "sqlite":

        @sa.event.listens_for(engine, "connect")
        def _wal(dbapi_connection: Any, _record: Any) -> None:
            # WAL: `status` reads while a delivery writes. FULL: a commit survives a loss of power.
            for pragma in ("busy_timeout = 30000", "journal_mode = WAL", "synchronous = FULL"):
                dbapi_connection.execute(f"PRAGMA {pragma}")

    @sa.event.listens_for(engine, "handle_error")
    def _in_a_sentence(context: sa.engine.ExceptionContext) -> None:
        if isinstance(context.sqlalchemy_exception, sa.exc.OperationalError):
            cause = _cause(context.original_exception)
            words = f"it can't be read or written ({cause}); events that were not sent are still waiting"
            raise DeliveryError(f"LEDGER: {words}") from None

    return engine


def _cause(error: BaseException) -> str:
    """The message of the database or the system; for a server only the error's type: drivers repeat passwords."""
    return str(error) if isinstance(error, (sqlite3.Error, OSError)) else type(error).__name__
