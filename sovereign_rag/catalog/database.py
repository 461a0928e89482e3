"""One database, SQLite or PostgreSQL: transactions, and its errors in our words.

Writers take turns, in both: SQLite has one writer at a time anyway, and on PostgreSQL each
writing transaction takes the same advisory lock. They are short (a few rows, never a file or a
model in between), and in exchange a rule such as "the last task ends the job" needs no argument
about interleavings.
"""

import math
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry

from sovereign_rag.catalog.announcements import SUBSCRIBERS, Event, Subscriber
from sovereign_rag.errors import CatalogError, SettingsError
from sovereign_rag.settings import CatalogSettings, Settings

Clock = Callable[[], datetime]

FILE_NAME: Final = "catalog.sqlite3"
WAIT_S: Final = 30
"""Longest wait for another writer; a writing transaction takes milliseconds."""

_WRITERS: Final = 0x5EED_CA7A  # this product's advisory lock within its PostgreSQL database


def utc_now() -> datetime:
    return datetime.now(UTC)


T = TypeVar("T")


def batches(items: Iterable[T], size: int = 500) -> Iterator[list[T]]:
    """Lists of up to `size` items: for databases that bound the variables of a statement."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


class Database:
    """An engine with two ways in: `reading` sees one moment, `writing` is alone and atomic."""

    def __init__(
        self,
        url: URL,
        settings: CatalogSettings | None = None,
        *,
        subscribers: Sequence[Subscriber] = (),
    ) -> None:
        """Nothing is connected yet.

        Args:
            settings: How PostgreSQL is used.
            subscribers: Whom its transactions tell of what they do.
        """
        self.url = url
        self._of_writing = {_WRITES: True, SUBSCRIBERS: tuple(subscribers)}
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._engine = (
            _sqlite_engine(url)
            if self.is_sqlite
            else _postgresql_engine(url, settings or CatalogSettings())
        )
        self._reader = (
            self._engine
            if self.is_sqlite
            else self._engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        )

    @classmethod
    def of(cls, settings: Settings) -> "Database":
        """The database that the settings name.

        Raises:
            SettingsError: `catalog.url` isn't a URL of SQLite or PostgreSQL.
            CatalogError: The data folder can't be written to.
        """
        secret = settings.catalog.url
        told = _subscribers(settings)
        if secret is None:
            path = settings.data_dir / FILE_NAME
            _prepare(path)
            return cls(URL.create("sqlite", database=str(path)), subscribers=told)
        try:
            url = _supported(make_url(secret.get_secret_value()))
            return cls(url, settings.catalog, subscribers=told)
        except (ArgumentError, NoSuchModuleError) as error:
            # The URL holds a password, so the message doesn't repeat it.
            raise SettingsError(_WHICH_URLS) from error
        except ImportError as error:
            raise SettingsError(
                f"catalog.url needs the driver {error.name}, which is not installed: "
                "`pip install 'sovereign-rag[postgresql]'`."
            ) from error

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees the database as it was at one moment."""
        with self._in_our_words(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, *, patient: bool = False) -> Iterator[Connection]:
        """A transaction that no other writer runs beside; durable once it is left.

        Args:
            patient: It may take long, and waits for another one that does.
        """
        with self._in_our_words(), self._engine.connect() as plain:
            connection = plain.execution_options(**self._of_writing)
            with connection.begin():
                if not self.is_sqlite:
                    if patient:
                        for limit in ("lock_timeout", "statement_timeout"):
                            connection.execute(text(f"SET LOCAL {limit} = 0"))
                    lock = text("SELECT pg_advisory_xact_lock(:key)")
                    connection.execute(lock, {"key": _WRITERS})
                yield connection

    def compact(self, tables: Sequence[str]) -> None:
        """Write these tables anew, so that the disk keeps nothing of what was removed from them.

        Raises:
            CatalogError: Another process holds them for long, or the disk is full.
        """
        with self._in_our_words(), self._engine.connect() as plain:
            if self.is_sqlite:
                driver = plain.connection.driver_connection
                assert driver is not None
                driver.execute("VACUUM")
                (is_busy, _, _) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if is_busy:
                    raise sqlite3.OperationalError("somebody reads what was before")
                return
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            for table in tables:
                connection.execute(text(f"VACUUM (FULL, ANALYZE) {table}"))
                _forget_samples(connection, table)
            # Where values were sampled for the planner. A role that may not is warned alone.
            connection.execute(text("VACUUM (FULL) pg_catalog.pg_statistic"))

    @contextmanager
    def listening(self, channel: str) -> Iterator["Line"]:
        """A connection of its own that hears what is told of this schema; PostgreSQL alone."""
        with self._in_our_words(), self._engine.connect() as plain:
            connection = plain.execution_options(isolation_level="AUTOCOMMIT")
            driver = connection.connection.driver_connection
            connection.detach()  # nobody else is given one that listens
            connection.execute(text(f"LISTEN {channel}"))
            schema = connection.execute(text("SELECT current_schema()")).scalar_one()
            lost: type[Exception] = self._engine.dialect.loaded_dbapi.Error
            try:
                yield Line(driver, str(schema))
            except lost as error:  # of the driver itself, below what SQLAlchemy translates
                raise CatalogError(f"The line of the catalog's words broke: {error}") from error

    def say(self, channel: str, word: str) -> None:
        """Tell everybody who listens, this process among them; on PostgreSQL alone."""
        told = text("SELECT pg_notify(:channel, current_schema() || '.' || :word)")
        with self._in_our_words(), self._engine.begin() as connection:
            connection.execute(told, {"channel": channel, "word": word})

    def close(self) -> None:
        """Let go of every connection; the object can't be used afterwards."""
        self._engine.dispose()

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
            raise CatalogError(self._explain(error)) from error

    def _explain(self, error: DBAPIError | PoolTimeout | sqlite3.Error) -> str:
        where = self.url.render_as_string(hide_password=True)
        if isinstance(error, PoolTimeout):
            return f"The catalog {where} has no free connection; try again in a moment."
        cause = error.orig if isinstance(error, DBAPIError) else error
        if self.is_sqlite:
            code = getattr(cause, "sqlite_errorname", None) or ""
            hint = next((h for prefix, h in _SQLITE_HINTS if code.startswith(prefix)), "")
        else:
            code = getattr(cause, "sqlstate", None) or ""
            hint = next((h for prefix, h in _POSTGRESQL_HINTS if code.startswith(prefix)), "")
        first_line = str(cause).partition("\n")[0]
        return f"The catalog {where} failed: {first_line}. {hint or _ANY_HINT}"


class Line:
    """Words of other processes as they come; each is of one schema of the database."""

    def __init__(self, driver: Any, schema: str) -> None:
        """`driver` is the driver's own connection."""
        self._driver, self._prefix = driver, f"{schema}."

    def words(self, *, timeout_s: float) -> list[str]:
        """What was said since the last call; waited for where there is nothing yet."""
        heard = self._driver.notifies(timeout=timeout_s, stop_after=1)
        payloads = [notify.payload for notify in heard]
        payloads += [notify.payload for notify in self._driver.notifies(timeout=0)]
        return [p.removeprefix(self._prefix) for p in payloads if p.startswith(self._prefix)]


class CatalogPart:
    """What each part of the catalog is made of."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """`clock` gives timezone-aware times."""
        self._database, self._clock = database, clock


class IndexedPart(CatalogPart):
    """A part that speaks of the versions that documents have in one index."""

    def __init__(self, database: Database, clock: Clock, index: int | None = None) -> None:
        """`index` is whose versions are spoken of; None: the live one's at each time."""
        super().__init__(database, clock)
        self._index = index


_WRITES = "sovereign_rag_writes"
_WHICH_URLS = (
    "catalog.url is a URL of PostgreSQL, postgresql+psycopg://USER:PASSWORD@HOST/DATABASE, or of "
    "SQLite, sqlite:////absolute/path; unset, SQLite in the data folder is used."
)
_ANY_HINT = "The message above names the cause; `sovereign-rag doctor` checks the rest."
_SQLITE_HINTS = (
    ("SQLITE_BUSY", "Another process holds it for long; end that one, or try again."),
    ("SQLITE_LOCKED", "Another process holds it for long; end that one, or try again."),
    ("SQLITE_READONLY", "Give this user the right to write the file and its folder."),
    ("SQLITE_FULL", "The disk is full: free some space, then try again."),
    ("SQLITE_CANTOPEN", "See that the folder exists and that this user may write there."),
    ("SQLITE_IOERR", "The disk failed or is full: see the system's log and `df`."),
    ("SQLITE_CORRUPT", "The file is damaged: restore it from the last backup."),
    ("SQLITE_NOTADB", "That file is no SQLite database: restore it from the last backup."),
)
_POSTGRESQL_HINTS = (
    ("53100", "The database server's disk is full: free some space, then try again."),
    ("53300", "The server has no free connection: raise max_connections."),
    ("57014", "It took longer than catalog.statement_timeout_s: try again, or raise that."),
    ("57P", "The server was stopped, or another took over: try again in a moment."),
    ("55P03", "Another process holds a lock for long; end that one, or try again."),
    ("25006", "The server only reads (a standby?): point catalog.url at the primary."),
    ("28", "Check the user and the password in catalog.url."),
    ("3D000", "Create the database, or mend its name in catalog.url."),
    ("42501", "Give the user of catalog.url the right to create tables and write them."),
    ("", "Check that the database server runs and that catalog.url names it."),
)


def _subscribers(settings: Settings) -> list[Subscriber]:
    return [
        Subscriber(name, section.tenant, frozenset(Event(event) for event in section.events))
        for name, section in settings.webhooks.items()
    ]


def _supported(url: URL) -> URL:
    if url.get_backend_name() not in {"sqlite", "postgresql"}:
        raise SettingsError(_WHICH_URLS)
    return url


def _prepare(path: Path) -> None:
    """Make the file, for nobody else's eyes; SQLite gives its side files the same rights."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    except OSError as error:
        raise CatalogError(
            f"The catalog {path} can't be opened: {error.strerror}. "
            "Point data_dir at a folder that this user may write to."
        ) from error


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(
        url, hide_parameters=True, pool_size=10, max_overflow=20, connect_args={"timeout": WAIT_S}
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # Python's driver would begin transactions by itself, too late for reads and as deferred
        # ones for writes, which then fail instead of waiting. We say BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgresql_engine(url: URL, settings: CatalogSettings) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=settings.connections,
        max_overflow=2 * settings.connections,
        pool_pre_ping=True,  # what a failover cut off is opened anew
        connect_args={
            "connect_timeout": 10,
            # A server that vanished without a word is given up, in the middle of a statement too.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25_000,
            "prepare_threshold": None,  # a pooler gives each transaction another connection
        },
    )
    lock_ms, statement_ms = (
        math.ceil(seconds * 1_000)
        for seconds in (settings.lock_timeout_s, settings.statement_timeout_s)
    )
    # With each transaction: what is set for a session is another's behind a pooler. The last one
    # is for a process that was stopped in the middle of a write, and would hold up all others.
    limits = (
        f"SELECT set_config('lock_timeout', '{lock_ms}', true), "
        f"set_config('statement_timeout', '{statement_ms}', true), "
        "set_config('idle_in_transaction_session_timeout', '60s', true)"
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(limits)

    return engine


_SAMPLED = text(
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_stats s JOIN pg_attribute a "
    "ON a.attrelid = to_regclass(CAST(:name AS text)) AND a.attname = s.attname "
    "WHERE s.schemaname = current_schema() AND s.tablename = CAST(:name AS text)"
)


def _forget_samples(connection: Connection, table: str) -> None:
    """Of an empty table, which ANALYZE leaves as they were; a column's type set anew drops them."""
    if connection.execute(text(f"SELECT EXISTS (SELECT FROM {table})")).scalar_one():  # noqa: S608  - a name of ours
        return
    for column, kind in connection.execute(_SAMPLED, {"name": table}).all():
        connection.execute(text(f'ALTER TABLE {table} ALTER COLUMN "{column}" TYPE {kind}'))
