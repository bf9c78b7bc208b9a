"""How the event tables, and therefore the messages, have email addresses: SEGMENT_TRAITS_EMAIL, SEGMENT_ANONYMOUS_ID.

`raw` and `staging` have the addresses as they are. So when a setting changes, the event tables are written anew from
`staging.events`, before anything else is written to them or sent from them. `raw.origin` records the settings that they
were written with.
"""

from collections.abc import Iterator
from pathlib import Path

import duckdb

from pipeline.catalog import EVENTS
from pipeline.errors import SettingsError
from pipeline.settings import Settings
from pipeline.warehouse import has_table, literal, one_column, quoted, transaction

Connection = duckdb.DuckDBPyConnection

_NAME = "addresses"


def traits_email(settings: Settings) -> str:
    """SQL for `context_traits_email`, over the columns of `staging.events`, whose addresses are trimmed."""
    forms = {"plain": "email", "sha256": "sha256(lower(email))", "none": "CAST(NULL AS VARCHAR)"}
    return forms[settings.segment_traits_email]


def anonymous_id(settings: Settings) -> str:
    """SQL for `anonymous_id`, likewise."""
    form = "sha256(lower(email))" if settings.segment_anonymous_id == "sha256" else "email"
    return f"CASE WHEN user_id IS NULL THEN {form} END"


def are_outdated(connection: Connection, settings: Settings) -> bool:
    """Whether the event tables may have addresses in another form than the settings ask for."""
    known = one_column(connection, f"SELECT value FROM raw.origin WHERE name = '{_NAME}'")
    return known != [_form(settings)] and bool(_tables(connection, settings))


def check_addresses(connection: Connection, settings: Settings) -> None:
    """Raise SettingsError if the event tables have addresses in another form, since messages are made from them."""
    if are_outdated(connection, settings):
        raise SettingsError(
            "SEGMENT_TRAITS_EMAIL or SEGMENT_ANONYMOUS_ID has changed, and the event tables have addresses as before, "
            "so nothing is sent. `python -m pipeline run` writes them anew, and so does delivery/outbox"
        )


def rewrite_addresses(connection: Connection, settings: Settings, dry_runs: Path) -> int:
    """Bring the addresses in the event tables into the form that the settings ask for; the number of changed rows.

    The files of `dry_runs` are deleted, since they have the former ones. The form is recorded last, so a killed process
    is repeated.
    """
    if not are_outdated(connection, settings):
        _record(connection, settings)
        return 0
    for path in dry_runs.glob("*/*/*"):  # export date, event, batch
        path.unlink()
    changed = sum(_rewrite(connection, settings, table) for table in _tables(connection, settings))
    _record(connection, settings)
    return changed


def _rewrite(connection: Connection, settings: Settings, table: str) -> int:
    """Month by month, so that memory does not grow with the history."""
    changed = 0
    for month in _months(connection, table):
        with transaction(connection):
            (rows,) = connection.execute(
                f"""
                UPDATE {table} AS target
                SET context_traits_email = staged.traits, anonymous_id = staged.anonymous
                FROM (
                    SELECT
                        CAST(id AS VARCHAR) AS id, {traits_email(settings)} AS traits,
                        {anonymous_id(settings)} AS anonymous
                    FROM staging.events WHERE {month}
                ) AS staged
                WHERE target.id = staged.id AND target.{month} AND (
                    target.context_traits_email IS DISTINCT FROM staged.traits
                    OR target.anonymous_id IS DISTINCT FROM staged.anonymous
                )
                """
            ).fetchall()[0]
        changed += rows
    return changed


def _months(connection: Connection, table: str) -> Iterator[str]:
    """SQL for the condition that an event happened in a month, for each month of a table."""
    starts = one_column(connection, f"SELECT DISTINCT CAST(date_trunc('month', timestamp) AS VARCHAR) FROM {table}")
    for start in sorted(starts):
        first = f"TIMESTAMPTZ {literal(start)}"
        yield f"timestamp BETWEEN {first} AND {first} + INTERVAL 1 MONTH - INTERVAL 1 MICROSECOND"


def _tables(connection: Connection, settings: Settings) -> list[str]:
    """The event tables that there are; the first run creates them."""
    if not has_table(connection, "staging", "events"):
        return []
    tables = [*(event.table for event in EVENTS), "tracks"]
    return [
        f"{quoted(settings.schema_name)}.{quoted(table)}"
        for table in tables
        if has_table(connection, settings.schema_name, table)
    ]


def _record(connection: Connection, settings: Settings) -> None:
    if one_column(connection, f"SELECT value FROM raw.origin WHERE name = '{_NAME}'") == [_form(settings)]:
        return
    with transaction(connection):
        connection.execute("DELETE FROM raw.origin WHERE name = ?", [_NAME])
        connection.execute("INSERT INTO raw.origin VALUES (?, ?)", [_NAME, _form(settings)])


def _form(settings: Settings) -> str:
    return f"traits {settings.segment_traits_email}, anonymous id {settings.segment_anonymous_id}"
