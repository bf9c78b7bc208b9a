"""A warehouse as dbt leaves it, filled with literal rows, so that what comes after dbt is tested without it.

The columns and their types are those of `dbt_project/models/staging` and of the macro `event_table`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import duckdb

from pipeline.catalog import EVENTS
from pipeline.export_dates import ExportDates
from pipeline.ledger import Ledger
from pipeline.segment.bodies import BodyReader
from pipeline.segment.cut_rules import Cut, CutRules
from pipeline.segment.enqueue import register
from pipeline.segment.messages import MessageSource
from pipeline.segment.outbox import cut

SCHEMA = "selligent_marketing_cloud"
SOURCE = MessageSource(SCHEMA)
DAY = date(2026, 3, 2)
DATES = ExportDates(DAY, DAY)
EVER = ExportDates(date.min, date.max)
NOW = datetime(2026, 3, 2, 6, 0, tzinfo=UTC)
FIRST_MOMENT = datetime(2026, 3, 1, 9, 30, 0, 123, tzinfo=UTC)

Row = Mapping[str, Any]

OF_EVERY_EMAIL = ["email_id", "email_subject", "campaign_id", "campaign_name"]
PROPERTIES = {
    "Email Delivered": OF_EVERY_EMAIL,
    "Email Opened": OF_EVERY_EMAIL,
    "Email Link Clicked": [*OF_EVERY_EMAIL, "link_id", "link_name", "link_url"],
    "Email Marked as Spam": OF_EVERY_EMAIL,
    "Email Bounced": OF_EVERY_EMAIL,
    "Email Unsubscribed": [*OF_EVERY_EMAIL, "list_id", "list_name"],
}
TABLES = {name: name.lower().replace(" ", "_") for name in PROPERTIES}

STAGED_COLUMNS = {
    "id": "UUID",
    "export_date": "DATE",
    "event_text": "VARCHAR",
    "timestamp": "TIMESTAMPTZ",
    "exported_at": "TIMESTAMPTZ",
    "received_at": "TIMESTAMPTZ",
    "user_id": "VARCHAR",
    "email": "VARCHAR",
    "list_id": "VARCHAR",
    "selligent_user_id": "VARCHAR",
    "send_id": "VARCHAR",
    "is_bot": "BOOLEAN",
    "email_id": "VARCHAR",
    "email_subject": "VARCHAR",
    "campaign_id": "VARCHAR",
    "campaign_name": "VARCHAR",
    "link_id": "VARCHAR",
    "link_name": "VARCHAR",
    "link_url": "VARCHAR",
    "list_name": "VARCHAR",
    "ip": "VARCHAR",
    "user_agent": "VARCHAR",
    "properties": "JSON",
    "written_at": "TIMESTAMPTZ",
}
# What lookups give, where the export's own row does not.
GIVEN = ["user_id", "email", "list_id", "selligent_user_id", "email_subject", "campaign_name", "link_name", "list_name"]
MODELLED = """
    CAST(id AS VARCHAR) AS id,
    received_at,
    exported_at AS sent_at,
    timestamp AS original_timestamp,
    timestamp,
    user_id,
    CASE WHEN user_id IS NULL THEN email END AS anonymous_id,
    replace(lower(event_text), ' ', '_') AS event,
    event_text,
    'Selligent Marketing Cloud' AS context_integration_name,
    '1' AS context_integration_version,
    'selligent-to-segment' AS context_library_name,
    '1.0.0' AS context_library_version,
    email AS context_traits_email,
    list_id AS context_selligent_list_id,
    selligent_user_id AS context_selligent_user_id,
    send_id AS context_selligent_send_id,
    is_bot AS context_selligent_is_bot,
    ip AS context_ip,
    user_agent AS context_user_agent,
    written_at AS uuid_ts
"""


def id_of(number: int) -> str:
    return str(UUID(int=number))


def day(number: int) -> ExportDates:
    """An export date for each number."""
    day = DAY + timedelta(days=number)
    return ExportDates(day, day)


def event_row(number: int, event: str = "Email Opened", **columns: Any) -> Row:
    """An event as staging has it: the first happened at 09:30:00.000123, each further one a second later."""
    return {
        "id": id_of(number),
        "export_date": DAY.isoformat(),
        "event_text": event,
        "timestamp": (FIRST_MOMENT + timedelta(seconds=number)).isoformat(),
        "exported_at": "2026-03-02T01:15:00+00:00",
        "received_at": "2026-03-02T05:00:00+00:00",
        "written_at": "2026-03-02T05:01:00+00:00",
        "user_id": f"user-{number}",
        "email_id": "18vzF7u3z",
    } | columns


def large(number: int, event: str = "Email Opened", subject_bytes: int = 30_000, **columns: Any) -> Row:
    """Fifteen of these make a batch."""
    return event_row(number, event, **{"email_subject": "x" * subject_bytes} | columns)


def one_of_each() -> list[Row]:
    return [event_row(number, event) for number, event in enumerate(PROPERTIES, start=1)]


@dataclass(frozen=True)
class Lake:
    """What staging and the six event tables hold, over one connection."""

    connection: duckdb.DuckDBPyConnection

    def make_tables(self) -> None:
        listed = ", ".join(f"{name} {kind}" for name, kind in STAGED_COLUMNS.items())
        self.connection.execute("CREATE SCHEMA staging")
        self.connection.execute(f"CREATE TABLE staging.events ({listed})")
        self.connection.execute(
            "CREATE TABLE staging.event_rows (export_date DATE, file VARCHAR, row_number BIGINT, "
            f"id UUID, event_text VARCHAR, timestamp TIMESTAMPTZ, {', '.join(f'{name} VARCHAR' for name in GIVEN)})"
        )
        self.connection.execute(f"CREATE SCHEMA {SCHEMA}")
        for event, table in TABLES.items():
            self.connection.execute(
                f"CREATE TABLE {SCHEMA}.{table} AS "
                f"SELECT {MODELLED}, {', '.join(PROPERTIES[event])} FROM staging.events WHERE false"
            )

    def stage(self, *rows: Row) -> None:
        """These rows of exports come, each a new event that goes to its event's table."""
        self.connection.execute("BEGIN")
        self._read(rows)
        self.connection.execute("INSERT INTO staging.events BY NAME FROM given_rows")
        self._say()
        for event in {row["event_text"] for row in rows}:
            self.connection.execute(
                f"INSERT INTO {SCHEMA}.{TABLES[event]} BY NAME "
                f"SELECT {MODELLED}, {', '.join(PROPERTIES[event])} FROM given_rows WHERE event_text = ?",
                [event],
            )
        self.connection.execute("COMMIT")

    def stage_duplicates(self, *rows: Row) -> None:
        """Stage duplicates of known events."""
        self._read(rows)
        self._say()

    def _read(self, rows: Sequence[Row]) -> None:
        self.connection.execute(
            "CREATE OR REPLACE TEMP TABLE given_rows AS SELECT unnest(from_json(?, ?), recursive := true)",
            [json.dumps(rows, ensure_ascii=False), json.dumps([STAGED_COLUMNS])],
        )

    def _say(self) -> None:
        self.connection.execute(
            "INSERT INTO staging.event_rows BY NAME SELECT id, export_date, event_text, timestamp, "
            f"'export.csv' AS file, row_number() OVER () AS row_number, {', '.join(GIVEN)} FROM given_rows"
        )

    def withdraw_events(self, *numbers: int) -> None:
        """Remove events, as a corrected export does."""
        ids = [id_of(number) for number in numbers]
        for table in ("staging.events", "staging.event_rows", *(f"{SCHEMA}.{table}" for table in TABLES.values())):
            self.connection.execute(f"DELETE FROM {table} WHERE CAST(id AS VARCHAR) IN (SELECT unnest(?))", [ids])

    def put_out(self, ledger: Ledger, dates: ExportDates = DATES, *, hold_bots: bool = False) -> Cut:
        """What is due, and what is asked for again, is cut and entered into the ledger."""
        done = self.cut(ledger, dates, hold_bots=hold_bots)
        register(self.connection, ledger, dates, NOW, done.replayed_ids)
        return done

    def cut(self, ledger: Ledger, dates: ExportDates = DATES, *, hold_bots: bool = False) -> Cut:
        """The same, and then killed: the ledger knows nothing of it."""
        replayed_ids = [replay.id for replay in ledger.replays()]
        rules = CutRules(withheld=ledger.withheld(), replayed_ids=replayed_ids, hold_bots=hold_bots)
        return cut(self.connection, SCHEMA, dates, NOW, rules)

    def query(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, list(parameters)).fetchall()

    def outbox(self) -> list[tuple[Any, ...]]:
        return self.query("SELECT * FROM delivery.outbox ORDER BY id")

    def batches(self, dates: ExportDates = EVER) -> dict[str, list[str]]:
        """The ids in each batch."""
        found = self.query(
            "SELECT batch_id, list(id ORDER BY timestamp, id) FROM delivery.outbox "
            "WHERE batch_id IS NOT NULL AND export_date BETWEEN ? AND ? "
            "GROUP BY batch_id, export_date, event, sequence ORDER BY export_date, event, sequence",
            dates.first,
            dates.last,
        )
        return dict(found)

    def due_ids(self) -> set[str]:
        """Everything that was put into a batch."""
        return {key for ids in self.batches().values() for key in ids}

    @property
    def reader(self) -> BodyReader:
        return BodyReader(self.connection, SOURCE)

    def payloads(self, dates: ExportDates = DATES) -> dict[str, str]:
        """Each message, dead or not, as it would be sent now."""
        found: dict[str, str] = {}
        for event in EVENTS:
            found |= dict(
                self.query(
                    f"SELECT id, {SOURCE.message(event)} FROM {SOURCE.table(event)} WHERE id IN "
                    "(SELECT id FROM delivery.outbox WHERE export_date BETWEEN ? AND ?)",
                    dates.first,
                    dates.last,
                )
            )
        return found
