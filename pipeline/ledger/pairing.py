"""What the ledger knows of the warehouse that it goes with."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.ledger.records import DELIVERED, Pairing
from pipeline.ledger.schema import batches, dead_events, metadata, origin, withheld_dates
from pipeline.ledger.statements import insert

_PAIR, _GENERATION, _SEEN = "pair", "generation", "warehouse_generation"


def pairing(connection: Connection) -> Pairing:
    """As it stands."""
    known: dict[str, str] = dict(connection.execute(sa.select(origin.c.name, origin.c.value)).tuples().all())
    return Pairing(known.get(_PAIR), int(known.get(_GENERATION, 0)), int(known.get(_SEEN, 0)))


def pair(connection: Connection, new: Pairing) -> None:
    """Keep this from now on."""
    connection.execute(sa.delete(origin).where(origin.c.name.in_((_PAIR, _GENERATION, _SEEN))))
    values = {_PAIR: new.pair or "", _GENERATION: str(new.generation), _SEEN: str(new.seen)}
    insert(connection, origin, [{"name": name, "value": value} for name, value in values.items()])


def advance(connection: Connection) -> None:
    """Whatever was copied before this is older; nothing where no warehouse is known yet."""
    later = sa.cast(sa.cast(origin.c.value, sa.BigInteger) + 1, sa.Text)
    connection.execute(sa.update(origin).where(origin.c.name == _GENERATION).values(value=later))


def see(connection: Connection, generation: int) -> None:
    """Keep the generation that the warehouse has; nothing where no warehouse is known yet."""
    is_other = sa.and_(origin.c.name == _SEEN, origin.c.value != str(generation))
    connection.execute(sa.update(origin).where(is_other).values(value=str(generation)))


def delivered_events(connection: Connection) -> int:
    """Events in batches that were delivered."""
    query = sa.select(sa.func.coalesce(sa.func.sum(batches.c.events), 0)).where(batches.c.status == DELIVERED)
    return int(connection.execute(query).scalar() or 0)


def has_sent(connection: Connection) -> bool:
    """Whether something was ever sent, or tried."""
    tried = sa.or_(batches.c.status == DELIVERED, batches.c.attempts > 0, batches.c.first_attempt_at.is_not(None))
    query = sa.select(sa.exists().where(tried) | sa.exists().where(dead_events.c.batch_id.is_not(None)))
    return bool(connection.execute(query).scalar())


def start_over(connection: Connection) -> None:
    """Delete all rows, but for what is known of the ledger itself, and which dates are withheld."""
    for table in metadata.sorted_tables:
        if table not in (origin, withheld_dates):
            connection.execute(sa.delete(table))
