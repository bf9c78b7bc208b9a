"""Events that were delivered before a lookup knew the name of their email, campaign, link or list.

The tables get such a name when it comes; Segment has the event as it was sent.
"""

import duckdb

from pipeline.catalog import NAMES
from pipeline.dates import ExportDates

_PATHS = [f"$.properties.{key}" for pair in NAMES.values() for key in pair]


def delivered_without_name(connection: duckdb.DuckDBPyConnection, dates: ExportDates) -> dict[str, int]:
    """By name (`email_subject`, `campaign_name` …), the delivered events of these export dates whose message has the
    id and not the name; names that no message lacks are left out.
    """
    columns = ", ".join(
        f"count(*) FILTER (said[{2 * place + 1}] IS NOT NULL AND said[{2 * place + 2}] IS NULL)"
        for place in range(len(NAMES))
    )
    counted = connection.execute(
        f"""
        SELECT {columns}
        FROM (
            SELECT json_extract_string(outbox.payload, $1) AS said
            FROM delivery.outbox
            JOIN delivery.batches ON outbox.batch_id = batches.batch_id AND batches.status = 'delivered'
            WHERE outbox.export_date BETWEEN $2 AND $3
                AND outbox.id NOT IN (SELECT id FROM delivery.dead_events)
        )
        """,
        [_PATHS, dates.first, dates.last],
    ).fetchone()
    assert counted is not None  # an aggregate always has its row
    return {name: number for (_, name), number in zip(NAMES.values(), counted, strict=True) if number}
