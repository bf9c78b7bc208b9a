"""The messages of batches, made from the event tables when they are sent, so that late names are in them."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby

import duckdb

from pipeline.catalog import CALLS_BY_TABLE, NAMES, Event
from pipeline.errors import DeliveryError
from pipeline.finding import counted, plural
from pipeline.ledger import Batch, DeadEvent
from pipeline.segment.messages import SEPARATOR, MessageSource, dead_because
from pipeline.warehouse import ALIAS, has_rows, literal

Connection = duckdb.DuckDBPyConnection

# Batches whose bodies are made by one query: some 45 MB of text, in Python's memory until they are sent.
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
    messages: bytes
    dead: Sequence[DeadEvent] = ()
    without_names: Mapping[str, int] = field(default_factory=dict)


class BodyReader:
    """The bodies of batches, over one connection."""

    def __init__(self, connection: Connection, source: MessageSource) -> None:
        self._connection = connection
        self._source = source
        self._stretch = _Stretch()
        self._made: dict[str, _Made] = {}

    @contextmanager
    def beside(self) -> "Iterator[BodyReader]":
        """A second reader, whose connection a second thread may use at the same time."""
        with closing(self._connection.cursor()) as connection:
            connection.execute(f"USE {ALIAS}")
            yield BodyReader(connection, self._source)

    def make(self, stretch: Sequence[Batch], dead: Sequence[str]) -> None:
        """Make the first bodies of a stretch, for `bodies` to check and hand out; raises only what DuckDB raises."""
        self._make(stretch[:1], dead, stretch)

    def bodies(
        self, group: Sequence[Batch], dead: Sequence[str], stretch: Sequence[Batch] | None = None
    ) -> Iterator[Body]:
        """The bodies of some consecutive batches of one event and export date, without these dead events.

        The whole `stretch`, which contains the group, is read at once; bodies are made of a part of it at a time, and
        kept for the next groups.

        Raises:
            DeliveryError: a batch has another number of events in the outbox than in the ledger, or an event is no
                longer in the table of its event.
        """
        if not {batch.batch_id for batch in group} <= self._made.keys():
            self._make(group, dead, stretch or group)
        if self._are_outdated(group, dead):
            self._stretch = _Stretch()
            self._make(group, dead, group)
        for batch in group:
            made = self._made.pop(batch.batch_id, _Made(0, 0))
            made.check(batch)
            yield Body(batch, made.messages, [_dead(batch, *one) for one in made.dead], made.without_names)

    def _are_outdated(self, group: Sequence[Batch], dead: Sequence[str]) -> bool:
        """Whether any body of the group has changed: a replay took events out of its batch meanwhile, the models
        changed the table, or events died.
        """
        made = [self._made.get(batch.batch_id, _Made(0, 0)) for batch in group]
        if any(one.differs(batch) for one, batch in zip(made, group, strict=True)):
            return True
        changed = list(self._stretch.dead.symmetric_difference(dead))
        return bool(changed) and has_rows(
            self._connection,
            "SELECT 1 FROM temp.to_send WHERE id IN (SELECT unnest(?::UUID[])) "
            "AND batch_id IN (SELECT unnest(?::VARCHAR[])) LIMIT 1",
            [changed, [batch.batch_id for batch in group]],
        )

    def _make(self, group: Sequence[Batch], dead: Sequence[str], stretch: Sequence[Batch]) -> None:
        """Make the bodies of the group, and of batches after it in the stretch, in place of any others."""
        if not {batch.batch_id for batch in group} <= self._stretch.counted.keys():
            self._read_stretch(stretch, dead)
        ids = [batch.batch_id for batch in stretch if batch.batch_id in self._stretch.counted]
        start = ids.index(group[0].batch_id) if group[0].batch_id in ids else 0
        part = ids[start : start + max(_STRETCH_BATCHES, len(group))]
        event, span = CALLS_BY_TABLE[stretch[0].event], self._stretch.span
        self._made = {}
        if part:
            messages = "temp.messages" if self._stretch.is_stored else f"({_messages(self._source, event, span)})"
            self._made = self._joined(messages, event, part)
            if any(made.missing for made in self._made.values()):
                # A corrected export can move an event that has an id of its own to another time.
                self._made = self._joined(f"({_messages(self._source, event, 'true')})", event, part)

    def _read_stretch(self, stretch: Sequence[Batch], dead: Sequence[str]) -> None:
        event, sequences = CALLS_BY_TABLE[stretch[0].event], [batch.sequence for batch in stretch]
        ids = [batch.batch_id for batch in stretch]
        self._connection.execute(
            _TO_SEND, [list(dead), event.table, stretch[0].export_date, min(sequences), max(sequences), ids]
        )
        counted = self._connection.execute(_COUNTED).fetchall()
        self._stretch = _Stretch(
            frozenset(dead), {batch_id: (events, alive) for batch_id, events, alive, *_ in counted}
        )
        if not counted:
            return
        first, last = min(row[3] for row in counted), max(row[4] for row in counted)
        # The span as literals: files and row groups outside it are not read.
        span = f"timestamp BETWEEN TIMESTAMPTZ '{first.isoformat()}' AND TIMESTAMPTZ '{last.isoformat()}'"
        is_stored = len(stretch) > _STRETCH_BATCHES
        if is_stored:
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE messages AS {_messages(self._source, event, span)}")
        self._stretch = replace(self._stretch, span=span, is_stored=is_stored)

    def _joined(self, messages: str, event: Event, part: Sequence[str]) -> "dict[str, _Made]":
        names = _names_of(event)
        rows = self._connection.execute(_joined(messages, names), [part]).fetchall()
        found = {batch_id: row for batch_id, *row in rows}
        made = {}
        for batch_id in part:
            events, alive = self._stretch.counted[batch_id]
            in_table, joined, undeliverable, *numbers = found.get(batch_id, [0, None, None, *(0 for _ in names)])
            # More rows than events: an id is twice in the table.
            events += max(0, in_table - alive)
            without_names = {name: number for (_, name), number in zip(names, numbers, strict=True) if number}
            made[batch_id] = _Made(events, max(0, alive - in_table), joined or b"", undeliverable or [], without_names)
        return made


@dataclass(frozen=True)
class _Stretch:
    """The stretch whose events are in `to_send`, without those that were dead by then: by batch, the number of its
    events and of those that are not dead. Of a long one, the messages are stored, too: DuckDB can spill them to disk.
    """

    dead: frozenset[str] = frozenset()
    counted: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    span: str = "true"
    is_stored: bool = False


@dataclass(frozen=True)
class _Made:
    """What the tables have of a batch; `missing` of its events are in no table and not dead."""

    events: int
    missing: int
    messages: bytes = b""
    dead: Sequence[tuple[str, str]] = ()
    without_names: Mapping[str, int] = field(default_factory=dict)

    def differs(self, batch: Batch) -> bool:
        return self.events != batch.events or self.missing > 0

    def check(self, batch: Batch) -> None:
        which = f"batch of {batch.event} of {batch.export_date} ({batch.batch_id})"
        if self.events != batch.events:
            raise DeliveryError(
                f"A {which} has {counted(batch.events, 'event')} in the ledger and {self.events:,} in the warehouse, "
                "so it is not sent"
            )
        if self.missing:
            raise DeliveryError(
                f"A {which} has {counted(self.missing, 'event')} that the table of the event no longer contains, so it "
                f"is not sent. Run the date again (`python -m pipeline run --from {batch.export_date} --to "
                f"{batch.export_date}`): that registers {plural(self.missing, 'it', 'them')} as withdrawn"
            )


def without_events(body: Body, ids: Collection[str]) -> Mapping[str, int]:
    """`without_names` of the body's other events; the messages of these are few."""
    if not ids or not body.without_names:
        return body.without_names
    numbers = dict(body.without_names)
    for message in map(json.loads, body.messages.split(SEPARATOR.encode())):
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


def _dead(batch: Batch, key: str, reason: str) -> DeadEvent:
    return DeadEvent(key, batch.event, batch.export_date, batch.batch_id, reason)


# Sorted, so that `rowid` is an event's position. Ids are compared and sorted as UUIDs, in the same order as their texts
# in less time.
_TO_SEND = """
    CREATE OR REPLACE TEMP TABLE to_send AS
    SELECT CAST(id AS UUID) AS id, batch_id, timestamp, id IN (SELECT unnest($1::VARCHAR[])) AS is_dead
    FROM delivery.outbox
    WHERE event = $2 AND export_date = $3 AND sequence BETWEEN $4 AND $5
        AND batch_id IN (SELECT unnest($6::VARCHAR[]))
    ORDER BY timestamp, id
"""
_COUNTED = """
    SELECT batch_id, count(*), count(*) FILTER (NOT is_dead), min(timestamp), max(timestamp)
    FROM temp.to_send GROUP BY batch_id
"""


def _messages(source: MessageSource, event: Event, span: str) -> str:
    """SQL for the messages of `to_send`, as far as the event table has its events in a time span.

    No column of an event table begins with an underscore, whatever properties the layouts declare.
    """
    nameless = "".join(f", {key} IS NOT NULL AND {name} IS NULL AS no_{name}" for key, name in _names_of(event))
    return f"""
        WITH found AS (
            SELECT to_send._position, to_send._batch_id, events.*
            FROM (SELECT * FROM {source.table(event)} WHERE {span}) AS events
            JOIN (
                SELECT rowid AS _position, id AS _sent_id, batch_id AS _batch_id FROM temp.to_send WHERE NOT is_dead
            ) AS to_send
                ON CAST(events.id AS UUID) = to_send._sent_id
        )
        SELECT
            _position AS position, _batch_id AS batch_id, id, _message AS message,
            {dead_because("strlen(_message)")} AS undeliverable{nameless}
        FROM (SELECT *, {source.message(event)} AS _message FROM found)
    """


def _joined(messages: str, names: Sequence[tuple[str, str]]) -> str:
    """SQL for the bodies of some batches: the number of messages, a body, undeliverable events, and the numbers of
    messages that lack a name. A body is BLOB, so that Python neither decodes nor encodes it.
    """
    numbers = "".join(f", count(*) FILTER (undeliverable IS NULL AND no_{name})" for _, name in names)
    return f"""
        SELECT
            batch_id, count(*),
            encode(string_agg(message, {literal(SEPARATOR)} ORDER BY position) FILTER (undeliverable IS NULL)),
            list((id, undeliverable)) FILTER (undeliverable IS NOT NULL)
            {numbers}
        FROM {messages}
        WHERE batch_id IN (SELECT unnest(?::VARCHAR[]))
        GROUP BY batch_id
    """
