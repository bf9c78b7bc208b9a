"""A warehouse, attached for readers and for one writer.

A warehouse is a DuckLake (catalog in SQLite or PostgreSQL, data in Parquet) or a plain DuckDB file. It is always
attached as `lake`, so that statements are the same for all of them.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb
from duckdb_extensions import import_extension
from filelock import FileLock

from pipeline.errors import EarlierWarehouse, NoWarehouse, SettingsError, WarehouseError, missing_packages
from pipeline.settings import DATA_DIR, PROJECT_ROOT, SPILL_DIR, Settings
from pipeline.warehouse import s3
from pipeline.warehouse.attach_errors import attach_error
from pipeline.warehouse.attached import NAMELESS, Configuration, keep, keeps, kept
from pipeline.warehouse.catalog_file import check_catalog, is_empty, is_incomplete, remove_incomplete
from pipeline.warehouse.file_sync import provide_sync
from pipeline.warehouse.ownership import claim, claims
from pipeline.warehouse.postgres import LOGIN, PostgresServer
from pipeline.warehouse.postgres_locks import turn_at_server
from pipeline.warehouse.schema.migrations import NEWEST, version_of
from pipeline.warehouse.schema.tables import make_tables
from pipeline.warehouse.sql import ALIAS, literal, one_value
from pipeline.warehouse.waiting import IMPATIENT, PATIENT, Patience

# Even long transactions of analysts lock the catalog only for moments, much less than half a minute.
BUSY_TIMEOUT_MS = 30_000
MEMORY_LIMIT = "600MB"
# Rows that a thread collects for a partition before it writes them; DuckDB's default is 524,288. So many are one row
# group of a Parquet file. An insert into a partitioned table takes a third less time and less memory.
_FLUSHED_ROWS = 122_880
# DuckDB reads SQLite's tables with several threads, and each further thread reads the newest state instead of the
# transaction's snapshot: rows of an open transaction vanished, and deleted ones came back, when upkeep merged files or
# a run deleted rows of one file again. One thread reads one snapshot. GLOBAL, for the connection that DuckLake opens
# itself.
ONE_SNAPSHOT = "SET GLOBAL sqlite_disable_multithreaded_scans = true"
# Extensions whose signatures this process has checked: they stay in its memory and are not loaded again.
_CHECKED: set[str] = set()

_ON_SERVER = "ducklake:postgres:"
_NEWEST_SNAPSHOT = f"FROM {ALIAS}.current_snapshot()"

_NOT_MADE = re.compile(r"creating a new DuckLake is explicitly disabled", re.IGNORECASE)


@dataclass(frozen=True)
class Warehouse:
    """A DuckLake or a DuckDB file; `location` as in WAREHOUSE, `files` as in WAREHOUSE_FILES, absolute. `patience` is
    for a DuckDB file that another process has open.
    """

    location: str = field(repr=False)
    files: str
    patience: Patience = field(default=PATIENT, compare=False, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> "Warehouse":
        """The warehouse that the settings name."""
        return cls(settings.warehouse, settings.warehouse_files)

    @property
    def is_ducklake(self) -> bool:
        """Whether it is a DuckLake, which readers and one writer can use at once."""
        return self.location.startswith("ducklake:")

    @property
    def is_in_s3(self) -> bool:
        """Whether its Parquet files are objects in S3."""
        return self.is_ducklake and "://" in self.files

    @property
    def catalog_file(self) -> Path | None:
        """The local file that the catalog is in; None for a server."""
        if self.server is not None:
            return None
        return Path(self.location.removeprefix("ducklake:sqlite:"))

    @property
    def plain_file(self) -> Path | None:
        """The plain DuckDB file; None for a DuckLake."""
        return None if self.is_ducklake else self.catalog_file

    @property
    def server(self) -> PostgresServer | None:
        """The server that the catalog is in; None for a local file."""
        dsn = self.location.removeprefix(_ON_SERVER)
        return PostgresServer.of(dsn) if dsn != self.location else None

    @property
    def dsn(self) -> str:
        """The connection string for the server's driver, with its password."""
        return self.location.removeprefix(_ON_SERVER)

    @property
    def path(self) -> str:
        """The location for ATTACH, without the server's password."""
        return f"{_ON_SERVER}{self.server.address}" if self.server else self.location

    @property
    def memory(self) -> str:
        """The name of the in-memory database that a process keeps attached for its writers, dbt among them."""
        return f"{NAMELESS}{self.path}"

    @property
    def shown(self) -> str:
        """Its location for people, relative to the project; of a server only the kind: a dsn may have a password."""
        if self.catalog_file is None:
            return "a DuckLake with its catalog in PostgreSQL"
        file = self.catalog_file
        path = file.relative_to(PROJECT_ROOT) if file.is_relative_to(PROJECT_ROOT) else file
        return f"ducklake:sqlite:{path}" if self.is_ducklake else f"{path}"

    @property
    def extensions(self) -> list[str]:
        """The DuckDB extensions that ATTACH needs."""
        if not self.is_ducklake:
            return []
        catalog = "postgres_scanner" if self.server is not None else "sqlite_scanner"
        return ["ducklake", catalog, *(s3.EXTENSIONS if self.is_in_s3 else ())]

    def attach_options(self, login: str = LOGIN) -> dict[str, str | int | bool]:
        """Options of ATTACH; `login` is the name of the secret with the server's password. WAL lets readers and the
        writer work at once on a SQLite catalog; the data path is given each time, so that a project's folder can be
        moved.
        """
        if not self.is_ducklake:  # without a type, ATTACH would also accept a SQLite database
            return {"type": "duckdb"}
        options: dict[str, str | int | bool] = {"data_path": self.files, "override_data_path": True}
        if self.catalog_file is not None:
            options |= {"meta_journal_mode": "WAL", "meta_busy_timeout": BUSY_TIMEOUT_MS}
        if self.server is not None:
            options |= {"meta_secret": login}
        return options

    def impatient(self) -> "Warehouse":
        """The same, for which a locked file is an error at once."""
        return replace(self, patience=IMPATIENT)

    def exists(self) -> bool:
        """Whether something was ever committed. A locked or unreachable warehouse counts as existing."""
        try:
            with self.impatient().reading():
                return True
        except NoWarehouse:
            return False
        except WarehouseError:
            return True

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that can't change anything, and that blocks no writer of a DuckLake.

        Raises:
            NoWarehouse: there is nothing to read yet.
            EarlierWarehouse: an earlier version of the program created it.
            WarehouseError: it can't be opened.
            SettingsError: a newer version of the program wrote it.
        """
        if self.catalog_file is not None and is_empty(self.catalog_file):
            raise NoWarehouse
        with self._connected(read_only=True) as connection:
            yield connection

    def open_for_reading(self) -> duckdb.DuckDBPyConnection:
        """The same as a connection of its own, which the caller closes; raises as `reading` does."""
        if self.catalog_file is not None and is_empty(self.catalog_file):
            raise NoWarehouse
        with ExitStack() as stack:
            configuration = self._configuration(read_only=True)
            connection = stack.enter_context(self._opened(NAMELESS, configuration, read_only=True))
            self._prepare(connection, read_only=True)
            stack.pop_all()
        return connection

    @contextmanager
    def reading_if_any(self) -> Iterator[duckdb.DuckDBPyConnection | None]:
        """The same; None if there is nothing to read yet. Raises as `reading`, but for NoWarehouse."""
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(self.reading())
            except NoWarehouse:
                connection = None
            yield connection

    def bring_up_to_date(self) -> None:
        """Migrate the tables of an earlier version, if there is a warehouse; raises as `reading_if_any` does."""
        try:
            with self.reading():
                return
        except NoWarehouse:
            return
        except EarlierWarehouse:
            with self.writing():
                pass  # opening it for writing migrates it

    @contextmanager
    def writing(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one writer; other writers of this machine wait, and of all machines if the catalog is on a
        server.

        Raises:
            SettingsError: a package that it needs is not installed, or a newer version of the program wrote it.
            WarehouseError: it can't be opened.
        """
        with self.turn(), self.writing_in_turn() as connection:
            yield connection

    @contextmanager
    def writing_in_turn(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The same for a caller that holds the writer's lock, for several connections; raises as `writing`."""
        with self._connected(read_only=False) as connection:
            yield connection

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the writer's lock: a SQLite catalog and a DuckDB file allow one writer at a time. A catalog in
        PostgreSQL allows several, but two writers could insert the same missing rows.

        The lock is the operating system's or the server's, so a killed process leaves nothing locked.

        Raises:
            SettingsError: a package that it needs is not installed.
            WarehouseError: a folder can't be created, or the server can't be asked.
        """
        with ExitStack() as lock:
            try:
                if self.is_ducklake and not self.is_in_s3:
                    Path(self.files).mkdir(parents=True, exist_ok=True)
                if self.catalog_file is None:
                    lock.enter_context(turn_at_server(self.dsn))
                else:
                    self.catalog_file.parent.mkdir(parents=True, exist_ok=True)
                    lock.enter_context(FileLock(f"{self.catalog_file}.lock"))
            except OSError as error:
                raise WarehouseError(f"WAREHOUSE: {error.filename} can't be created: {error.strerror}") from None
            yield

    @contextmanager
    def _connected(self, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        key = (self, read_only)
        with ExitStack() as stack:
            database = kept(key, _NEWEST_SNAPSHOT if self.server is not None else None)
            if database is None:
                # A plain DuckDB file is locked while it is attached. If a server restarts during a commit, DuckDB never
                # lets go of the writer's database, and waits for ever when it is opened again by its name.
                is_kept = keeps() and self.is_ducklake and (read_only or self.catalog_file is not None)
                name = self.memory if is_kept and not read_only else NAMELESS
                configuration = self._configuration(read_only)
                opened = stack.enter_context(ExitStack())
                database = opened.enter_context(self._opened(name, configuration, read_only))
                self._prepare(database, read_only)
                if is_kept:
                    keep(key, database, name, configuration)
                    opened.pop_all()
            connection = stack.enter_context(database.cursor())
            connection.execute(f"USE {ALIAS}")
            yield connection

    def _configuration(self, read_only: bool) -> Configuration:
        """DuckDB's options for a new database. The threshold is set before a server's catalog is attached, so outside
        of a transaction of it.
        """
        threshold = {} if read_only else {"partitioned_write_flush_threshold": _FLUSHED_ROWS}
        unsigned = are_checked(self.extensions)
        return {
            "memory_limit": MEMORY_LIMIT,
            "allow_unsigned_extensions": unsigned,
            "temp_directory": str(SPILL_DIR),
            **threshold,
        }

    def _opened(self, name: str, configuration: Configuration, read_only: bool) -> duckdb.DuckDBPyConnection:
        """A new database with the warehouse attached."""
        DATA_DIR.mkdir(parents=True, exist_ok=True)  # of the directory for spilling, DuckDB makes the last part only
        connection = duckdb.connect(name, config=dict(configuration))
        try:
            connection.execute("SET GLOBAL TimeZone = 'UTC'")
            if not self.is_in_s3:  # the system caches local files; DuckDB's copy would stay in memory with the database
                connection.execute("SET enable_external_file_cache = false")
            if not read_only:
                provide_sync(connection, self.files if self.is_ducklake else "")
            patience = IMPATIENT if self.is_ducklake else self.patience
            patience.wait_for(lambda: self._attach(connection, read_only))
        except BaseException:
            connection.close()
            raise
        _CHECKED.update(self.extensions)
        return connection

    def _prepare(self, connection: duckdb.DuckDBPyConnection, read_only: bool) -> None:
        """Check the version of the tables for a reader; create or migrate the tables for a writer."""
        if read_only:
            version = version_of(connection)
            if version is None:  # its writer ended before it had created the tables
                raise NoWarehouse
            if version < NEWEST:
                raise EarlierWarehouse
            return
        if self.is_in_s3:  # before the catalog records files that can't be written
            with self._naming_files():
                claims(connection, self.files)
        if make_tables(connection, is_ducklake=self.is_ducklake) and self.is_ducklake:
            self.is_alone(connection)

    def _attach(self, connection: duckdb.DuckDBPyConnection, read_only: bool) -> None:
        *before, attach, use = self.attach_statements(read_only=read_only)
        file = self.catalog_file
        try:
            for statement in before:
                connection.execute(statement)
            if file is not None and not read_only:
                remove_incomplete(file, is_ducklake=self.is_ducklake)
            if file is not None and self.is_ducklake and not is_empty(file):
                with nullcontext() if read_only else suppress(NoWarehouse):
                    check_catalog(connection, file)
            connection.execute(attach)
            connection.execute(use)
        except duckdb.Error as error:
            if read_only and (_NOT_MADE.search(str(error)) or (file is not None and is_incomplete(file))):
                raise NoWarehouse from None
            raise attach_error(self.catalog_file, str(error)) from None

    def import_extensions(self) -> None:
        """Install the packaged extensions where DuckDB finds them. Raises SettingsError: no package of one."""
        for name in self.extensions:
            try:
                import_extension(name)
            except ModuleNotFoundError:
                raise SettingsError(missing_packages("WAREHOUSE_FILES", "s3://", "s3")) from None

    def attach_beside(self, connection: duckdb.DuckDBPyConnection, alias: str) -> None:
        """Attach it read-only, under another alias than `lake`, to the connection of another warehouse.

        Raises:
            WarehouseError: it can't be opened.
        """
        *statements, _use = self.attach_statements(read_only=True, alias=alias)
        try:
            for statement in statements:
                connection.execute(statement)
        except duckdb.Error as error:
            raise attach_error(self.catalog_file, str(error)) from None

    def attach_statements(self, *, read_only: bool, alias: str = ALIAS, snapshot: int | None = None) -> list[str]:
        """The statements that attach it to a new DuckDB connection, as `lake`; a reader attaches read-only. A DuckLake
        can be attached as it was at one of its snapshots.
        """
        login = LOGIN if alias == ALIAS else f"{LOGIN}_of_{alias}"
        load = [f"LOAD {name}" for name in self.extensions]
        load += [ONE_SNAPSHOT] if "sqlite_scanner" in self.extensions else []
        load += [self.server.secret(login)] if self.server is not None else []
        load += [s3.S3Server.of().secret] if self.is_in_s3 else []
        self.import_extensions()
        options = {**self.attach_options(login), **({"read_only": True} if read_only else {})}
        options |= {"snapshot_version": snapshot} if snapshot is not None else {}
        listed = ", ".join(
            f"{name} {literal(value) if isinstance(value, str) else str(value).lower()}"
            for name, value in options.items()
        )
        attach = f"ATTACH {literal(self.path)} AS {alias}" + (f" ({listed})" if listed else "")
        return [*load, attach, f"USE {alias}"]

    def snapshot(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """The number of a DuckLake's newest snapshot, which every write increases; None for a DuckDB file."""
        return int(one_value(connection, _NEWEST_SNAPSHOT)) if self.is_ducklake else None

    def is_alone(self, connection: duckdb.DuckDBPyConnection) -> bool:
        """Leave the marker of this DuckLake; whether no other has left one in the same folder."""
        with self._naming_files():
            return claim(connection, self.files) == 1

    @contextmanager
    def _naming_files(self) -> Iterator[None]:
        try:
            yield
        except duckdb.IOException as error:
            raise WarehouseError(
                f"WAREHOUSE_FILES: {self.files} can't be used: {str(error).splitlines()[0]}; check its name and access"
                + (", region and credentials" if self.is_in_s3 else "")
            ) from None


def are_checked(extensions: Iterable[str]) -> bool:
    """Whether this process has checked the signatures of these DuckDB extensions, which takes an eighth of a second for
    each; a run opens some twenty connections.
    """
    return _CHECKED.issuperset(extensions)
