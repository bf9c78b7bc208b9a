"""The outbox: due events are cut into batches, once. A batch never changes after it was cut."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import duckdb

from pipeline.catalog import EVENTS, Event
from pipeline.errors import DeliveryError
from pipeline.export_dates import ExportDates
from pipeline.ledger import SUPPRESSED, WITHDRAWN, Batch, DeadEvent, Replay
from pipeline.ledger.warehouse_pairing import advance_warehouse
from pipeline.privacy.digests import is_suppressed
from pipeline.privacy.suppression import any_suppressed
from pipeline.segment.messages import (
    ENVELOPE_BYTES,
    MAX_BATCH_BYTES,
    MAX_BATCH_EVENTS,
    MAX_EVENT_BYTES,
    SEPARATOR,
    dead_because,
    message,
)
from pipeline.warehouse import literal, one_row, one_value, quoted, transaction

Connection = duckdb.DuckDBPyConnection

# SQL for whether a row of the outbox belongs to a suppressed person.
OF_SUPPRESSED = is_suppressed(
    "payload ->> '$.userId'",
    "payload ->> '$.context.traits.email'",
    "payload ->> '$.context.selligent.list_id'",
    "payload ->> '$.context.selligent.user_id'",
)

# An event that begins within these bytes of a batch ends within the limit, whatever its size.
_FILL_BYTES = MAX_BATCH_BYTES - MAX_EVENT_BYTES - ENVELOPE_BYTES
# Some sixty batches; the last of them is shorter than the others.
_STRETCH_EVENTS = 50_000


@dataclass(frozen=True)
class Limits:
    """The maximum events of a batch, and the maximum for export dates earlier than `before`; None: Segment's limit."""

    events: int | None = None
    old_events: int | None = None
    before: date = date.min

    def as_sql(self) -> str:
        """SQL for the limit of a row with an `export_date`."""
        new, old = (min(MAX_BATCH_EVENTS, most or MAX_BATCH_EVENTS) for most in (self.events, self.old_events))
        return f"CASE WHEN export_date < DATE '{self.before}' THEN {old} ELSE {new} END" if new != old else f"{new}"


@dataclass(frozen=True)
class CutRules:
    """Rules for cutting batches.

    `integrations` are the destinations that messages name. Events of `withheld` dates are not due. `limits` are below
    Segment's where a low rate limit requires it. Events of `replayed_ids` that are due move from their batches into new
    ones; with `replays_only`, no other events are cut.
    """

    integrations: Mapping[str, bool] | None = None
    withheld: Collection[date] = ()
    limits: Limits = Limits()
    replayed_ids: Collection[str] = ()
    replays_only: bool = False


@dataclass(frozen=True)
class Cut:
    """The result of a cut: events by event name, undeliverable events, and batches; `replayed_ids` had been in other
    batches before.
    """

    events: Mapping[str, int]
    dead: int
    batches: int
    replayed_ids: Sequence[str] = ()


def cut(connection: Connection, schema: str, dates: ExportDates, now: datetime, rules: CutRules | None = None) -> Cut:
    """Cut every event of these export dates that was never due before into batches, all in one transaction."""
    rules = rules or CutRules()
    query = "SELECT min(timestamp), max(timestamp) FROM staging.events WHERE export_date BETWEEN ? AND ?"
    first, last = one_row(connection, query, [dates.first, dates.last])
    if first is None:
        return Cut({event.table: 0 for event in EVENTS}, 0, 0)
    events: dict[str, int] = {}
    moved: list[str] = []
    counted: list[tuple[int, int]] = []
    between = f"BETWEEN TIMESTAMPTZ '{first.isoformat()}' AND TIMESTAMPTZ '{last.isoformat()}'"
    suppressing = any_suppressed(connection)
    with transaction(connection):
        if rules.replayed_ids:
            connection.execute(
                "CREATE TEMP TABLE replayed AS SELECT unnest(?::VARCHAR[]) AS id", [list(rules.replayed_ids)]
            )
        for event in EVENTS:
            connection.execute(_messages(event, schema, dates, between, rules, suppressing=suppressing))
            connection.execute(_positions(event, dates, rules.limits))
            # After the positions were assigned: a batch never gets the number of a deleted one.
            if rules.replayed_ids:
                moved += [key for (key,) in connection.execute(_MOVED).fetchall()]
                connection.execute(f"DELETE FROM delivery.outbox WHERE id IN ({_MOVED})")
            events[event.table] = int(one_value(connection, _FILL_OUTBOX, [event.table, now]))
            counted.append(one_row(connection, _COUNTED))
        if moved or any(events.values()):
            advance_warehouse(connection)
        connection.execute(
            "DROP TABLE temp.new_messages; DROP TABLE temp.new_positions; DROP TABLE IF EXISTS temp.replayed"
        )
    batches, dead = (sum(numbers) for numbers in zip(*counted, strict=True))
    return Cut(events, dead, batches, moved)


_COUNTED = """
    SELECT
        (SELECT count(DISTINCT batch_id) FROM temp.new_positions),
        (SELECT count(dead_because) FROM temp.new_messages)
"""
_MOVED = "SELECT id FROM temp.new_messages WHERE id IN (SELECT id FROM temp.replayed)"


def _due(event: Event, between: str, rules: CutRules) -> str:
    """SQL for whether an event is due: it is not in the outbox, or it is replayed."""
    never = (
        f"events.id NOT IN (SELECT id FROM delivery.outbox "
        f"WHERE event = {literal(event.table)} AND timestamp {between})"
    )
    replayed = "events.id IN (SELECT id FROM temp.replayed)"
    if not rules.replayed_ids:
        return "false" if rules.replays_only else never
    return replayed if rules.replays_only else f"({replayed} OR {never})"


def _messages(
    event: Event, schema: str, dates: ExportDates, between: str, rules: CutRules, *, suppressing: bool
) -> str:
    """SQL for the table of due messages, in the order in which they are sent."""
    table = f"{quoted(schema)}.{quoted(event.table)}"
    listed = ", ".join(f"DATE '{day}'" for day in rules.withheld)
    but_withheld = f" AND export_date NOT IN ({listed})" if rules.withheld else ""
    # People who were listed after the models ran.
    unwanted = is_suppressed(
        "events.user_id",
        "events.context_traits_email",
        "events.context_selligent_list_id",
        "events.context_selligent_user_id",
    )
    return f"""
        CREATE OR REPLACE TEMP TABLE new_messages AS
        WITH due AS (
            SELECT events.*, staged.export_date
            FROM {table} AS events
            JOIN (
                SELECT CAST(id AS VARCHAR) AS id, export_date FROM staging.events
                WHERE {_within(dates)} AND event_text = {literal(event.name)}{but_withheld}
            ) AS staged ON events.id = staged.id
            WHERE events.timestamp {between}
                AND {_due(event, between, rules)}{f" AND NOT {unwanted}" if suppressing else ""}
        ),
        messages AS (
            SELECT id, export_date, timestamp, user_id, anonymous_id, {message(event, rules.integrations)} AS payload
            FROM due
        )
        SELECT id, export_date, timestamp, payload, {dead_because("strlen(payload)")} AS dead_because
        FROM messages
        ORDER BY export_date, timestamp, id
    """


def _positions(event: Event, dates: ExportDates, limits: Limits) -> str:
    """SQL for the table of each message's position: its batch, and the batch's number within its date.

    It leaves out the messages themselves, whose bytes every sort would move. Bytes are summed up over one stretch of
    messages at a time, so that any day fits into memory. A batch's id is a hash of all ids in it: they are hashed one
    by one and combined bit by bit, because a text of all of them would need memory for each event.
    """
    size = f"strlen(payload) + {len(SEPARATOR)}"
    return f"""
        CREATE OR REPLACE TEMP TABLE new_positions AS
        WITH filled AS (
            SELECT
                rowid AS message, id, export_date, rowid // {_STRETCH_EVENTS} AS stretch,
                (sum({size}) OVER in_order - ({size})) // {_FILL_BYTES} AS by_bytes
            FROM temp.new_messages
            WHERE dead_because IS NULL
            WINDOW in_order AS (PARTITION BY export_date, rowid // {_STRETCH_EVENTS} ORDER BY rowid)
        ),
        laid_out AS (
            SELECT *, (row_number() OVER in_order - 1) // ({limits.as_sql()}) AS by_events
            FROM filled
            WINDOW in_order AS (PARTITION BY export_date, stretch, by_bytes ORDER BY message)
        ),
        batches AS (
            SELECT
                export_date, stretch, by_bytes, by_events,
                bit_xor(md5_number(id)) AS ids, count(*) AS events,
                row_number() OVER (PARTITION BY export_date ORDER BY min(message)) + coalesce(
                    (
                        SELECT max(sequence) FROM delivery.outbox
                        WHERE event = {literal(event.table)} AND {_within(dates)}
                            AND outbox.export_date = laid_out.export_date
                    ), 0
                ) AS sequence
            FROM laid_out
            GROUP BY export_date, stretch, by_bytes, by_events
        )
        SELECT message, sequence, md5(concat_ws(',', ids, events, sequence)) AS batch_id
        FROM laid_out JOIN batches USING (export_date, stretch, by_bytes, by_events)
    """


# Undeliverable messages have no position.
_FILL_OUTBOX = """
    INSERT INTO delivery.outbox BY NAME
    SELECT id, $1 AS event, export_date, timestamp, sequence, batch_id, payload, dead_because, $2 AS cut_at
    FROM temp.new_messages AS messages
    LEFT JOIN temp.new_positions AS positions ON messages.rowid = positions.message
"""


def _within(dates: ExportDates) -> str:
    return f"export_date BETWEEN DATE '{dates.first}' AND DATE '{dates.last}'"


def cut_batches(connection: Connection, dates: ExportDates) -> list[Batch]:
    """Every batch of these dates."""
    rows = connection.execute(
        "SELECT batch_id, event, export_date, sequence, count(*) FROM delivery.outbox "
        "WHERE batch_id IS NOT NULL AND export_date BETWEEN ? AND ? GROUP BY ALL ORDER BY export_date, sequence",
        [dates.first, dates.last],
    ).fetchall()
    return [Batch(*row) for row in rows]


def undeliverable(connection: Connection, dates: ExportDates) -> list[DeadEvent]:
    """Events that Segment would drop silently; they are in no batch."""
    rows = connection.execute(
        "SELECT id, event, export_date, batch_id, dead_because FROM delivery.outbox "
        "WHERE dead_because IS NOT NULL AND export_date BETWEEN ? AND ?",
        [dates.first, dates.last],
    ).fetchall()
    return [DeadEvent(*row) for row in rows]


def in_new_batches(connection: Connection, dates: ExportDates, replays: Sequence[Replay]) -> set[str]:
    """Replayed events that are in other batches of these dates than the batches in which they died."""
    if not replays:
        return set()
    died_in = {replay.id: replay.batch_id for replay in replays}
    rows = connection.execute(
        "SELECT id, batch_id FROM delivery.outbox "
        "WHERE export_date BETWEEN ? AND ? AND id IN (SELECT unnest(?::VARCHAR[]))",
        [dates.first, dates.last, list(died_in)],
    ).fetchall()
    return {key for key, batch_id in rows if batch_id != died_in[key]}


def bodies(connection: Connection, group: Sequence[Batch], dead: Sequence[str]) -> Iterator[tuple[Batch, str]]:
    """The messages of some batches of one event and export date, joined, one text per batch; without dead events, and
    empty where all of them are dead.

    Raises:
        DeliveryError: a batch has another number of events in the outbox than in the ledger.
    """
    first, last = group[0], group[-1]
    rows = connection.execute(
        f"""
        SELECT
            batch_id, count(*),
            string_agg(payload, {literal(SEPARATOR)} ORDER BY timestamp, id)
                FILTER (id NOT IN (SELECT unnest(?::VARCHAR[])))
        FROM delivery.outbox
        WHERE event = ? AND export_date = ? AND sequence BETWEEN ? AND ?
        GROUP BY batch_id
        """,
        [list(dead), first.event, first.export_date, first.sequence, last.sequence],
    ).fetchall()
    found = {batch_id: (events, messages or "") for batch_id, events, messages in rows}
    for batch in group:
        events, messages = found.get(batch.batch_id, (0, ""))
        if events != batch.events:
            raise DeliveryError(
                f"A batch of {batch.event} of {batch.export_date} ({batch.batch_id}) has {batch.events:,} events in "
                f"the ledger and {events:,} in the warehouse, so it is not sent"
            )
        yield batch, messages


def suppressed(connection: Connection, batch_ids: Sequence[str]) -> list[DeadEvent]:
    """Events of suppressed people in these batches."""
    if not batch_ids or not any_suppressed(connection):
        return []
    rows = connection.execute(
        f"SELECT id, event, export_date, batch_id, '{SUPPRESSED}' FROM delivery.outbox "
        f"WHERE batch_id IN (SELECT unnest(?::VARCHAR[])) AND {OF_SUPPRESSED}",
        [list(batch_ids)],
    ).fetchall()
    return [DeadEvent(*row) for row in rows]


def withdrawn(connection: Connection, dates: ExportDates) -> list[DeadEvent]:
    """Events in the outbox that no export contains any longer: a corrected file replaced the one that did.

    Events of suppressed people left the tables for another reason.
    """
    of_others = f"AND NOT {OF_SUPPRESSED}" if any_suppressed(connection) else ""
    rows = connection.execute(
        f"""
        SELECT id, event, export_date, batch_id, '{WITHDRAWN}: a corrected export no longer contains it'
        FROM delivery.outbox
        WHERE export_date BETWEEN ? AND ?
            AND id NOT IN (
                SELECT CAST(id AS VARCHAR) FROM staging.events
                WHERE timestamp BETWEEN
                    (SELECT min(timestamp) FROM delivery.outbox WHERE export_date BETWEEN ? AND ?)
                    AND (SELECT max(timestamp) FROM delivery.outbox WHERE export_date BETWEEN ? AND ?)
            )
            {of_others}
        """,
        [dates.first, dates.last] * 3,
    ).fetchall()
    return [DeadEvent(*row) for row in rows]


def dates_of_moved_events(connection: Connection, dates: ExportDates) -> set[date]:
    """Other export dates with events that were never due, and that replaced files of these dates may contain."""
    span = one_row(
        connection,
        "SELECT min(first_event_at), max(last_event_at) FROM raw.export_files "
        "WHERE status = 'replaced' AND export_date BETWEEN ? AND ?",
        [dates.first, dates.last],
    )
    if span[0] is None:
        return set()
    rows = connection.execute(
        """
        SELECT DISTINCT export_date FROM staging.events
        WHERE timestamp BETWEEN $1 AND $2
            AND export_date NOT BETWEEN $3 AND $4
            AND CAST(id AS VARCHAR) NOT IN (SELECT id FROM delivery.outbox WHERE timestamp BETWEEN $1 AND $2)
        """,
        [*span, dates.first, dates.last],
    ).fetchall()
    return {day for (day,) in rows}
