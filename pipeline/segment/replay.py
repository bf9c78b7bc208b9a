"""Replays of dead events: they move from their former batches into new ones, as they are in the tables now.

A replay is requested in the ledger first and removed there last; until then the events are dead. The next run of their
dates completes what a killed process began.
"""

from collections.abc import Sequence
from datetime import date

import duckdb

from pipeline.catalog import CALLS_BY_TABLE
from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.privacy.digests import is_suppressed
from pipeline.privacy.suppression import any_suppressed
from pipeline.segment.messages import MessageSource
from pipeline.segment.staged import PERSON, SUPERSEDED, has_identities, staged_rows
from pipeline.warehouse import one_column


def revive(connection: duckdb.DuckDBPyConnection, ledger: Ledger, dates: ExportDates) -> None:
    """Request a replay of unwanted events that are in the tables again: corrected once more, or off the list."""
    if not (unwanted := ledger.unwanted_ids()):
        return
    but_suppressed = f"AND NOT {is_suppressed(*PERSON)}" if any_suppressed(connection) else ""
    but_superseded = f"AND id NOT IN ({SUPERSEDED})" if has_identities(connection) else ""
    ids = one_column(
        connection,
        f"SELECT CAST(id AS VARCHAR) FROM {staged_rows(connection)} "
        "WHERE export_date BETWEEN ? AND ? AND CAST(id AS VARCHAR) IN (SELECT unnest(?::VARCHAR[])) "
        f"{but_suppressed} {but_superseded}",
        [dates.first, dates.last, unwanted],
    )
    ledger.revive(ids)


def dates_of(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> set[date]:
    """The export dates that events have now, which may differ from those that they died with."""
    if not ids:
        return set()
    return set(
        one_column(
            connection,
            f"SELECT DISTINCT export_date FROM {staged_rows(connection)} "
            "WHERE CAST(id AS VARCHAR) IN (SELECT unnest(?::VARCHAR[]))",
            [list(ids)],
        )
    )


def dates_with_replays(connection: duckdb.DuckDBPyConnection, ledger: Ledger) -> set[date]:
    """Export dates with requested replays that were not cut because a process was killed; not withheld ones."""
    return dates_of(connection, [replay.id for replay in ledger.replays()]) - set(ledger.withheld())


def samples(
    connection: duckdb.DuckDBPyConnection, source: MessageSource, ids: list[str], most: int
) -> list[tuple[str, str, str, str]]:
    """At most so many of some dead events: id, event, message with masked addresses and user ids, and reason.

    The message is empty where no table contains the event any longer.
    """
    shown = connection.execute(
        "SELECT outbox.id, outbox.event, outbox.timestamp, dead_events.reason "
        "FROM delivery.outbox JOIN delivery.dead_events ON outbox.id = dead_events.id "
        "WHERE outbox.id IN (SELECT unnest(?::VARCHAR[])) ORDER BY outbox.timestamp, outbox.id LIMIT ?",
        [ids, most],
    ).fetchall()
    messages: dict[str, str] = {}
    for table in {table for _, table, _, _ in shown}:
        event = CALLS_BY_TABLE[table]
        rows = connection.execute(
            f"SELECT id, {_MASKED} FROM (SELECT id, {source.message(event)} AS message FROM {source.table(event)} "
            "WHERE id IN (SELECT unnest(?::VARCHAR[])))",
            [[key for key, of_table, _, _ in shown if of_table == table]],
        )
        messages |= dict(rows.fetchall())
    return [(key, table, messages.get(key, ""), reason) for key, table, _, reason in shown]


def dead_again(connection: duckdb.DuckDBPyConnection, ids: Sequence[str]) -> list[tuple[str, int]]:
    """Why replayed events are dead again, since Segment would still drop them, with the number of events."""
    if not ids:
        return []
    return connection.execute(
        "SELECT dead_because, count(*) FROM delivery.outbox "
        "WHERE dead_because IS NOT NULL AND id IN (SELECT unnest(?::VARCHAR[])) GROUP BY ALL ORDER BY 2 DESC, 1",
        [list(ids)],
    ).fetchall()


_MASKED = (
    "regexp_replace(regexp_replace(regexp_replace(json_merge_patch(message, "
    """CASE WHEN message ->> '$.userId' IS NULL THEN '{}' """
    """WHEN message ->> '$.traits' IS NOT NULL THEN '{"userId":"***","traits":"***"}' """
    """ELSE '{"userId":"***"}' END)::VARCHAR, """
    """'[^"@ ]+@[^"@ ]+', '***@***', 'g'), '"user_id":"[^"]*"', '"user_id":"***"', 'g'), """
    """'"ip":"[^"]*"', '"ip":"***"')"""
)
