"""Erasure of rows from every table of the warehouse and from the ledger."""

import re
from collections.abc import Sequence
from datetime import datetime

import duckdb
import pandas as pd

from pipeline.catalog import EVENTS
from pipeline.erasure.search_terms import naming, tables_of, text_columns, texts_with
from pipeline.export_dates import EVERY_DATE
from pipeline.ledger import Ledger, Remaining
from pipeline.ledger.warehouse_copy import mirror_into
from pipeline.ledger.warehouse_pairing import advance_warehouse, pairing_of
from pipeline.privacy.digests import is_suppressed
from pipeline.privacy.text_matcher import SEPARATOR, words
from pipeline.segment.enqueue import register
from pipeline.warehouse import has_table, one_column, one_value, quoted, transaction
from pipeline.warehouse.trimming import trimmed_sql

Connection = duckdb.DuckDBPyConnection

FORGOTTEN = "(forgotten)"
_STAGED = is_suppressed("user_id", "email", "list_id", "selligent_user_id")
_MODELLED = is_suppressed("user_id", "context_traits_email", "context_selligent_list_id", "context_selligent_user_id")
_FORGOTTEN = "id IN (SELECT id FROM temp.forgotten_events)"
# Event tables may not have the address that identifies the person.
_MODELLED_OR_FORGOTTEN = f"({_MODELLED} OR {_FORGOTTEN})"
# Columns that distinguish a rejected row within its file.
_DISTINGUISHING = (
    "list_id",
    "selligent_user_id",
    "timestamp",
    "event_code",
    "email_id",
    "campaign_id",
    "link_id",
    "send_id",
)
# A rejected row has no columns. The text of one that is known by its contact contains only that, and has to be
# distinguished from other people's texts, which can contain such numbers, too.
_FORGOTTEN_TEXTS = f"""
    CREATE OR REPLACE TEMP TABLE forgotten_texts AS
    SELECT DISTINCT texts.export_date, texts.file, texts.layout, texts.line, texts.text
    FROM (SELECT *, unnest({words("text")}) AS word FROM raw.rejected_rows) AS texts
    JOIN temp.forgotten_rows AS gone
        ON gone.export_date = texts.export_date AND gone.file = texts.file AND gone.layout = texts.layout
        AND {trimmed_sql("gone.selligent_user_id")} = texts.word
    WHERE ends_with(texts.reason, gone.rejected_because) -- the reason may have an archive member in front of it
        AND list_has_all({words("texts.text")}, {words("gone.found_text")})
"""
# Names of files and layouts are identifiers, so they are not blanked; the search reports them if they name a person.
_KEPT = ("file", "layout", "name")


def find_events(connection: Connection, schema: str) -> None:
    """Create the table of the ids of these people's events, which are all that the outbox and the ledger have of them.

    Runs before any row is deleted. If killed later, the rows are still there, or all of them are deleted.
    """
    known = tables_of(connection)
    found = " UNION ".join(
        f"SELECT CAST(id AS VARCHAR) AS id FROM {table} WHERE {condition}"
        for table, condition in _event_tables(schema, _MODELLED).items()
        if table in known
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE forgotten_events AS "
        + (found or "SELECT CAST(NULL AS VARCHAR) AS id WHERE false")
    )


def _event_tables(schema: str, modelled: str) -> dict[str, str]:
    """The tables of events, with the condition for these people's; that of tables with Segment's columns is given."""
    return {
        '"staging"."event_rows"': _STAGED,
        '"staging"."events"': _STAGED,
        '"staging"."identities"': _STAGED,
        **{f"{quoted(schema)}.{quoted(event.table)}": modelled for event in EVENTS},
        f'{quoted(schema)}."tracks"': modelled,
    }


def forget_ledger(connection: Connection, ledger: Ledger, now: datetime) -> int:
    """Replace events of these people in the ledger by counts; how many were dead.

    Runs before the outbox is changed, because the counts come from it. If killed in between, everything is repeated.
    """
    if has_table(connection, "staging", "events"):
        register(connection, ledger, EVERY_DATE, now)
    rows = connection.execute(
        "SELECT coalesce(batch_id, sha256(id)), event, export_date, "
        f"count(*) FILTER (NOT {_FORGOTTEN}) FROM delivery.outbox GROUP BY ALL "
        f"HAVING bool_or({_FORGOTTEN})"
    ).fetchall()
    ids = one_column(connection, f"SELECT id FROM delivery.outbox WHERE {_FORGOTTEN}")
    dead = ledger.forget([Remaining(*row) for row in rows], ids)
    connection.register("ledger_texts", ledger.texts())
    names_people = naming(connection, "naming_answers", "ledger_texts", "reason")
    keys = one_column(connection, f"SELECT key FROM ledger_texts WHERE {names_people}")
    connection.unregister("ledger_texts")
    ledger.replace_texts(keys, FORGOTTEN)
    return dead


def forget_rows(connection: Connection, ledger: Ledger, schema: str) -> dict[str, int]:
    """Delete the rows of these people in one transaction. Returns the number of deleted rows by table."""
    known = tables_of(connection)
    gone: dict[str, int] = {}
    with transaction(connection):
        names_people = naming(
            connection,
            "naming_events",
            "raw.events AS events WHERE rejected_because IS NOT NULL",
            _joined(connection, "raw.events"),
            any_value=True,
        )
        of_theirs = f"{_STAGED} OR (rejected_because IS NOT NULL AND {names_people})"
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE forgotten_rows AS SELECT export_date, file, layout, "
            f"rejected_because, selligent_user_id, concat_ws(' ', {', '.join(_DISTINGUISHING)}) AS found_text "
            f"FROM raw.events AS events WHERE {of_theirs}"
        )
        connection.execute(_FORGOTTEN_TEXTS)
        names_people = naming(
            connection,
            "naming_rejected",
            "raw.rejected_rows AS rejected_rows",
            _joined(connection, "raw.rejected_rows"),
            any_value=True,
        )
        rejected = (
            f"{names_people} OR (export_date, file, layout, line, text) IN "
            "(SELECT (export_date, file, layout, line, text) FROM temp.forgotten_texts)"
        )
        connection.execute(
            "CREATE OR REPLACE TEMP TABLE touched_files AS SELECT export_date, file, layout FROM temp.forgotten_rows "
            f"UNION SELECT export_date, file, layout FROM raw.rejected_rows AS rejected_rows WHERE {rejected} "
            f"UNION SELECT export_date, file, layout FROM raw.lookups WHERE {_STAGED}"
        )
        conditions = {
            '"raw"."rejected_rows"': rejected,
            '"raw"."events"': of_theirs,
            '"raw"."lookups"': _STAGED,
            **_event_tables(schema, _MODELLED_OR_FORGOTTEN),
            '"delivery"."outbox"': _FORGOTTEN,
        }
        for table, condition in conditions.items():
            if table in known:
                deletion = f"DELETE FROM {table} AS {table.split('.')[1]} WHERE {condition}"
                gone[table] = one_value(connection, deletion)
        advance_warehouse(connection)
        _count_again(connection)
        for table in known:
            _blank(connection, table)
    ledger.record_generation(pairing_of(connection).generation)
    before = _count(connection, "delivery.dead_events")
    mirror_into(connection, ledger, EVERY_DATE)
    gone['"delivery"."dead_events"'] = before - _count(connection, "delivery.dead_events")
    return gone


def _joined(connection: Connection, table: str) -> str:
    columns = (f"{table.split('.')[1]}.{quoted(name)}" for name in text_columns(connection, table) if name not in _KEPT)
    return f"concat_ws(' ', {', '.join(columns)})"


def _count(connection: Connection, table: str) -> int:
    return int(one_value(connection, f"SELECT count(*) FROM {table}"))


def _count_again(connection: Connection) -> None:
    """Update the counts of files: removed rows count as suppressed, as if the file had been loaded today."""
    connection.execute(
        """
        UPDATE raw.export_files AS files
        SET skipped = counted.skipped, rejected = counted.rejected,
            suppressed = files.rows - counted.events - counted.skipped - counted.rejected
        FROM (
            SELECT export_date, file, layout,
                count(*) FILTER (what = 'event') AS events, count(*) FILTER (what = 'skipped') AS skipped,
                count(*) FILTER (what = 'rejected') AS rejected
            FROM (
                SELECT export_date, file, layout, 'nothing' AS what FROM temp.touched_files
                UNION ALL
                SELECT export_date, file, layout, CASE WHEN event IS NULL THEN 'skipped' ELSE 'event' END
                FROM raw.events WHERE rejected_because IS NULL
                UNION ALL
                SELECT export_date, file, layout, 'event' FROM raw.lookups
                UNION ALL
                SELECT export_date, file, layout, 'rejected' FROM raw.rejected_rows
            )
            WHERE (export_date, file, layout) IN (SELECT (export_date, file, layout) FROM temp.touched_files)
            GROUP BY export_date, file, layout
        ) AS counted
        WHERE files.status = 'loaded' AND files.export_date = counted.export_date AND files.name = counted.file
            AND files.layout = counted.layout
        """
    )


def _blank(connection: Connection, table: str) -> None:
    """Blank values in other people's rows that name one of these people, such as a link `mailto:…`."""
    for column in text_columns(connection, table):
        if column in _KEPT:
            continue
        found = texts_with(connection, table, column)
        if not found:
            continue
        before = [text for text, _ in found]
        frame = pd.DataFrame({"before": before, "after": [_without(*each) for each in found]}, dtype="string")
        connection.register("blanked_texts", frame)
        connection.execute(
            f"UPDATE {table} AS target SET {quoted(column)} = blanked.after FROM blanked_texts AS blanked "
            f"WHERE CAST(target.{quoted(column)} AS VARCHAR) = blanked.before"
        )
        connection.unregister("blanked_texts")


def _without(text: str, found: Sequence[str]) -> str:
    """The text without these phrases; `mary.ann@example.org` does not contain the phrase `ann@example.org`."""
    for phrase in sorted(found, key=len, reverse=True):
        if not phrase:  # of a value without a word, which a text can equal but not contain
            return FORGOTTEN
        pattern = rf"\.*{SEPARATOR}+".join(re.escape(word) for word in phrase.split(" "))
        text = re.sub(rf"(?i)(?:^|(?<={SEPARATOR})){pattern}(?=\.*(?:{SEPARATOR}|\Z))", FORGOTTEN, text)
    return text
