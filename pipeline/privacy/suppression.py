"""People who must not be loaded, modelled or delivered: the list that SELLIGENT_SUPPRESSED names.

The warehouse keeps hashes of the list, never its values, in `raw.suppressed`; whoever has to leave people out asks
that table. The hash of an email address is not the plain sha256 that SEGMENT_ANONYMOUS_ID can ask for, so that a
search for a person's traces does not find the list itself.
"""

import csv
import io
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import duckdb

from pipeline.errors import SettingsError
from pipeline.filesystems.access import opened, scheme_of, words_of
from pipeline.warehouse import literal, transaction
from pipeline.warehouse.trimming import INVISIBLE, INVISIBLE_IN_PYTHON, identifier_sql, trimmed, trimmed_sql

Connection = duckdb.DuckDBPyConnection

SETTING = "SELLIGENT_SUPPRESSED"
# What the list names people by; `contact` is learnt from lookups: the list id and Selligent user id of such a person.
USER_ID, EMAIL, CONTACT = "user_id", "email", "contact"
# The contact of a person who is off the list. It is kept: the lookup's row is not, so nothing else would tell it when
# the person is listed again, be it after one run with half a list, or with none.
FORMER = "former contact"
# SQL for whether a row of `raw.suppressed` has somebody left out.
COUNTS = f"kind <> '{FORMER}'"
# The list of this run in plain text, in the memory of one connection and nowhere else: kind, value, digest, the
# `phrase` that it is in longer texts, and whether the value is `naming`: it tells the person wherever it stands. Short
# ids and mere numbers don't: campaigns and links have such ids, too.
LISTED = "temp.listed_people"

_NAMING_BYTES = 8
# Between words: these marks, and whatever is invisible.
_MARKS = re.escape("\"'`|;,:<>()[]{}=&?/\\!#*…“”„‘’«»")
SEPARATOR = f"[{INVISIBLE_IN_PYTHON}{_MARKS}]"
_SEPARATOR = f"[{INVISIBLE}{_MARKS}]"
_REJECTS, _REJECTS_SCANS = "list_rejects", "list_reject_scans"


@dataclass(frozen=True)
class Suppressed:
    """How many people the list names, by user id and by email address."""

    user_ids: int = 0
    emails: int = 0

    def __bool__(self) -> bool:
        return bool(self.user_ids or self.emails)


def normal(kind: str, text: str) -> str:
    """SQL for a value as it is compared: trimmed, and an email address in lower case."""
    return f"lower({trimmed_sql(text)})" if kind == EMAIL else trimmed_sql(text)


def digest(kind: str, text: str) -> str:
    """SQL for the hash of a user id or an email address; the macro `suppressed_digest` says the same to dbt."""
    return f"sha256('{kind}:' || {normal(kind, text)})"


def contact_digest(list_id: str, selligent_user_id: str) -> str:
    """SQL for the hash of a contact's key; with its length before it, no list id can run into a user id. NULL where
    either is empty: that is nobody's key, and would be everybody's who has none.
    """
    list_id, selligent_user_id = (identifier_sql(text) for text in (list_id, selligent_user_id))
    return f"sha256('{CONTACT}:' || length({list_id}) || ':' || {list_id} || ':' || {selligent_user_id})"


def words(text: str) -> str:
    """SQL for the words of a text, as a list."""
    split = f"regexp_split_to_array({text}, {literal(_SEPARATOR + '+')})"
    return f"list_filter(list_transform({split}, lambda w: rtrim(w, '.')), lambda w: w <> '')"


def has_words(text: str) -> str:
    """SQL for whether a text can be more than one word."""
    return f"regexp_matches({text}, {literal(_SEPARATOR + '|[.]$')})"


def phrase(value: str) -> str:
    """SQL for a value among `phrases`: its words with blanks between; NULL where it has none."""
    return f"nullif(array_to_string({words(value)}, ' '), '')"


def phrases(connection: Connection, text: str) -> str:
    """SQL for what in a text could be a value of `LISTED`, as a list: as it stands, and in lower case. Most values are
    one word; `o'brien@example.org` and `auth0|4711` are more than one, in a row.
    """
    counted = connection.execute(f"SELECT DISTINCT len(string_split(phrase, ' ')) FROM {LISTED} WHERE phrase <> ''")
    runs = [
        "w"
        if length == 1
        else f"list_transform(range(1, len(w) - {length} + 2), lambda i: array_to_string(w[i:i + {length} - 1], ' '))"
        for length in sorted({1, *(length for (length,) in counted.fetchall())})
    ]
    # Each list is named by a function, so that it is made once.
    found = f"list_transform([{words(text)}], lambda w: list_concat({', '.join(runs)}))"
    return f"list_transform({found}, lambda p: list_concat(p, list_transform(p, lambda one: lower(one))))[1]"


def is_suppressed(user_id: str, email: str, list_id: str, selligent_user_id: str) -> str:
    """SQL for whether a row is of somebody in `raw.suppressed`; never NULL."""
    digests = {
        USER_ID: digest(USER_ID, user_id),
        EMAIL: digest(EMAIL, email),
        CONTACT: contact_digest(list_id, selligent_user_id),
    }
    tests = (
        f"coalesce({value} IN (SELECT digest FROM raw.suppressed WHERE kind = '{kind}'), false)"
        for kind, value in digests.items()
    )
    return f"({' OR '.join(tests)})"


def is_anybody(connection: Connection) -> bool:
    """Whether `raw.suppressed` names anybody; where it doesn't, nothing that has to do with it costs anything."""
    return connection.execute(f"SELECT 1 FROM raw.suppressed WHERE {COUNTS} LIMIT 1").fetchone() is not None


def is_anybody_new(connection: Connection, mark: str) -> bool:
    """Whether somebody is left out who was not yet dealt with; `mark` is `modelled_at` or `withdrawn_at`."""
    query = f"SELECT 1 FROM raw.suppressed WHERE {COUNTS} AND {mark} IS NULL LIMIT 1"
    return connection.execute(query).fetchone() is not None


def listings(connection: Connection, mark: str) -> list[str]:
    """The listings with people who were not yet dealt with: noted before that is done, they are what `mark` is given,
    so that whoever is listed meanwhile is not taken for dealt with, whatever the clocks say.
    """
    query = f"SELECT DISTINCT coalesce(listing, '') FROM raw.suppressed WHERE {COUNTS} AND {mark} IS NULL"
    return [listing for (listing,) in connection.execute(query).fetchall()]


def mark(connection: Connection, mark: str, listings: Sequence[str]) -> None:
    """Note that everybody of these listings was dealt with; rows of a former version are of one without a name."""
    with transaction(connection):
        connection.execute(
            f"UPDATE raw.suppressed SET {mark} = now() "
            f"WHERE {mark} IS NULL AND coalesce(listing, '') IN (SELECT unnest(?::VARCHAR[]))",
            [list(listings)],
        )


def check(location: str | None) -> Suppressed:
    """Make sure that the list can be used; whom it names.

    Raises:
        SettingsError: it can't; no value of it is repeated.
    """
    with duckdb.connect() as connection:
        return _read(connection, location)


def is_work(connection: Connection, location: str | None) -> bool:
    """Whether the list names people who are still in the tables, or whose events are still waiting."""
    _read(connection, location)
    return (
        connection.execute(f"SELECT 1 FROM ({_NEW_ENTRIES}) LIMIT 1").fetchone() is not None
        or is_anybody_new(connection, "modelled_at")
        or is_anybody_new(connection, "withdrawn_at")
    )


def refresh(connection: Connection, location: str | None, now: datetime) -> Suppressed:
    """Bring `raw.suppressed` up to the list, with the contacts that the lookups know of its people.

    Without a list nobody is suppressed. Where nothing changed, nothing is written. `LISTED` is there afterwards.

    Raises:
        SettingsError: the list can't be used; nothing was changed.
    """
    people = _read(connection, location)
    new, gone = (
        connection.execute(f"SELECT count(*) FROM ({query})").fetchall()[0][0]
        for query in (_NEW_ENTRIES, _GONE_ENTRIES)
    )
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
    """Remember by which contacts these lookup rows (SQL) know people of the list: their events may say no more."""
    found = " UNION ".join(
        f"SELECT {contact_digest('list_id', 'selligent_user_id')} AS contact, listed.digest AS through "
        f"FROM ({contacts}) AS contacts JOIN {LISTED} AS listed "
        f"ON listed.kind = '{kind}' AND listed.value = {normal(kind, f'contacts.{kind}')} "
        "WHERE contact IS NOT NULL"
        for kind in (USER_ID, EMAIL)
    )
    # Known ones are left alone, and so is the table where there is nothing to add: a change costs a snapshot.
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE new_contacts AS SELECT '{CONTACT}' AS kind, contact AS digest, through "
        f"FROM ({found}) EXCEPT SELECT kind, digest, through FROM raw.suppressed"
    )
    if connection.execute("SELECT 1 FROM temp.new_contacts LIMIT 1").fetchone() is not None:
        connection.execute(
            f"INSERT INTO raw.suppressed BY NAME SELECT *, {_LISTED} FROM temp.new_contacts", [now, uuid4().hex]
        )


def _read(connection: Connection, location: str | None) -> Suppressed:
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE listed_people "
        "(kind VARCHAR, value VARCHAR, digest VARCHAR, phrase VARCHAR, naming BOOLEAN)"
    )
    if location is None:
        return Suppressed()
    with _local(location) as path:
        _parse(connection, path)
    counted = dict(connection.execute(f"SELECT kind, count(*) FROM {LISTED} GROUP BY kind").fetchall())
    return Suppressed(counted.get(USER_ID, 0), counted.get(EMAIL, 0))


def _parse(connection: Connection, path: Path) -> None:
    header = _header(path)
    for table in (_REJECTS, _REJECTS_SCANS):
        connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
    types = ", ".join(f"c{position}: 'VARCHAR'" for position in range(len(header.names)))
    scan = (
        f"read_csv({literal(str(path))}, auto_detect = false, header = true, delim = {literal(header.delimiter)}, "
        f"quote = '\"', escape = '\"', columns = {{{types}}}, strict_mode = true, encoding = 'utf-8', "
        f"store_rejects = true, rejects_table = '{_REJECTS}', rejects_scan = '{_REJECTS_SCANS}')"
    )
    values = " UNION ".join(
        f"SELECT DISTINCT '{kind}' AS kind, {normal(kind, f'c{position}')} AS value FROM rows"
        for position, kind in header.people
    )
    try:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE listed_people AS WITH rows AS MATERIALIZED (FROM {scan}) "
            f"SELECT kind, value, sha256(kind || ':' || value) AS digest, {phrase('value')} AS phrase, "
            f"kind = '{EMAIL}' OR (strlen(value) >= {_NAMING_BYTES} AND regexp_matches(value, '[^0-9]')) AS naming "
            f"FROM ({values}) WHERE value <> ''"
        )
        fault = connection.execute(f"SELECT min(line) FROM temp.{_REJECTS}").fetchall()[0][0]
        no_addresses = connection.execute(
            f"SELECT count(*) FROM {LISTED} WHERE kind = '{EMAIL}' AND NOT contains(value, '@')"
        ).fetchall()[0][0]
    except duckdb.Error:  # its words repeat the row
        raise SettingsError(f"{SETTING}: the file can't be read as CSV in UTF-8") from None
    if fault is not None:
        # A person who is passed over in silence would be delivered.
        raise SettingsError(f"{SETTING}: line {fault} can't be read as a row of CSV in UTF-8; mend it")
    if no_addresses:
        raise SettingsError(f"{SETTING}: {no_addresses:,} values in the column email have no @; are columns mixed up?")


@dataclass(frozen=True)
class _Header:
    names: list[str]
    delimiter: str

    @property
    def people(self) -> list[tuple[int, str]]:
        """Positions of the columns that name people, with what they name them by."""
        lowered = [trimmed(name).lower() for name in self.names]
        return [(place, name) for place, name in enumerate(lowered) if name in (USER_ID, EMAIL)]


def _header(path: Path) -> _Header:
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            line = text.readline()
    except UnicodeDecodeError:
        raise SettingsError(f"{SETTING}: the file is not in UTF-8") from None
    # Spreadsheets of half of Europe write semicolons.
    delimiter = ";" if ";" in line and "," not in line else ","
    header = _Header(next(csv.reader(io.StringIO(line), delimiter=delimiter), []), delimiter)
    if not header.people:
        raise SettingsError(f"{SETTING}: the file's first line names neither a column user_id nor a column email")
    return header


@contextmanager
def _local(location: str) -> Iterator[Path]:
    """The list on this machine: itself where it is local, else a copy that goes away afterwards."""
    if "://" not in location:
        path = Path(location)
        if not path.is_file():
            raise SettingsError(f"{SETTING}: there is no file {location}")
        yield path
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "list.csv"
        try:
            with opened(location, SETTING) as source, copy.open("wb") as target:
                shutil.copyfileobj(source, target)
        except SettingsError:
            raise
        except Exception as error:
            raise SettingsError(
                f"{SETTING}: the {scheme_of(location)}:// file can't be read ({words_of(error)})"
            ) from None
        yield copy
