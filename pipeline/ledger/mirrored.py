"""What the warehouse has a copy of."""

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.export_dates import ExportDates
from pipeline.ledger.schema import batches, dead_events, forgotten, withheld_dates
from pipeline.ledger.statements import within

# By the name of the copy: the table, and the columns that the copy has, the key first.
_MIRRORED = {
    "delivery.batches": (
        batches,
        [
            *("batch_id", "event", "export_date", "events", "status", "attempts"),
            *("first_attempt_at", "delivered_at", "reason"),
        ],
    ),
    "delivery.dead_events": (dead_events, ["id", "event", "export_date", "batch_id", "reason", "died_at"]),
    "delivery.forgotten_events": (forgotten, ["batch_id", "event", "export_date", "events"]),
    "delivery.withheld_dates": (withheld_dates, ["export_date", "withheld_at"]),
}


def frames(connection: Connection, dates: ExportDates) -> dict[str, pd.DataFrame]:
    """The rows of these export dates by the name of the copy; the first column tells rows apart."""
    return {
        copy: pd.read_sql(sa.select(*(table.c[name] for name in columns)).where(within(table, dates)), connection)
        for copy, (table, columns) in _MIRRORED.items()
    }
