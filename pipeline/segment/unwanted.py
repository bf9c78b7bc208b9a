"""Events in the outbox that are not to be sent any longer: their people are suppressed, or no export contains them."""

from collections.abc import Sequence

import duckdb

from pipeline.catalog import IDENTIFIES
from pipeline.export_dates import ExportDates
from pipeline.ledger import SUPPRESSED, WITHDRAWN, DeadEvent, Ledger
from pipeline.privacy.digests import is_suppressed
from pipeline.privacy.suppression import any_suppressed
from pipeline.segment.staged import PERSON, SUPERSEDED, has_identities, staged_rows
from pipeline.warehouse import literal

Connection = duckdb.DuckDBPyConnection

# Over the columns of staging.
_IS_SUPPRESSED = is_suppressed(*PERSON)


def suppressed(connection: Connection, batch_ids: Sequence[str]) -> list[DeadEvent]:
    """Events of suppressed people in these batches."""
    if not batch_ids or not any_suppressed(connection):
        return []
    rows = connection.execute(
        f"""
        WITH waiting AS MATERIALIZED (
            SELECT id, event, export_date, batch_id, timestamp FROM delivery.outbox
            WHERE batch_id IN (SELECT unnest(?::VARCHAR[]))
        ),
        staged AS MATERIALIZED (
            SELECT CAST(id AS VARCHAR) AS id, user_id, email, list_id, selligent_user_id FROM {staged_rows(connection)}
            WHERE {_in_span_of("waiting")} AND CAST(id AS VARCHAR) IN (SELECT id FROM waiting)
        ),
        gone AS MATERIALIZED (FROM waiting WHERE id NOT IN (SELECT id FROM staged)),
        {_ROWS_OF_GONE}
        SELECT id, event, export_date, batch_id, '{SUPPRESSED}' FROM waiting
        WHERE id IN (SELECT id FROM staged WHERE {_IS_SUPPRESSED})
            OR id IN (SELECT id FROM rows_of_gone WHERE {_IS_SUPPRESSED})
        """,
        [list(batch_ids)],
    ).fetchall()
    return [DeadEvent(*row) for row in rows]


def withdrawn(connection: Connection, dates: ExportDates) -> list[DeadEvent]:
    """Events in the outbox that no export contains any longer: a corrected file replaced the one that did.

    Events of suppressed people left the tables for another reason.
    """
    is_theirs = f"id IN (SELECT id FROM rows_of_gone WHERE {_IS_SUPPRESSED})"
    but_suppressed = f"WHERE NOT {is_theirs}" if any_suppressed(connection) else ""
    # The time of an identity may change.
    identities = " UNION ALL SELECT id FROM staging.identities" if has_identities(connection) else ""
    rows = connection.execute(
        f"""
        WITH cut AS (
            SELECT id, event, export_date, batch_id, timestamp FROM delivery.outbox
            WHERE export_date BETWEEN $1 AND $2
        ),
        gone AS MATERIALIZED (
            FROM cut
            WHERE CAST(id AS UUID) NOT IN (SELECT id FROM staging.events WHERE {_in_span_of("cut")}{identities})
        ),
        {_ROWS_OF_GONE}
        SELECT id, event, export_date, batch_id, '{WITHDRAWN}: a corrected export no longer contains it'
        FROM gone {but_suppressed}
        """,
        [dates.first, dates.last],
    ).fetchall()
    return [DeadEvent(*row) for row in rows]


def withdrawn_after_delivery(connection: Connection, ledger: Ledger, dates: ExportDates) -> int:
    """The number of delivered events of these dates that no export contains any longer. Dates whose new events are held
    since a setting or a layout changed are left out: nothing was withdrawn there if the change is undone.
    """
    held = {each.export_date for each in ledger.replacing(dates)}
    return sum(each.export_date not in held for each in ledger.delivered_among(withdrawn(connection, dates)))


def superseded(connection: Connection, batch_ids: Sequence[str]) -> list[DeadEvent]:
    """Identify calls in these batches whose contact has changed since: the newest one of a contact is sent."""
    if not batch_ids or not has_identities(connection):
        return []
    rows = connection.execute(
        f"""
        SELECT id, event, export_date, batch_id, '{WITHDRAWN}: the contact has changed since'
        FROM delivery.outbox
        WHERE event = {literal(IDENTIFIES.table)} AND batch_id IN (SELECT unnest(?::VARCHAR[]))
            AND CAST(id AS UUID) IN ({SUPERSEDED})
        """,
        [list(batch_ids)],
    ).fetchall()
    return [DeadEvent(*row) for row in rows]


def _in_span_of(events: str) -> str:
    return f"timestamp BETWEEN (SELECT min(timestamp) FROM {events}) AND (SELECT max(timestamp) FROM {events})"


# The models delete events of suppressed people, and leave their rows of the exports.
_ROWS_OF_GONE = f"""
    rows_of_gone AS MATERIALIZED (
        SELECT CAST(id AS VARCHAR) AS id, user_id, email, list_id, selligent_user_id FROM staging.event_rows
        WHERE {_in_span_of("gone")} AND CAST(id AS VARCHAR) IN (SELECT id FROM gone)
    )
"""
