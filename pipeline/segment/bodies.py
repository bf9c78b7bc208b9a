"""The messages of batches, made from the event tables when they are sent, so that late names are in them."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import duckdb

from pipeline.catalog import EVENTS_BY_TABLE, NAMES, Event
from pipeline.errors import DeliveryError
from pipeline.ledger import Batch, DeadEvent
from pipeline.segment.messages import SEPARATOR, MessageSource, dead_because
from pipeline.warehouse import literal, one_row, one_value

Connection = duckdb.DuckDBPyConnection

# Batches whose messages are made by one query: some 45 MB of text, which DuckDB holds and can spill to disk.
_STRETCH_BATCHES = 100
# A table that is not ordered by time is read once a stretch, so a date never has more stretches than this.
_MAX_STRETCHES = 16


@dataclass(frozen=True)
class Body:
    """The messages of a batch, joined by `SEPARATOR`: without dead events, and empty where all of them are dead.

    `dead` are events that Segment would drop silently by now; they are not among the messages. `without_names` is the
    number of messages that have an id and not its name, by name.
    """

    batch: Batch
    messages: str
    dead: Sequence[DeadEvent] = ()
    without_names: Mapping[str, int] = field(default_factory=dict)


class BodyReader:
    """The bodies of batches, over one connection."""

    def __init__(self, connection: Connection, source: MessageSource) -> None:
        self._connection = connection
        self._source = source
        self._made: frozenset[str] = frozenset()

    def bodies(
        self, group: Sequence[Batch], dead: Sequence[str], stretch: Sequence[Batch] | None = None
    ) -> Iterator[Body]:
        """The bodies of some consecutive batches of one event and export date, without these dead events.

        The messages of the whole `stretch`, which contains the group, are made at once and kept for the next groups.

        Raises:
            DeliveryError: a batch has another number of events in the outbox than in the ledger, or an event is no
                longer in the table of its event.
        """
        if not {batch.batch_id for batch in group} <= self._made:
            self._make(stretch or group, dead)
        found = self._found(group, dead)
        if any(batch.batch_id not in found or found[batch.batch_id].differs(batch) for batch in group):
            # A replay took events out of a batch meanwhile, or the models changed the table.
            self._make(group, dead)
            found = self._found(group, dead)
        for batch in group:
            made = found.get(batch.batch_id, _Made(0, 0))
            made.check(batch)
            yield Body(batch, made.messages, [_dead(batch, *one) for one in made.dead], made.without_names)

    def _make(self, stretch: Sequence[Batch], dead: Sequence[str]) -> None:
        """Create the table of these batches' messages."""
        event, ids = EVENTS_BY_TABLE[stretch[0].event], [batch.batch_id for batch in stretch]
        sequences = [batch.sequence for batch in stretch]
        self._made = frozenset()
        self._connection.execute(
            "CREATE OR REPLACE TEMP TABLE to_send AS SELECT id, batch_id, sequence, timestamp FROM delivery.outbox "
            "WHERE event = ? AND export_date = ? AND sequence BETWEEN ? AND ? "
            "AND batch_id IN (SELECT unnest(?::VARCHAR[]))",
            [event.table, stretch[0].export_date, min(sequences), max(sequences), ids],
        )
        first, last = one_row(self._connection, "SELECT min(timestamp), max(timestamp) FROM temp.to_send")
        if first is not None:
            # The span as literals: files and row groups outside it are not read.
            span = f"timestamp BETWEEN TIMESTAMPTZ '{first.isoformat()}' AND TIMESTAMPTZ '{last.isoformat()}'"
            self._connection.execute(_make_messages(self._source, event, span))
            if one_value(self._connection, _MISSING, [list(dead)]):
                # A corrected export can move an event that has an id of its own to another time.
                self._connection.execute(_make_messages(self._source, event, "true"))
            self._made = frozenset(ids)

    def _found(self, group: Sequence[Batch], dead: Sequence[str]) -> dict[str, "_Made"]:
        if not self._made:
            return {}
        sequences, names = [batch.sequence for batch in group], _names_of(EVENTS_BY_TABLE[group[0].event])
        rows = self._connection.execute(
            _joined(names), [list(dead), min(sequences), max(sequences), [batch.batch_id for batch in group]]
        ).fetchall()
        return {
            batch_id: _Made(events, missing, messages or "", undeliverable or [], _numbers(names, numbers))
            for batch_id, events, missing, messages, undeliverable, *numbers in rows
        }


@dataclass(frozen=True)
class _Made:
    """What the tables have of a batch; `missing` of its events are in no table and not dead."""

    events: int
    missing: int
    messages: str = ""
    dead: Sequence[tuple[str, str]] = ()
    without_names: Mapping[str, int] = field(default_factory=dict)

    def differs(self, batch: Batch) -> bool:
        return self.events != batch.events or self.missing > 0

    def check(self, batch: Batch) -> None:
        which = f"batch of {batch.event} of {batch.export_date} ({batch.batch_id})"
        if self.events != batch.events:
            raise DeliveryError(
                f"A {which} has {batch.events:,} events in the ledger and {self.events:,} in the warehouse, so it is "
                "not sent"
            )
        if self.missing:
            raise DeliveryError(
                f"A {which} has {self.missing:,} events that the table of the event no longer contains, so it is not "
                f"sent. Run the date again (`python -m pipeline run --from {batch.export_date} --to "
                f"{batch.export_date}`): that registers them as withdrawn"
            )


def without_events(body: Body, ids: Collection[str]) -> Mapping[str, int]:
    """`without_names` of the body's other events; the messages of these are few."""
    if not ids or not body.without_names:
        return body.without_names
    numbers = dict(body.without_names)
    for message in map(json.loads, body.messages.split(SEPARATOR)):
        for key, name in NAMES.values() if message["messageId"] in ids else ():
            if key in message["properties"] and name not in message["properties"]:
                numbers[name] -= 1
    return {name: number for name, number in numbers.items() if number}


def stretches(waiting: Sequence[Batch]) -> Iterator[list[Batch]]:
    """Batches whose messages are made at once: of one event and export date each."""
    for _, same_date in groupby(waiting, lambda batch: (batch.event, batch.export_date)):
        batches = list(same_date)
        size = max(_STRETCH_BATCHES, -(-len(batches) // _MAX_STRETCHES))
        for start in range(0, len(batches), size):
            yield batches[start : start + size]


def _names_of(event: Event) -> list[tuple[str, str]]:
    """Id and name, where the event's messages have both."""
    return [(key, name) for key, name in NAMES.values() if name in event.properties]


def _numbers(names: Sequence[tuple[str, str]], numbers: Sequence[int]) -> dict[str, int]:
    return {name: number for (_, name), number in zip(names, numbers, strict=True) if number}


def _dead(batch: Batch, key: str, reason: str) -> DeadEvent:
    return DeadEvent(key, batch.event, batch.export_date, batch.batch_id, reason)


def _make_messages(source: MessageSource, event: Event, span: str) -> str:
    """SQL for the table of messages of `to_send`; NULL where the event table has no such event."""
    names = "".join(f", {key} IS NOT NULL AND {name} IS NULL AS no_{name}" for key, name in _names_of(event))
    return f"""
        CREATE OR REPLACE TEMP TABLE messages AS
        WITH found AS (
            SELECT
                to_send.id AS sent_id, to_send.batch_id, to_send.sequence, to_send.timestamp AS sent_timestamp, events.*
            FROM temp.to_send
            LEFT JOIN (SELECT * FROM {source.table(event)} WHERE {span}) AS events ON to_send.id = events.id
        )
        SELECT
            sent_id, batch_id, sequence, sent_timestamp, message, {dead_because("strlen(message)")} AS undeliverable
            {"".join(f", no_{name}" for _, name in _names_of(event))}
        FROM (SELECT *, CASE WHEN id IS NOT NULL THEN {source.message(event)} END AS message{names} FROM found)
    """


_MISSING = "SELECT count(*) FROM temp.messages WHERE message IS NULL AND sent_id NOT IN (SELECT unnest(?::VARCHAR[]))"


def _joined(names: Sequence[tuple[str, str]]) -> str:
    """SQL for the messages of some batches, joined, with the numbers of those that lack a name."""
    numbers = "".join(f", count(*) FILTER (is_sent AND no_{name})" for _, name in names)
    return f"""
        WITH of_group AS (
            SELECT *, NOT is_dead AND message IS NOT NULL AND undeliverable IS NULL AS is_sent
            FROM (
                SELECT *, sent_id IN (SELECT unnest($1::VARCHAR[])) AS is_dead FROM temp.messages
                WHERE sequence BETWEEN $2 AND $3 AND batch_id IN (SELECT unnest($4::VARCHAR[]))
            )
        )
        SELECT
            batch_id, count(*), count(*) FILTER (message IS NULL AND NOT is_dead),
            string_agg(message, {literal(SEPARATOR)} ORDER BY sent_timestamp, sent_id) FILTER (is_sent),
            list((sent_id, undeliverable)) FILTER (NOT is_dead AND message IS NOT NULL AND undeliverable IS NOT NULL)
            {numbers}
        FROM of_group
        GROUP BY batch_id
    """
