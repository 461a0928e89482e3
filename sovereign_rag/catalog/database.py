"""One database, SQLite or PostgreSQL: transactions, and its errors in our words.

Writers take turns, in both: SQLite has one writer at a time anyway, and on PostgreSQL each
writing transaction takes the same advisory lock. They are short (a few rows, never a file or a
model in between), and in exchange a rule such as "the last task ends the job" needs no argument
about interleavings.
"""

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

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

from sovereign_rag.errors import CatalogError, SettingsError
from sovereign_rag.settings import Settings

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

    def __init__(self, url: URL) -> None:
        """Nothing is connected yet."""
        self.url = url
        self.is_sqlite = url.get_backend_name() == "sqlite"
        self._engine = _sqlite_engine(url) if self.is_sqlite else _postgresql_engine(url)
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
        if secret is None:
            path = settings.data_dir / FILE_NAME
            _prepare(path)
            return cls(URL.create("sqlite", database=str(path)))
        try:
            return cls(_supported(make_url(secret.get_secret_value())))
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
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer runs beside; durable once it is left."""
        with self._in_our_words(), self._engine.connect() as plain:
            connection = plain.execution_options(**{_WRITES: True})
            with connection.begin():
                if not self.is_sqlite:
                    lock = text("SELECT pg_advisory_xact_lock(:key)")
                    connection.execute(lock, {"key": _WRITERS})
                yield connection

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
    ("55P03", "Another process holds a lock for long; end that one, or try again."),
    ("25006", "The server only reads (a standby?): point catalog.url at the primary."),
    ("28", "Check the user and the password in catalog.url."),
    ("3D000", "Create the database, or mend its name in catalog.url."),
    ("42501", "Give the user of catalog.url the right to create tables and write them."),
    ("", "Check that the database server runs and that catalog.url names it."),
)


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


def _postgresql_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=10,
        max_overflow=20,
        pool_pre_ping=True,
        connect_args={"connect_timeout": 10},
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET lock_timeout = '{WAIT_S}s'")
        # A process stopped in the middle of a write would hold up every other one.
        cursor.execute("SET idle_in_transaction_session_timeout = '60s'")
        cursor.close()
        connection.commit()

    return engine
