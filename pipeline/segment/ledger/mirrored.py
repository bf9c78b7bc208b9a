"""What the warehouse has a copy of."""

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from pipeline.dates import ExportDates
from pipeline.segment.ledger.statements import within
from pipeline.segment.ledger.tables import batches, dead_events, forgotten, withheld_dates

MIRRORED_BATCH_COLUMNS = (
    *("batch_id", "event", "export_date", "events", "status", "attempts"),
    *("first_attempt_at", "delivered_at", "reason"),
)
MIRRORED_DEAD_COLUMNS = ("id", "event", "export_date", "batch_id", "reason", "died_at")
MIRRORED_FORGOTTEN_COLUMNS = ("batch_id", "event", "export_date", "events")
MIRRORED_WITHHELD_COLUMNS = ("export_date", "withheld_at")

_MIRRORED = (
    (batches, MIRRORED_BATCH_COLUMNS),
    (dead_events, MIRRORED_DEAD_COLUMNS),
    (forgotten, MIRRORED_FORGOTTEN_COLUMNS),
    (withheld_dates, MIRRORED_WITHHELD_COLUMNS),
)


def frames(connection: Connection, dates: ExportDates) -> tuple[pd.DataFrame, ...]:
    """A frame a table, of these export dates."""
    return tuple(
        pd.read_sql(sa.select(*(table.c[name] for name in columns)).where(within(table, dates)), connection)
        for table, columns in _MIRRORED
    )
