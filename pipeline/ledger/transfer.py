"""The ledger, copied to another database."""

from collections.abc import Iterator

import sqlalchemy as sa

from pipeline.errors import DeliveryError, SettingsError
from pipeline.ledger.ledger_pairing import PairingPart
from pipeline.ledger.schema import metadata, origin

# Rows in memory at a time.
_AT_ONCE = 5_000


class TransferPart(PairingPart):
    """The part of the ledger about copies in other databases."""

    def check_copy(self, copy: "TransferPart") -> None:
        """Raise SettingsError where the copy has batches, and belongs to another warehouse than this ledger."""
        if copy.batch_ids() and copy.pairing().pair != self.pairing().pair:
            raise SettingsError("LEDGER: the copy would replace the batches of another warehouse; name a new database")

    def copy_to(self, copy: "TransferPart") -> int:
        """Replace the rows of the copy by those of this ledger; returns the number of batches.

        The rows of both are compared before the copy is committed.

        Raises:
            SettingsError: the copy belongs to another warehouse.
            DeliveryError: the rows differ, or a database can't be used.
        """
        self.check_copy(copy)
        with self._one_state() as reading, copy._engine.begin() as writing:
            for table in metadata.sorted_tables:
                writing.execute(sa.delete(table))
                for rows in _rows(reading, table):
                    writing.execute(sa.insert(table), rows)
            for table in metadata.sorted_tables:
                pairs = zip(_rows(writing, table), _rows(reading, table), strict=True)
                if not all(copied == original for copied, original in pairs):
                    raise DeliveryError(f"LEDGER: the copy of {table.name} differs from the original; copy again")
        return len(copy.batch_ids())

    def set_aside(self, schema: str) -> bool:
        """Move the tables of a ledger on a server to a schema of another name. Returns whether anything was in them."""
        with self._engine.begin() as connection:
            has_rows = any(
                connection.execute(sa.select(sa.exists(sa.select(table)))).scalar()
                for table in metadata.sorted_tables
                if table is not origin
            )
            name = self._engine.dialect.identifier_preparer.quote(schema)
            connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {name}"))
            for table in metadata.sorted_tables:
                connection.execute(sa.text(f"ALTER TABLE {table.name} SET SCHEMA {name}"))
        return has_rows

    def _one_state(self) -> sa.Connection:
        """A connection whose queries all see the ledger as it is at the first one: deliveries may go on."""
        connection = self._engine.connect()
        if self._engine.dialect.name == "postgresql":
            return connection.execution_options(isolation_level="REPEATABLE READ")
        return connection


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[list[dict[str, object]]]:
    """All rows, ordered by the primary key, some at a time."""
    query = sa.select(table).order_by(*table.primary_key.columns)
    with connection.execution_options(yield_per=_AT_ONCE).execute(query) as result:
        for part in result.mappings().partitions():
            yield [dict(row) for row in part]
