"""Suppressed people as `raw.suppressed` has them: digests of the list, and of the contacts of its people."""

from collections.abc import Sequence
from datetime import datetime
from uuid import uuid4

import duckdb

from pipeline.privacy.digests import CONTACT, EMAIL, LISTED, USER_ID, contact_digest, normal
from pipeline.privacy.suppression_list import Suppressed, read_list
from pipeline.warehouse import has_rows, one_column, one_value, transaction

Connection = duckdb.DuckDBPyConnection

# The contact of a person who is no longer on the list. It is kept because the lookup's row is not: nothing else would
# identify it when the person is listed again, even after a run with a partial or empty list.
FORMER = "former contact"
# SQL for whether a row of `raw.suppressed` suppresses a person.
SUPPRESSES = f"kind <> '{FORMER}'"


def any_suppressed(connection: Connection) -> bool:
    """Whether any person is suppressed; where none is, suppression costs nothing."""
    return has_rows(connection, f"SELECT 1 FROM raw.suppressed WHERE {SUPPRESSES} LIMIT 1")


def any_newly_suppressed(connection: Connection, mark: str) -> bool:
    """Whether any suppressed person has not been processed yet; `mark` is `modelled_at` or `withdrawn_at`."""
    return has_rows(connection, f"SELECT 1 FROM raw.suppressed WHERE {SUPPRESSES} AND {mark} IS NULL LIMIT 1")


def listings(connection: Connection, mark: str) -> list[str]:
    """Listings (updates of the list) with people who are not processed yet. Read them before processing and pass them
    to `mark` afterwards: who is listed in the meantime is then not marked as processed, whatever the clocks show.
    """
    query = f"SELECT DISTINCT coalesce(listing, '') FROM raw.suppressed WHERE {SUPPRESSES} AND {mark} IS NULL"
    return one_column(connection, query)


def mark(connection: Connection, mark: str, listings: Sequence[str]) -> None:
    """Record that these listings were processed; rows of an earlier version have an empty listing."""
    with transaction(connection):
        connection.execute(
            f"UPDATE raw.suppressed SET {mark} = now() "
            f"WHERE {mark} IS NULL AND coalesce(listing, '') IN (SELECT unnest(?::VARCHAR[]))",
            [list(listings)],
        )


def has_people_to_remove(connection: Connection, location: str | None) -> bool:
    """Whether people on the list are still in the tables, or have events that are still waiting."""
    read_list(connection, location)
    return (
        has_rows(connection, f"SELECT 1 FROM ({_NEW_ENTRIES}) LIMIT 1")
        or any_newly_suppressed(connection, "modelled_at")
        or any_newly_suppressed(connection, "withdrawn_at")
    )


def refresh(connection: Connection, location: str | None, now: datetime) -> Suppressed:
    """Update `raw.suppressed` from the list, with the contacts of its people in the lookups, and create `LISTED`.

    Where nothing changed, nothing is written. Raises SettingsError as `read_list` does; nothing was changed.
    """
    people = read_list(connection, location)
    new, gone = (one_value(connection, f"SELECT count(*) FROM ({query})") for query in (_NEW_ENTRIES, _GONE_ENTRIES))
    if not new and not gone:
        return people
    listing = uuid4().hex
    with transaction(connection):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE gone_entries AS {_GONE_ENTRIES}")
        connection.execute("DELETE FROM raw.suppressed WHERE digest IN (SELECT digest FROM temp.gone_entries)")
        connection.execute(
            f"UPDATE raw.suppressed SET kind = '{FORMER}' WHERE through IN (SELECT digest FROM temp.gone_entries)"
        )
        connection.execute(
            f"INSERT INTO raw.suppressed BY NAME SELECT *, {_LISTED} FROM ({_NEW_ENTRIES})", [now, listing]
        )
        if new:
            connection.execute(
                f"UPDATE raw.suppressed SET kind = '{CONTACT}', listed_at = ?, listing = ?, "
                "modelled_at = NULL, withdrawn_at = NULL "
                f"WHERE kind = '{FORMER}' AND through IN (SELECT digest FROM {LISTED})",
                [now, listing],
            )
            learn_contacts(connection, "SELECT * FROM raw.lookups WHERE kind = 'contacts'", now)
    return people


_LISTED = "CAST(? AS TIMESTAMPTZ) AS listed_at, CAST(? AS VARCHAR) AS listing"
_NEW_ENTRIES = f"SELECT kind, digest FROM {LISTED} WHERE digest NOT IN (SELECT digest FROM raw.suppressed)"
_GONE_ENTRIES = (
    f"SELECT digest FROM raw.suppressed WHERE kind IN ('{USER_ID}', '{EMAIL}') "
    f"AND digest NOT IN (SELECT digest FROM {LISTED})"
)


def learn_contacts(connection: Connection, contacts: str, now: datetime) -> None:
    """Store the contacts of people on the list in these lookup rows (SQL): the events may have no other identifier."""
    found = " UNION ".join(
        f"SELECT {contact_digest('list_id', 'selligent_user_id')} AS contact, listed.digest AS through "
        f"FROM ({contacts}) AS contacts JOIN {LISTED} AS listed "
        f"ON listed.kind = '{kind}' AND listed.value = {normal(kind, f'contacts.{kind}')} "
        "WHERE contact IS NOT NULL"
        for kind in (USER_ID, EMAIL)
    )
    # Only new ones are written, and nothing if there are none: every change creates a snapshot.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE new_contacts AS SELECT '{CONTACT}' AS kind, contact AS digest, through "
        f"FROM ({found}) EXCEPT SELECT kind, digest, through FROM raw.suppressed"
    )
    if has_rows(connection, "SELECT 1 FROM temp.new_contacts LIMIT 1"):
        connection.execute(
            f"INSERT INTO raw.suppressed BY NAME SELECT *, {_LISTED} FROM temp.new_contacts", [now, uuid4().hex]
        )
