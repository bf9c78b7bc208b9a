"""Dead events that are tried again: out of their former batches, and into new ones as the tables have them now."""

import duckdb

from pipeline.segment.ledger import Ledger
from pipeline.warehouse import transaction


def let_go(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> int:
    """Take the events whose replay was asked for out of the outbox, so that the next cut takes them anew; how many.

    They are noted in the ledger first and struck off last: a process that is killed in between is completed by the
    next, and meanwhile they are dead.
    """
    asked = ledger.replays()
    if not asked:
        return 0
    with transaction(connection):
        connection.execute(
            "DELETE FROM delivery.outbox WHERE id IN (SELECT unnest(?::VARCHAR[]))", [[key for key, _ in asked]]
        )
    ledger.replayed()
    return len(asked)


def shown(connection: duckdb.DuckDBPyConnection, ids: list[str], most: int) -> list[tuple[str, str, str, str]]:
    """Of some dead events: id, event, message with masked addresses and user ids, and why they are dead."""
    rows = connection.execute(
        "SELECT outbox.id, outbox.event, regexp_replace(regexp_replace("
        "json_merge_patch(outbox.payload, CASE WHEN outbox.payload ->> '$.userId' IS NULL THEN '{}' "
        """ELSE '{"userId":"***"}' END)::VARCHAR, '[^"@ ]+@[^"@ ]+', '***@***', 'g'), '"user_id":"[^"]*"', """
        """'"user_id":"***"', 'g'), dead_events.reason """
        "FROM delivery.outbox JOIN delivery.dead_events ON outbox.id = dead_events.id "
        "WHERE outbox.id IN (SELECT unnest(?::VARCHAR[])) ORDER BY outbox.timestamp, outbox.id LIMIT ?",
        [ids, most],
    ).fetchall()
    return [(row[0], row[1], row[2], row[3]) for row in rows]
