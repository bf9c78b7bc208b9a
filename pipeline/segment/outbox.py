"""The outbox: due events are cut into batches, once. A batch never changes after it was cut.

It has the place of each event, and not its message: that is made from the event's table when it is sent.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import duckdb

from pipeline.catalog import CALLS_BY_TABLE, IDENTIFIES, Event
from pipeline.export_dates import ExportDates
from pipeline.ledger import HELD, WAITING, Batch, DeadEvent, Replay
from pipeline.ledger.warehouse_pairing import advance_warehouse
from pipeline.privacy.digests import is_suppressed
from pipeline.privacy.suppression import any_suppressed
from pipeline.segment.cut_rules import Cut, CutRules, HeldExports, Limits
from pipeline.segment.messages import (
    ENVELOPE_BYTES,
    MAX_BATCH_BYTES,
    MAX_EVENT_BYTES,
    SEPARATOR,
    MessageSource,
    dead_because,
)
from pipeline.segment.staged import (
    EVENTS_STAGED,
    IDENTITIES_STAGED,
    PERSON,
    Staged,
    has_identities,
)
from pipeline.warehouse import literal, one_row, transaction
from pipeline.warehouse.declared_properties import declared_properties

Connection = duckdb.DuckDBPyConnection

# An event that begins within these bytes of a batch ends within the limit, whatever its size.
_FILL_BYTES = MAX_BATCH_BYTES - MAX_EVENT_BYTES - ENVELOPE_BYTES
# Some sixty batches; the last of them is shorter than the others.
_STRETCH_EVENTS = 50_000
_TABLES = ", ".join(literal(table) for table in CALLS_BY_TABLE)
# Over the columns of staging.
_IS_SUPPRESSED = is_suppressed(*PERSON)


def cut(connection: Connection, schema: str, dates: ExportDates, now: datetime, rules: CutRules | None = None) -> Cut:
    """Cut every event of these export dates that was never due before into batches, all in one transaction."""
    rules = rules or CutRules()
    tables = [EVENTS_STAGED]
    if rules.identify and has_identities(connection):
        tables.append(IDENTITIES_STAGED)
    events = {call.table: 0 for staged in tables for call in staged.calls}
    spans = [(staged, span) for staged in tables if (span := _span(connection, staged, dates)) is not None]
    if not spans:
        return Cut(events, 0, 0)
    moved: list[str] = []
    new: dict[date, int] = {}
    held_because: dict[date, str] = {}
    suppressing = any_suppressed(connection)
    source = MessageSource(schema, rules.integrations, declared_properties(connection))
    with transaction(connection):
        if rules.replayed_ids:
            connection.execute(
                "CREATE OR REPLACE TEMP TABLE replayed AS SELECT CAST(unnest(?::VARCHAR[]) AS UUID) AS id",
                [list(rules.replayed_ids)],
            )
        connection.execute(_due(source, dates, spans, rules, suppressing))
        counted = connection.execute(_COUNTED).fetchall()
        if rules.hold_from is not None:
            new = dict(connection.execute(_NEW).fetchall())
            held_because = {
                day: rules.held_because[day] for day, least in rules.hold_from.items() if new.get(day, 0) >= least
            }
        connection.execute(_running({event: start for event, start, *_ in counted}))
        connection.execute(_laid_out(rules.limits))
        connection.execute(_new_batches(dates))
        # After the positions were assigned: a batch never gets the number of a deleted one.
        if rules.replayed_ids:
            moved = [key for (key,) in connection.execute(_MOVED).fetchall()]
            connection.execute(f"DELETE FROM delivery.outbox WHERE id IN ({_MOVED})")
        connection.execute(_fill_outbox(_reason_to_hold(rules.only, held_because)), [now])
        if counted:
            advance_warehouse(connection)
        (batches,) = one_row(connection, "SELECT count(*) FROM temp.new_batches")
        for table in ("due", "running", "laid_out", "new_batches", "replayed"):
            connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
    events |= {event: number for event, _, number, *_ in counted}
    dead, held = (sum(row[column] for row in counted) for column in (3, 4))
    return Cut(events, dead, batches, moved, held, new, held_because.keys())


_MOVED = "SELECT CAST(id AS VARCHAR) FROM temp.due WHERE id IN (SELECT id FROM temp.replayed)"


def _span(connection: Connection, staged: Staged, dates: ExportDates) -> str | None:
    """SQL for the time span of the rows of these dates, to be compared with; None without rows."""
    query = f"SELECT min(timestamp), max(timestamp) FROM {staged.table} WHERE export_date BETWEEN ? AND ?"
    first, last = one_row(connection, query, [dates.first, dates.last])
    return f"BETWEEN TIMESTAMPTZ '{first.isoformat()}' AND TIMESTAMPTZ '{last.isoformat()}'" if first else None


def _due(
    source: MessageSource,
    dates: ExportDates,
    spans: Sequence[tuple[Staged, str]],
    rules: CutRules,
    suppressing: bool,
) -> str:
    """SQL for the table of due events in the order in which they are sent, with the sizes of their messages.

    Ids are sorted as UUIDs, in the same order as their texts in half of the time.
    """
    due = " UNION ALL ".join(_due_of(staged, source, dates, span, rules, suppressing) for staged, span in spans)
    order = f"event, export_date, {'held, ' if rules.hold_bots else ''}timestamp, id"
    return f"CREATE OR REPLACE TEMP TABLE due AS FROM ({due}) ORDER BY {order}"


def _due_of(
    staged: Staged, source: MessageSource, dates: ExportDates, between: str, rules: CutRules, suppressing: bool
) -> str:
    """SQL for the due events of one staging table: those that are not in the outbox, or are replayed.

    An identity that was deleted and came back can have another time, so it is searched for among all of them.
    """
    listed = ", ".join(f"DATE '{day}'" for day in rules.withheld)
    but_withheld = f" AND export_date NOT IN ({listed})" if rules.withheld else ""
    replayed = "id IN (SELECT id FROM temp.replayed)"
    known = f"event = {literal(IDENTIFIES.table)}" if staged is IDENTITIES_STAGED else f"timestamp {between}"
    never = f"id NOT IN (SELECT CAST(id AS UUID) FROM delivery.outbox WHERE {known})"
    if not rules.replayed_ids:
        due = "false" if rules.replays_only else never
    else:
        due = replayed if rules.replays_only else f"({replayed} OR {never})"
    # People who were listed after the models ran. Event tables may not have the address that identifies them.
    but_suppressed = f" AND NOT {_IS_SUPPRESSED}" if suppressing else ""
    events = " UNION ALL ".join(_weighed(event, source, between, rules) for event in staged.calls)
    return f"""
        SELECT event, export_date, held, timestamp, id, bytes, dead_because
        FROM ({events})
        JOIN (
            SELECT id, export_date FROM {staged.table} WHERE {_within(dates)}{but_withheld}{but_suppressed}
        ) AS staged USING (id)
        WHERE {due}
    """


def _weighed(event: Event, source: MessageSource, between: str, rules: CutRules) -> str:
    """SQL for an event table's events in a time span, with the sizes of their messages."""
    is_held = rules.hold_bots and event is not IDENTIFIES
    but_later = f" AND sent_at <= TIMESTAMPTZ '{rules.only.until.isoformat()}'" if rules.only else ""
    held = "coalesce(context_selligent_is_bot, false)" if is_held else "false"
    return f"""
        SELECT
            CAST({literal(event.table)} AS ENUM ({_TABLES})) AS event, CAST(id AS UUID) AS id, timestamp, bytes,
            {dead_because("bytes")} AS dead_because, held
        FROM (
            SELECT id, timestamp, user_id, anonymous_id, {held} AS held, {source.message_bytes(event)} AS bytes
            FROM {source.table(event)}
            WHERE timestamp {between}{but_later}
        )
    """


_COUNTED = """
    SELECT
        CAST(event AS VARCHAR), min(rowid), count(*), count(dead_because),
        count(*) FILTER (held AND dead_because IS NULL)
    FROM temp.due GROUP BY event
"""


def _running(starts: Mapping[str, int]) -> str:
    """SQL for the same table, with each event's number, its stretch, and the bytes and events to be sent before it.

    `starts` are the first row numbers by event. The windows have no ORDER BY: they follow the rows of the table, whose
    order DuckDB preserves, and need neither a sort nor memory for all rows.
    """
    number = f"(rowid - CASE event {' '.join(f'WHEN {literal(e)} THEN {row}' for e, row in starts.items())} END)"
    size = f"CASE WHEN dead_because IS NULL THEN bytes + {len(SEPARATOR)} ELSE 0 END"
    sent = "CASE WHEN dead_because IS NULL THEN 1 ELSE 0 END"
    return f"""
        CREATE OR REPLACE TEMP TABLE running AS
        SELECT
            rowid AS position, event, export_date, held, timestamp, id, dead_because,
            CAST({number if starts else "0"} // {_STRETCH_EVENTS} AS INTEGER) AS stretch,
            CAST(sum({size}) OVER so_far AS BIGINT) - ({size}) AS bytes_before,
            CAST(sum({sent}) OVER so_far AS BIGINT) - ({sent}) AS events_before
        FROM temp.due
        WINDOW so_far AS (ROWS UNBOUNDED PRECEDING)
    """


def _laid_out(limits: Limits) -> str:
    """SQL for the same table, with the part of its stretch that each event is in: by bytes, and within those by events.

    `batch` is that part: the number of events to be sent before its first one, which no other batch has. Undeliverable
    events are in none. The batches of a stretch depend on its own events only.
    """
    return f"""
        CREATE OR REPLACE TEMP TABLE laid_out AS
        WITH filled AS (
            SELECT running.*, CAST((bytes_before - first_byte) // {_FILL_BYTES} AS INTEGER) AS by_bytes
            FROM temp.running
            JOIN (
                SELECT event, export_date, held, stretch, min(bytes_before) AS first_byte
                FROM temp.running GROUP BY ALL
            ) USING (event, export_date, held, stretch)
        )
        SELECT
            position, event, export_date, held, timestamp, id, dead_because,
            CASE
                WHEN dead_because IS NULL THEN events_before - (events_before - first_event) % ({limits.as_sql()})
            END AS batch
        FROM filled
        JOIN (
            SELECT event, export_date, held, stretch, by_bytes, min(events_before) AS first_event
            FROM filled GROUP BY ALL
        ) USING (event, export_date, held, stretch, by_bytes)
    """


def _new_batches(dates: ExportDates) -> str:
    """SQL for the table of new batches, each with its number within its event and date.

    A batch's id is a hash of all ids in it: they are hashed one by one and combined bit by bit, because a text of all
    of them would need memory for each event.
    """
    return f"""
        CREATE OR REPLACE TEMP TABLE new_batches AS
        WITH grouped AS (
            SELECT
                event, export_date, batch, min(position) AS first,
                bit_xor(md5_number(CAST(id AS VARCHAR))) AS ids, count(*) AS events
            FROM temp.laid_out
            WHERE batch IS NOT NULL
            GROUP BY event, export_date, batch
        ),
        known AS (
            SELECT event, export_date, max(sequence) AS last FROM delivery.outbox WHERE {_within(dates)} GROUP BY ALL
        ),
        numbered AS (
            SELECT
                grouped.*,
                row_number() OVER (PARTITION BY grouped.event, grouped.export_date ORDER BY first)
                + coalesce(known.last, 0) AS sequence
            FROM grouped
            LEFT JOIN known ON CAST(grouped.event AS VARCHAR) = known.event AND grouped.export_date = known.export_date
        )
        SELECT
            batch, CAST(sequence AS INTEGER) AS sequence, md5(concat_ws(',', ids, events, sequence)) AS batch_id
        FROM numbered
    """


_MAY_HAVE_NEW_ID = f"dead_because IS NULL AND NOT held AND event <> {literal(IDENTIFIES.table)}"
_NEW = f"SELECT export_date, count(*) FROM temp.due WHERE {_MAY_HAVE_NEW_ID} GROUP BY export_date"


def _reason_to_hold(only: HeldExports | None, held_because: Mapping[date, str]) -> str:
    """SQL for the reason to hold an event; it is the same for all events of a batch."""
    if only is not None:  # held events of machines are released by themselves
        return f"CASE WHEN dead_because IS NULL AND NOT held THEN {literal(only.because)} END"
    reasons = " ".join(f"WHEN DATE '{day}' THEN {literal(reason)}" for day, reason in held_because.items())
    return f"CASE WHEN {_MAY_HAVE_NEW_ID} THEN CASE export_date {reasons} END END" if reasons else "NULL::VARCHAR"


def _fill_outbox(because: str) -> str:
    """SQL that inserts the events with their batches; `because` is SQL for the reason to hold an event."""
    return f"""
        INSERT INTO delivery.outbox BY NAME
        SELECT
            CAST(id AS VARCHAR) AS id, CAST(event AS VARCHAR) AS event, export_date, timestamp,
            batch_id, sequence, dead_because, $1 AS cut_at,
            held AND dead_because IS NULL OR {because} IS NOT NULL AS held, {because} AS held_because
        FROM temp.laid_out
        LEFT JOIN temp.new_batches USING (batch)
    """


def _within(dates: ExportDates) -> str:
    return f"export_date BETWEEN DATE '{dates.first}' AND DATE '{dates.last}'"


def cut_batches(connection: Connection, dates: ExportDates) -> list[Batch]:
    """Every batch of these dates, with the status that it was cut with."""
    rows = connection.execute(
        f"SELECT batch_id, event, export_date, sequence, count(*), CASE WHEN held THEN '{HELD}' ELSE '{WAITING}' END, "
        "held_because "
        "FROM delivery.outbox WHERE batch_id IS NOT NULL AND export_date BETWEEN ? AND ? "
        "GROUP BY ALL ORDER BY export_date, sequence",
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
