"""The files of a PostgreSQL server, searched for what must not be in them any more.

Through the server itself, as far as the role of `catalog.url` may read them: a superuser, or a
member of pg_read_server_files with EXECUTE on pg_read_binary_file.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.errors import CatalogError

_BLOCK: Final = 4 << 20
_OVERLAP: Final = 4 << 10  # a trace is shorter
_OWN: Final = text(
    "WITH own AS (SELECT oid, relkind, reltoastrelid FROM pg_class WHERE "
    "relnamespace = current_schema()::regnamespace OR oid = 'pg_statistic'::regclass) "
    "SELECT pg_relation_filepath(c.oid) FROM pg_class c WHERE c.relkind IN ('r', 'i', 't') AND "
    "c.oid IN (SELECT unnest(ARRAY[t.oid, t.reltoastrelid, i.indexrelid]) FROM own t "
    "LEFT JOIN pg_index i ON i.indrelid = t.reltoastrelid) ORDER BY 1"
)
_LOG: Final = text("SELECT 'pg_wal/' || name FROM pg_ls_waldir() ORDER BY 1")


@dataclass(frozen=True, slots=True)
class RawSearch:
    """What was looked at, and where something was found."""

    files: int
    bytes: int
    tables: tuple[str, ...]  # files of tables and indexes with a trace
    log: tuple[str, ...]  # segments of the write-ahead log with one: they go by being overwritten


class RawFiles(CatalogPart):
    """Of the server that holds the catalog."""

    def search(self, finds: Callable[[bytes], bool]) -> RawSearch | None:
        """Look into the files of every table of ours, and into the log.

        Args:
            finds: Whether a block of bytes holds a trace.

        Returns:
            None: The catalog is in SQLite, or its role may not read the server's files.
        """
        if self._database.is_sqlite:
            return None
        try:
            with self._database.reading() as connection:
                tables = _search(connection, list(connection.scalars(_OWN)), finds)
                log = _search(connection, list(connection.scalars(_LOG)), finds)
        except CatalogError:
            return None
        return RawSearch(tables[0] + log[0], tables[1] + log[1], tuple(tables[2]), tuple(log[2]))

    def checkpoint(self) -> None:
        """Have the server write its tables to their files, and leave its log, where the role may.

        What was logged so far is in segments that the server needs no more; with `wal_recycle`
        off it removes them.
        """
        for statement in ("SELECT pg_switch_wal()", "CHECKPOINT"):
            # A role that may not leaves the files as they are, and the search finds what is there.
            with suppress(CatalogError), self._database.reading() as connection:
                connection.execute(text(statement))


def _search(
    connection: Connection, names: list[str], finds: Callable[[bytes], bool]
) -> tuple[int, int, list[str]]:
    read, found = 0, []
    for name in names:
        is_found = False
        for block in _blocks(connection, name):
            read += len(block)
            is_found = is_found or finds(block)
        found += [name] if is_found else []
    return len(names), read, found


def _blocks(connection: Connection, name: str) -> Iterator[bytes]:
    """A file, and what it goes on in (a table's second gigabyte is a file of its own)."""
    statement = text("SELECT pg_read_binary_file(:name, :at, :most, true)")
    number = 0
    while True:
        file, at = name if number == 0 else f"{name}.{number}", 0
        while True:
            asked = {"name": file, "at": at, "most": _BLOCK}
            block = connection.execute(statement, asked).scalar_one()
            if not block:
                break
            yield bytes(block)
            if len(block) < _BLOCK:
                break
            at += _BLOCK - _OVERLAP
        if block is None or (number and not block and at == 0):
            return
        if name.startswith("pg_wal/"):
            return
        number += 1
