"""The writer's turn at a catalog in PostgreSQL, for writers on all machines."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from pipeline.errors import SettingsError, WarehouseError, missing_packages

NO_SERVER = "WAREHOUSE: the PostgreSQL catalog can't be opened; check its host, database, user and password."

# The same on every machine, by whatever name it reaches the server. A lock belongs to one database, as a catalog does.
_LOCK = int.from_bytes(b"lakeTurn")
# A lock of the transaction, not of the session, which a connection pooler would pass on to another client. It lasts as
# long as the writing, so no time limit of the server may end it. Where a machine disappears, the server notices in two
# minutes instead of two hours.
UNTIL_RELEASED = """
    SELECT set_config(name, wanted.value, true)
    FROM pg_settings JOIN (
        VALUES ('statement_timeout', '0'), ('lock_timeout', '0'), ('transaction_timeout', '0'),
            ('idle_in_transaction_session_timeout', '0'),
            ('tcp_keepalives_idle', '60'), ('tcp_keepalives_interval', '10'), ('tcp_keepalives_count', '6')
    ) AS wanted (name, value) USING (name)
"""


@contextmanager
def turn_at_server(dsn: str) -> Iterator[None]:
    """Wait for the turn and hold it: the server releases it when the connection ends, however the process dies.

    Raises:
        SettingsError: the driver is not installed.
        WarehouseError: the server can't be queried.
    """
    try:
        import psycopg  # here, as only this kind of warehouse needs it
    except ImportError:
        raise SettingsError(missing_packages("WAREHOUSE", "ducklake:postgres:", "postgres")) from None
    try:
        connection = psycopg.connect(dsn)
    except psycopg.Error:  # its message repeats the connection string
        raise WarehouseError(NO_SERVER) from None
    with closing(connection):
        try:
            connection.execute(UNTIL_RELEASED)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        except psycopg.Error:
            raise WarehouseError(NO_SERVER) from None
        yield
