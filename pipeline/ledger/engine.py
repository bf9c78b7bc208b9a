"""The way to the database, whose errors are sentences."""

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

# The same on every machine: a lock of the database.
_OPENING = int.from_bytes(b"ledgerUp")


def open_engine(url: str) -> Engine:
    """The database at a SQLAlchemy URL, with its tables.

    Raises:
        SettingsError: the driver that it needs is not installed, or a newer version of the program wrote it.
        DeliveryError: it can't be opened; the message has no password in it.
    """
    place = make_url(url)
    try:
        if place.get_backend_name() == "sqlite" and place.database:
            Path(place.database).parent.mkdir(parents=True, exist_ok=True)
        engine = _engine(place)
        with _alone(engine) as connection:
            make_tables(connection)
    except ImportError:
        raise SettingsError(missing_packages("LEDGER", place.get_backend_name(), "postgres")) from None
    except (sa.exc.SQLAlchemyError, DeliveryError, OSError) as error:
        # A password can also stand among the parameters of a URL, and drivers repeat what they were given.
        shown = place.set(query={}).render_as_string(hide_password=True)
        raise DeliveryError(f"LEDGER: {shown} can't be opened ({_cause(error.__cause__ or error)})") from None
    return engine


@contextmanager
def _alone(engine: Engine) -> Iterator[sa.Connection]:
    """A connection for what two first starts must not do at once: each would look what is missing, and make it."""
    with ExitStack() as stack:
        if engine.dialect.name == "sqlite":
            stack.enter_context(FileLock(f"{engine.url.database}.opening"))
        connection = stack.enter_context(engine.begin())
        if engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _OPENING})
        yield connection


def _engine(place: sa.URL) -> Engine:
    if place.drivername == "postgresql":  # SQLAlchemy would take it for psycopg2, which psycopg has replaced
        place = place.set(drivername="postgresql+psycopg")
    engine = sa.create_engine(place)
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
            words = f"it can't be read or written ({cause}); what was not sent is still waiting"
            raise DeliveryError(f"LEDGER: {words}") from None

    return engine


def _cause(error: BaseException) -> str:
    """What the database said, or the system; of a server only the kind, since drivers repeat what they were given."""
    return str(error) if isinstance(error, (sqlite3.Error, OSError)) else type(error).__name__
