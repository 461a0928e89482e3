"""The whole catalog as lines of JSON: out of either kind of database, and into either.

    {"revision": "0009", "sequences": {"tasks": 812}}    what the rows fit, and numbers given so far
    ["documents", {"id": "6f1c…", "created": {"t": "2026-03-01T12:00:00+00:00"}, …}]

Rows stand in an order that foreign keys allow. They are read and written as the database of that
revision has them, so what an older version wrote is brought up to date after it was taken in.
"""

import base64
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Connection,
    DateTime,
    MetaData,
    Table,
    delete,
    func,
    insert,
    select,
    text,
)

from sovereign_rag.catalog.database import CatalogPart, Database, batches
from sovereign_rag.catalog.migrate import revision_of, upgrade_to
from sovereign_rag.errors import BadInput

_OWN: Final = ("alembic_version", "document_changes", "document_buckets")
"""What each database keeps for itself: its revision, and how often documents changed in it."""
_FOLLOWED: Final = (
    *("documents", "document_readers", "document_facts", "indexes", "index_documents"),
    *("follow_ups", "late_writes"),
)
"""What the vector store follows, and how far behind it is."""
_NUMBERED: Final = ("tasks", "indexes", "conversation_turns")  # whose numbers are never given again


class CatalogMoment:
    """The catalog as it was at one moment, for as long as it is held."""

    def __init__(self, connection: Connection, *, is_sqlite: bool) -> None:
        self._connection, self._is_sqlite = connection, is_sqlite
        self.revision = revision_of(connection) or ""

    def lines(self) -> Iterator[bytes]:
        """Everything that is in it, a line at a time, each with its end."""
        tables = _tables(self._connection)
        head = {"revision": self.revision, "sequences": self._sequences(tables)}
        yield _line(head)
        for table in tables.sorted_tables:
            ordered = select(table).order_by(*table.primary_key)
            rows = self._connection.execution_options(yield_per=500).execute(ordered)
            for row in rows.mappings():
                yield _line([table.name, {c.name: _plain(row[c], c.type) for c in table.columns}])

    def contents(self) -> set[str]:
        """Hashes of the contents that documents and tasks name."""
        found: set[str] = set()
        tables = _tables(self._connection).tables
        for name in ("documents", "tasks"):
            column = tables[name].c.content_hash
            found.update(hash_ for hash_ in self._connection.scalars(select(column)) if hash_)
        return found

    def documents(self) -> int:
        return int(self._connection.execute(text("SELECT count(*) FROM documents")).scalar_one())

    def collections(self) -> dict[str, str]:
        """The vector store's collections that are to stay, each with the state of its index."""
        indexes = _tables(self._connection).tables["indexes"]
        rows = self._connection.execute(
            select(indexes.c.collection, indexes.c.state).order_by(indexes.c.id)
        )
        return {name: state for name, state in rows if name and state != "dropping"}

    def followed(self) -> str:
        """A hash of all that the vector store follows: where it is the same, so is the store."""
        digest, tables = hashlib.sha256(), _tables(self._connection)
        for name in _FOLLOWED:
            table = tables.tables[name]
            ordered = select(table).order_by(*table.primary_key)
            for row in (
                self._connection.execution_options(yield_per=500).execute(ordered).mappings()
            ):
                plain = [_plain(row[column], column.type) for column in table.columns]
                digest.update(_line([name, plain]))
        return digest.hexdigest()

    def _sequences(self, tables: MetaData) -> dict[str, int]:
        return {
            name: self._connection.execute(text(self._last_number(name))).scalar() or 0
            for name in _NUMBERED
            if name in tables.tables
        }

    def _last_number(self, name: str) -> str:
        if self._is_sqlite:
            return f"SELECT seq FROM sqlite_sequence WHERE name = '{name}'"  # noqa: S608  - a name of ours
        # One that gave no number yet says 1, too.
        return f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}_id_seq"  # noqa: S608  - likewise


class Transfer(CatalogPart):
    """The catalog as a whole, read while it is in use."""

    @contextmanager
    def moment(self, beside: Callable[[], None]) -> Iterator[CatalogMoment]:
        """Hold one moment of it; `beside` is called at that moment, while no writer writes."""
        with ExitStack() as stack:
            with self._database.writing():
                beside()
                connection = stack.enter_context(self._database.reading())
                moment = CatalogMoment(connection, is_sqlite=self._database.is_sqlite)
            yield moment


def take_in(database: Database, lines: Iterable[bytes]) -> None:
    """Fill an empty database with what `CatalogMoment.lines` gave, all of it or nothing.

    Raises:
        BadInput: There is something in it already, or the lines are not such.
        CatalogError: A newer version of the product wrote them.
    """
    rest = iter(lines)
    head = _read(next(rest, b""))
    if not isinstance(head, dict) or "revision" not in head:
        raise BadInput("This is no catalog of Sovereign RAG. Take another backup.")
    with database.writing() as connection:
        if revision_of(connection) is not None:
            raise BadInput(
                "The database that catalog.url names holds a catalog already. Name an empty one."
            )
        upgrade_to(connection, str(head["revision"]))
        tables = _tables(connection)
        for table in reversed(tables.sorted_tables):  # what migrations put there themselves
            connection.execute(delete(table))
        for batch in batches(rest):
            _insert(connection, tables, batch)
        if not database.is_sqlite:
            _count_on(connection, tables)
        for name, number in head["sequences"].items():
            _set_sequence(connection, name, int(number), is_sqlite=database.is_sqlite)


def _insert(connection: Connection, tables: MetaData, batch: list[bytes]) -> None:
    waiting: list[dict[str, Any]] = []
    current: Table | None = None
    for line in batch:
        name, values = _read(line)
        table = tables.tables[name]
        if current is not None and table is not current:
            connection.execute(insert(current), waiting)
            waiting = []
        current = table
        waiting.append({key: _stored(value, table, key) for key, value in values.items()})
    if current is not None:
        connection.execute(insert(current), waiting)


def _count_on(connection: Connection, tables: MetaData) -> None:
    """Have PostgreSQL give numbers above those that came in, in whichever table counts."""
    for table in tables.sorted_tables:
        if "id" not in table.columns:
            continue
        counter = connection.scalar(
            text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": table.name}
        )
        if counter is not None and (most := connection.scalar(select(func.max(table.c.id)))):
            connection.execute(
                text("SELECT setval(:counter, :most)"), {"counter": counter, "most": most}
            )


def _set_sequence(connection: Connection, name: str, number: int, *, is_sqlite: bool) -> None:
    if not is_sqlite:
        if number:
            statement = text(f"SELECT setval('{name}_id_seq', :number)")
            connection.execute(statement, {"number": number})
        return
    # SQLite has a row as soon as something was put into the table.
    done = connection.execute(
        text("UPDATE sqlite_sequence SET seq = :number WHERE name = :name"),
        {"name": name, "number": number},
    )
    if not done.rowcount:
        connection.execute(
            text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :number)"),
            {"name": name, "number": number},
        )


def _tables(connection: Connection) -> MetaData:
    found = MetaData()
    found.reflect(connection)
    for name in _OWN:
        if name in found.tables:
            found.remove(found.tables[name])
    return found


def _plain(value: object, type_: object) -> object:
    if value is None:
        return None
    if isinstance(type_, JSON):
        return {"j": value}
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=UTC) if value.tzinfo is None else value
        return {"t": moment.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {"d": value.isoformat()}
    if isinstance(value, bytes | memoryview):
        return {"b": base64.b64encode(value).decode("ascii")}
    return value


def _stored(value: object, table: Table, key: str) -> object:
    if not isinstance(value, dict):
        return value
    if "j" in value:
        return value["j"]
    if "b" in value:
        return base64.b64decode(value["b"])
    if "d" in value:
        return date.fromisoformat(value["d"])
    moment = datetime.fromisoformat(value["t"])
    type_ = table.c[key].type
    is_aware = isinstance(type_, DateTime) and type_.timezone
    return moment if is_aware else moment.replace(tzinfo=None)


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _read(line: bytes) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise BadInput("This is no catalog of Sovereign RAG. Take another backup.") from error
