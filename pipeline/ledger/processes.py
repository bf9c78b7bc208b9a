"""The processes that use the ledger: the one that sends, and those of runs on several machines."""

from uuid import uuid4

import sqlalchemy as sa

from pipeline.errors import DeliveryError
from pipeline.ledger.database import LedgerDatabase
from pipeline.ledger.schema import origin
from pipeline.ledger.statements import insert

_SENDER = "sender"
_RUN = "run:"


class ProcessesPart(LedgerDatabase):
    """The part of the ledger about processes."""

    def become_sender(self) -> str:
        """Become the only sender of this ledger's batches, in place of one whose lock was lost. Returns its token."""
        token = uuid4().hex
        with self._engine.begin() as connection:
            _put(connection, _SENDER, token)
        return token

    def note_run(self, run_id: str) -> None:
        """Record that a process executes this run."""
        with self._engine.begin() as connection:
            _put(connection, _RUN + run_id, "")

    def forget_run(self, run_id: str) -> None:
        """Delete this record: the process has ended."""
        with self._engine.begin() as connection:
            connection.execute(sa.delete(origin).where(origin.c.name == _RUN + run_id))

    def knows_run(self, run_id: str) -> bool:
        """Whether a process executes this run, or was killed while it did."""
        return bool(self._values(sa.select(origin.c.name).where(origin.c.name == _RUN + run_id)))


def check_sender(connection: sa.Connection, token: str) -> None:
    """Check, for the transaction of this connection, that no other process has become the sender.

    Raises:
        DeliveryError: another one has.
    """
    # An update, so that the other one waits until the transaction has ended, or the transaction sees its token.
    own = sa.and_(origin.c.name == _SENDER, origin.c.value == token)
    if not connection.execute(sa.update(origin).where(own).values(value=token)).rowcount:
        raise DeliveryError(
            "Another process delivers now, since the connection that held this one's lock was lost; what was not sent "
            "is still waiting"
        )


def _put(connection: sa.Connection, name: str, value: str) -> None:
    connection.execute(sa.delete(origin).where(origin.c.name == name))
    insert(connection, origin, [{"name": name, "value": value}])
