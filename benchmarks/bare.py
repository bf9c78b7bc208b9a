"""The same work as bare DuckDB statements, written by hand for one file.

The DuckLake, the memory limit, the tables with their columns and partitions, and the ids are the same. Everything else
that a pipeline needs is absent: settings, fingerprints, further files, dates or layouts, lookups, history, replacement,
transactions over several tables, checks. The time includes every statement from reading the file on. It excludes
imports, attaching, and creating the empty tables of `raw`.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from benchmarks.generate import EXPORT_DATE, FILE_NAME
from benchmarks.processes import Clone
from pipeline.catalog import EVENTS, INTEGRATION_NAME, INTEGRATION_VERSION, LIBRARY_NAME
from pipeline.settings import Settings, load_settings
from pipeline.warehouse import MEMORY_LIMIT, Warehouse, literal

_NOW = "TIMESTAMPTZ '2024-06-11 05:00:00+00'"
_EXPORTED_AT = "TIMESTAMPTZ '2024-06-11 04:00:00+00'"
_WHICH = f"DATE '{EXPORT_DATE}' AS export_date, '{FILE_NAME}' AS file"

_CODES = {
    "DELIVERED": "Email Delivered",
    "VIEW": "Email Opened",
    "CLICK": "Email Link Clicked",
    "COMPLAINT": "Email Marked as Spam",
    "BOUNCE": "Email Bounced",
    "OPTOUT": "Email Unsubscribed",
}

_CSV = """
    read_csv(
        {path}, auto_detect = false, delim = '|', quote = '"', escape = '"', header = true, nullstr = [''],
        store_rejects = true, rejects_table = 'rejects', columns = {{
            list_id: 'VARCHAR', selligent_user_id: 'VARCHAR', user_id: 'VARCHAR', email: 'VARCHAR',
            campaign_id: 'VARCHAR', campaign_name: 'VARCHAR', email_id: 'VARCHAR', email_subject: 'VARCHAR',
            event_code: 'VARCHAR', link_id: 'VARCHAR', link_name: 'VARCHAR', is_bot: 'VARCHAR',
            timestamp: 'VARCHAR'
        }}
    )
"""
# The step that only reads the file and writes its text to Parquet.
COPY = "copy as text"

_LOAD = (
    """
    INSERT INTO raw.events BY NAME
    SELECT
        *,
        CASE
            WHEN event_code NOT IN ({codes}, 'SENT') THEN 'unknown event code'
            WHEN event IS NOT NULL AND occurred_at IS NULL THEN 'unreadable date-time'
        END AS rejected_because
    FROM (
        SELECT
            {which}, '{file}' AS export, row_number() OVER () AS row_number, 'interactions' AS layout,
            {exported_at} AS exported_at, {now} AS loaded_at, columns(* EXCLUDE is_bot), is_bot,
            CASE event_code {events} END AS event,
            timezone('Europe/Brussels', try_cast(timestamp AS TIMESTAMP)) AS occurred_at
        FROM {csv}
    )
    """,
    """
    INSERT INTO raw.rejected_rows BY NAME
    SELECT DISTINCT ON (line) {which}, line, error_message AS reason, csv_line AS text, {now} AS loaded_at
    FROM temp.rejects
    UNION ALL BY NAME
    SELECT
        {which}, row_number + 1 AS line, rejected_because AS reason, {now} AS loaded_at,
        concat_ws('|', user_id, email, email_id, event_code, timestamp) AS text
    FROM raw.events WHERE rejected_because IS NOT NULL
    """,
)

_ID = """
    CAST(md5(json_array(
        'Selligent Marketing Cloud', event,
        CASE WHEN user_id IS NOT NULL THEN 'user' ELSE 'contact' END,
        coalesce(user_id, list_id || ':' || selligent_user_id),
        email_id, campaign_id, link_id, list_id, send_id, CAST(epoch_us(occurred_at) AS VARCHAR)
    )) AS UUID)
"""

_TYPED = """
    export_date, file, row_number, exported_at, loaded_at, event AS event_text, occurred_at AS timestamp, user_id,
    email, list_id, selligent_user_id, send_id, email_id, email_subject, campaign_id, campaign_name, link_id,
    link_name, link_url, list_name, is_bot = '1' AS is_bot, ip, user_agent
"""

_IDENTIFY = (
    """
    CREATE TABLE staging.event_rows (
        export_date DATE, file VARCHAR, row_number BIGINT, exported_at TIMESTAMPTZ, loaded_at TIMESTAMPTZ, id UUID,
        event_text VARCHAR, timestamp TIMESTAMPTZ, user_id VARCHAR, email VARCHAR, list_id VARCHAR,
        selligent_user_id VARCHAR, send_id VARCHAR, email_id VARCHAR, email_subject VARCHAR, campaign_id VARCHAR,
        campaign_name VARCHAR, link_id VARCHAR, link_name VARCHAR, link_url VARCHAR, list_name VARCHAR,
        is_bot BOOLEAN, ip VARCHAR, user_agent VARCHAR
    )
    """,
    "ALTER TABLE staging.event_rows SET PARTITIONED BY (year(export_date), month(export_date))",
    # Identical rows are few: a cheap hash finds the candidates, and only those are numbered.
    """
    CREATE TEMP TABLE twins AS
    WITH hashed AS (
        SELECT
            row_number,
            hash(event, user_id, list_id, selligent_user_id, email_id, campaign_id, link_id, timestamp) AS hashed
        FROM raw.events WHERE event IS NOT NULL AND rejected_because IS NULL
    )
    SELECT row_number FROM hashed WHERE hashed IN (SELECT hashed FROM hashed GROUP BY hashed HAVING count(*) > 1)
    """,
    """
    INSERT INTO staging.event_rows BY NAME
    WITH understood AS NOT MATERIALIZED (FROM raw.events WHERE event IS NOT NULL AND rejected_because IS NULL)
    SELECT {id} AS id, {typed} FROM understood ANTI JOIN temp.twins USING (row_number)
    UNION ALL BY NAME
    SELECT
        CASE
            WHEN ordinal = 1 THEN first_id
            ELSE CAST(md5(json_array(CAST(first_id AS VARCHAR), CAST(ordinal AS VARCHAR))) AS UUID)
        END AS id,
        * EXCLUDE (first_id, ordinal)
    FROM (
        SELECT *, row_number() OVER (PARTITION BY first_id ORDER BY row_number) AS ordinal
        FROM (SELECT {id} AS first_id, {typed} FROM understood SEMI JOIN temp.twins USING (row_number))
    )
    """,
)

_DEDUPLICATE = (
    "CREATE TEMP TABLE repeated AS SELECT id FROM staging.event_rows GROUP BY id HAVING count(*) > 1",
    """
    CREATE TABLE staging.events AS
    WITH first_rows AS NOT MATERIALIZED (
        FROM staging.event_rows WHERE id NOT IN (FROM temp.repeated)
        UNION ALL BY NAME
        FROM staging.event_rows WHERE id IN (FROM temp.repeated)
        QUALIFY row_number() OVER (PARTITION BY id ORDER BY row_number) = 1
    )
    SELECT
        id, export_date, event_text, timestamp, exported_at, loaded_at AS received_at, user_id, email, list_id,
        selligent_user_id, send_id, is_bot, email_id, email_subject, campaign_id, campaign_name, link_id, link_name,
        link_url, list_name, ip, user_agent, {now} AS written_at
    FROM first_rows
    """,
)

_SPLIT = """
    CREATE TABLE {schema}.{table} AS
    SELECT
        CAST(id AS VARCHAR) AS id, received_at, exported_at AS sent_at, timestamp AS original_timestamp, timestamp,
        user_id, CASE WHEN user_id IS NULL THEN email END AS anonymous_id,
        replace(lower(event_text), ' ', '_') AS event, event_text,
        '{integration_name}' AS context_integration_name, '{integration_version}' AS context_integration_version,
        '{library_name}' AS context_library_name, '1.0.0' AS context_library_version,
        email AS context_traits_email, list_id AS context_selligent_list_id,
        selligent_user_id AS context_selligent_user_id, send_id AS context_selligent_send_id,
        is_bot AS context_selligent_is_bot, ip AS context_ip, user_agent AS context_user_agent,
        written_at AS uuid_ts {properties}
    FROM staging.events {where}
"""


@dataclass(frozen=True)
class Bare:
    """Seconds per step, and the peak memory of the process in MB."""

    steps: dict[str, float]
    peak: int


def measure(clone: Clone) -> Bare:
    """Run the statements in a new process, into a DuckLake in the copy's `data/`."""
    finished = clone.python("benchmarks.bare")
    return Bare(finished.answer, finished.peak)


def statements(path: str, schema: str) -> dict[str, list[str]]:
    """The statements of each step."""
    values = {
        "codes": ", ".join(f"'{code}'" for code in _CODES),
        "events": " ".join(f"WHEN '{code}' THEN '{event}'" for code, event in _CODES.items()),
        "which": _WHICH,
        "file": FILE_NAME,
        "exported_at": _EXPORTED_AT,
        "now": _NOW,
        "csv": _CSV.format(path=literal(path)),
        "id": _ID,
        "typed": _TYPED,
    }
    tables = {event.table: (event.name, event.properties) for event in EVENTS}
    split = [
        _SPLIT.format(
            schema=schema,
            table=table,
            properties="".join(f", {name}" for name in properties),
            where=f"WHERE event_text = '{name}'" if name else "",
            integration_name=INTEGRATION_NAME,
            integration_version=INTEGRATION_VERSION,
            library_name=LIBRARY_NAME,
        )
        for table, (name, properties) in {**tables, "tracks": (None, ())}.items()
    ]
    return {
        "load": [statement.format(**values) for statement in _LOAD],
        "type, identify": [statement.format(**values) for statement in _IDENTIFY],
        "deduplicate": [statement.format(**values) for statement in _DEDUPLICATE],
        "split": split,
    }


def run_statements(connection: duckdb.DuckDBPyConnection, settings: Settings) -> dict[str, float]:
    """Run the statements over a new connection; the seconds of each step."""
    warehouse = Warehouse.of(settings)
    with warehouse.writing():
        pass  # which creates its empty tables
    connection.execute("SET TimeZone = 'UTC'")
    for statement in warehouse.attach_statements(read_only=False):
        connection.execute(statement)
    for schema in ("staging", settings.schema_name):
        connection.execute(f"CREATE SCHEMA {schema}")
    seconds = {}
    for step, listed in statements(_export(settings), settings.schema_name).items():
        started = time.perf_counter()
        for statement in listed:
            connection.execute(statement)
        seconds[step] = time.perf_counter() - started
    return seconds


def copy_as_text(connection: duckdb.DuckDBPyConnection, settings: Settings) -> float:
    """Write the text of the file to Parquet, and nothing else; the seconds."""
    with TemporaryDirectory() as folder:
        started = time.perf_counter()
        csv = _CSV.format(path=literal(_export(settings)))
        connection.execute(f"COPY (FROM {csv}) TO {literal(f'{folder}/rows.parquet')} (FORMAT parquet)")
        return time.perf_counter() - started


def _export(settings: Settings) -> str:
    return str(next(Path(settings.selligent_exports).glob(FILE_NAME)))


def main() -> None:
    """Run the statements in the copy, and print the seconds of each step."""
    settings = load_settings()
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT}) as connection:
        copied = copy_as_text(connection, settings)
    with duckdb.connect(config={"memory_limit": MEMORY_LIMIT}) as connection:
        json.dump({COPY: copied, **run_statements(connection, settings)}, sys.stdout)


if __name__ == "__main__":
    main()
