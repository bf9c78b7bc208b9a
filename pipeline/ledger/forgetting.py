"""Of people who are forgotten a number remains, and nothing that leads back to them."""

import hashlib
from collections.abc import Sequence

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.ledger.records import Remaining
from pipeline.ledger.schema import batches, dead_events, forgotten
from pipeline.ledger.statements import chunks, found, insert


def forget(connection: Connection, remaining: Sequence[Remaining], ids: Sequence[str]) -> int:
    """Keep of these events no more than their number; how many of them were dead.

    A number is set and not added to, so a process that was killed can do it again. A batch of which nothing remains
    goes as well: taken off the list, its people may make one of the same name, which is to be sent.
    """
    before = {row.batch_id: row for row in remaining}
    sizes: dict[str, int] = {}
    for chunk in chunks(list(before)):
        query = sa.select(batches.c.batch_id, batches.c.events).where(batches.c.batch_id.in_(chunk))
        sizes |= {row.batch_id: row.events for row in connection.execute(query)}
    over = {key: _nameless(key) for key, row in before.items() if row.events == 0 and key in sizes}
    done = found(connection, forgotten.c.batch_id, [_nameless(key) for key in before if key not in sizes])
    counted = [
        vars(row) | {"batch_id": over.get(key, key), "events": sizes.get(key, 1) - row.events}
        for key, row in before.items()
        if _nameless(key) not in done
    ]
    _delete(connection, forgotten.c.batch_id, [str(row["batch_id"]) for row in counted])
    _delete(connection, forgotten.c.batch_id, list(over))
    _delete(connection, batches.c.batch_id, list(over))
    insert(connection, forgotten, counted)
    return _delete(connection, dead_events.c.id, ids)


def texts(connection: Connection) -> pd.DataFrame:
    """Every text that came from elsewhere, with the row that has it: the answers of Segment, and of proxies."""
    queries = [
        sa.select(table.c[key].label("key"), table.c.reason).where(table.c.reason.is_not(None))
        for table, key in ((batches, "batch_id"), (dead_events, "id"))
    ]
    return pd.read_sql(sa.union_all(*queries), connection)


def replace_texts(connection: Connection, keys: Sequence[str], text: str) -> None:
    """Say this instead of what an answer said."""
    for chunk in chunks(keys):
        for column in (batches.c.batch_id, dead_events.c.id):
            connection.execute(sa.update(column.table).where(column.in_(chunk)).values(reason=text))


def _nameless(batch_id: str) -> str:
    """Under which the number of a batch is kept that is there no more."""
    return hashlib.sha256(batch_id.encode()).hexdigest()


def _delete(connection: Connection, column: sa.Column[str], keys: Sequence[str]) -> int:
    """Delete the rows of these keys; how many there were."""
    return sum(connection.execute(sa.delete(column.table).where(column.in_(chunk))).rowcount for chunk in chunks(keys))
