"""The tables of the ledger: one row per batch and one per dead event. Every change of them needs a migration."""

from datetime import UTC, datetime

import sqlalchemy as sa

from pipeline.ledger.records import WAITING


class Instant(sa.TypeDecorator[datetime]):
    """A point in time, UTC. SQLite stores no time zone, so it is added again when a value is read."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To the database."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """From the database."""
        return (value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)) if value else None


metadata = sa.MetaData()

batches = sa.Table(
    "batches",
    metadata,
    sa.Column("batch_id", sa.String(64), primary_key=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("export_date", sa.Date, nullable=False),
    sa.Column("sequence", sa.Integer, nullable=False),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Column("status", sa.String(16), nullable=False, default=WAITING),
    sa.Column("attempts", sa.Integer, nullable=False, default=0),
    sa.Column("first_attempt_at", Instant),
    sa.Column("delivered_at", Instant),
    sa.Column("reason", sa.Text),
    # By name, the number of delivered messages with an id and not its name, as JSON. NULL: none, or not known.
    sa.Column("without_names", sa.Text),
    sa.Index("batches_by_date", "export_date", "event", "status"),
)

dead_events = sa.Table(
    "dead_events",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("export_date", sa.Date, nullable=False),
    sa.Column("batch_id", sa.String(64), index=True),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("died_at", Instant, nullable=False),
    sa.Index("dead_events_by_date", "export_date", "event"),
)

# The progress of each export date: it passed a stage with everything that had been loaded of it by then.
progress = sa.Table(
    "progress",
    metadata,
    sa.Column("export_date", sa.Date, primary_key=True),
    sa.Column("stage", sa.String(16), primary_key=True),
    sa.Column("loaded_at", Instant, nullable=False),
    sa.Column("load_number", sa.BigInteger, nullable=False, server_default="0"),
)

# Export dates whose events are not due until they are released.
withheld_dates = sa.Table(
    "withheld_dates",
    metadata,
    sa.Column("export_date", sa.Date, primary_key=True),
    sa.Column("withheld_at", Instant, nullable=False),
)

# Requested replays of dead events, until the outbox contains them in other batches than those they died in.
replays = sa.Table(
    "replays",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("batch_id", sa.String(64)),
    sa.Column("export_date", sa.Date, nullable=False),
)

# Deliveries of batches that were set back to waiting afterwards, since they went to a wrong source.
earlier_deliveries = sa.Table(
    "earlier_deliveries",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("batch_id", sa.String(64), nullable=False, index=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("export_date", sa.Date, nullable=False),
    # Without those that were dead or forgotten.
    sa.Column("events", sa.Integer, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_attempt_at", Instant),
    sa.Column("delivered_at", Instant),
    sa.Column("replayed_at", Instant, nullable=False),
)

# Delivered events that had left the tables when new events of their export date and name were sent all the same.
accepted_withdrawals = sa.Table(
    "accepted_withdrawals",
    metadata,
    sa.Column("export_date", sa.Date, primary_key=True),
    sa.Column("event", sa.String(64), primary_key=True),
    sa.Column("events", sa.Integer, nullable=False),
)

# Numbers of forgotten events: nothing here leads back to a person.
forgotten = sa.Table(
    "forgotten",
    metadata,
    sa.Column("batch_id", sa.String(64), primary_key=True),
    sa.Column("event", sa.String(64), nullable=False),
    sa.Column("export_date", sa.Date, nullable=False),
    sa.Column("events", sa.Integer, nullable=False),
    sa.Index("forgotten_by_date", "export_date", "event"),
)

# Facts about the ledger by name: the version of its tables, the warehouse that it belongs to, and the processes that
# use it.
origin = sa.Table(
    "origin",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

# Delivered batches that are no longer in the warehouse since it was lost: one that is cut again with the same events
# was delivered, unless some of its events were dead or forgotten (`lost`).
former_batches = sa.Table(
    "former_batches",
    metadata,
    *(
        sa.Column(column.name, column.type, primary_key=column.primary_key, nullable=column.nullable)
        for column in batches.columns
        if column.name != "reason"
    ),
    sa.Column("lost", sa.Integer, nullable=False, server_default="0"),
)
