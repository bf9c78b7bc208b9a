"""The list of suppressed people that SELLIGENT_SUPPRESSED names, and how it is read."""

import csv
import io
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from pipeline.errors import SettingsError
from pipeline.filesystems.remote_files import opened, scheme_of, words_of
from pipeline.privacy.digests import EMAIL, LISTED, USER_ID, normal
from pipeline.privacy.text_matcher import phrase
from pipeline.warehouse import literal, one_value
from pipeline.warehouse.trimming import trimmed

Connection = duckdb.DuckDBPyConnection

SETTING = "SELLIGENT_SUPPRESSED"
_NAMING_BYTES = 8
_REJECTS, _REJECTS_SCANS = "list_rejects", "list_reject_scans"


@dataclass(frozen=True)
class Suppressed:
    """The number of people on the list, by user id and by email address."""

    user_ids: int = 0
    emails: int = 0

    def __bool__(self) -> bool:
        return bool(self.user_ids or self.emails)


def check(location: str | None) -> Suppressed:
    """The number of people on the list. Raises SettingsError: it can't be used; no value of it is repeated."""
    with duckdb.connect() as connection:
        return read_list(connection, location)


def read_list(connection: Connection, location: str | None) -> Suppressed:
    """Read the list into `LISTED`, which is empty without one; raises as `check` does."""
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
        fault = one_value(connection, f"SELECT min(line) FROM temp.{_REJECTS}")
        no_addresses = one_value(
            connection, f"SELECT count(*) FROM {LISTED} WHERE kind = '{EMAIL}' AND NOT contains(value, '@')"
        )
    except duckdb.Error:  # its message repeats the row
        raise SettingsError(f"{SETTING}: the file can't be read as CSV in UTF-8") from None
    if fault is not None:
        # A person who is skipped silently would be delivered.
        raise SettingsError(f"{SETTING}: line {fault} can't be read as a row of CSV in UTF-8; correct it")
    if no_addresses:
        raise SettingsError(f"{SETTING}: {no_addresses:,} values in the column email have no @; are columns mixed up?")


@dataclass(frozen=True)
class _Header:
    names: list[str]
    delimiter: str

    @property
    def people(self) -> list[tuple[int, str]]:
        """Positions of the columns that identify people, with the kind of each."""
        lowered = [trimmed(name).lower() for name in self.names]
        return [(position, name) for position, name in enumerate(lowered) if name in (USER_ID, EMAIL)]


def _header(path: Path) -> _Header:
    try:
        with path.open(encoding="utf-8-sig", newline="") as text:
            line = text.readline()
    except UnicodeDecodeError:
        raise SettingsError(f"{SETTING}: the file is not in UTF-8") from None
    # Spreadsheets in half of Europe write semicolons.
    delimiter = ";" if ";" in line and "," not in line else ","
    header = _Header(next(csv.reader(io.StringIO(line), delimiter=delimiter), []), delimiter)
    if not header.people:
        raise SettingsError(f"{SETTING}: the file's first line names neither a column user_id nor a column email")
    return header


@contextmanager
def _local(location: str) -> Iterator[Path]:
    """The list as a local file: itself, or a copy of a remote one that is deleted afterwards."""
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
