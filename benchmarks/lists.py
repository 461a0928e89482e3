"""How long lists take where a catalog holds 100,000 documents and 10,000 conversations.

Writes such a catalog into a folder of its own, with documents of three readers in 500 folders,
and times what each page asks for, the best of five, by the processor's time: what else the machine
does counts for little. With PostgreSQL, which works in processes of its own, it is the time by the
clock, once its statistics are those of the filled tables, as autovacuum keeps them. Prints
milliseconds and the ratio to what a page may take: 100 ms for the first screen,
200 ms for each list. A ratio above 1 is too slow.

    .venv/bin/python benchmarks/lists.py [--documents 100000] [--conversations 10000]
"""

import argparse
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from document_lists import vacuum
from sqlalchemy import insert, update

from sovereign_rag.access import Principal, local_owner, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.conversation_tables import conversations, turns
from sovereign_rag.catalog.database import Database
from sovereign_rag.catalog.document_query import DocumentQuery, Order
from sovereign_rag.catalog.tables import document_readers, documents
from sovereign_rag.services.conversations import ConversationService
from sovereign_rag.services.first_look import FirstLookService
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.sealing import Sealer

TYPES = ("application/pdf", "text/markdown", "message/rfc822")
LANGUAGES = ("fr", "de", "en", "es", "it")
READERS = ("everyone", "group:finance", "group:hr")
ANA = Principal("ana", frozenset({"finance"}))
FIRST_MS, LIST_MS = 100, 200
_BATCH = 5_000


def main() -> None:
    said = argparse.ArgumentParser(description=__doc__)
    said.add_argument("--documents", type=int, default=100_000)
    said.add_argument("--conversations", type=int, default=10_000)
    said.add_argument("--catalog", help="a PostgreSQL database that is empty; unset: SQLite")
    wanted = said.parse_args()
    named = {"catalog": {"url": wanted.catalog}} if wanted.catalog else {}
    clock = time.perf_counter if wanted.catalog else time.process_time
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_validate({"data_dir": Path(folder), **named})
        with Catalog.open(settings) as catalog:
            database = Database.of(settings)
            sealer = Sealer(settings.data_dir)
            _fill(database, wanted.documents, wanted.conversations, sealer)
            if wanted.catalog:
                vacuum(wanted.catalog)
            _measure(catalog, database, settings, sealer, clock)
            database.close()


def _measure(
    catalog: Catalog,
    database: Database,
    settings: Settings,
    sealer: Sealer,
    clock: Callable[[], float],
) -> None:
    audit = AuditLog(settings.data_dir)
    first = FirstLookService(catalog=catalog, audit=audit)
    kept = ConversationService(
        catalog=catalog,
        content=ContentStore(settings.data_dir),
        audit=audit,
        sealer=sealer,
        keep_days=10_000,
    )

    def listed(**given: object) -> Callable[[], object]:
        query = DocumentQuery(**given)  # type: ignore[arg-type]  # as the caller names them
        return lambda: catalog.lists.page(query, read_scope(ANA), limit=50)

    def change() -> None:
        """Twenty documents, as a sync would change them."""
        some = [str(uuid.uuid5(uuid.NAMESPACE_URL, f"report-{n}.pdf")) for n in range(20)]
        with database.writing() as connection:
            changed = update(documents).where(documents.c.id.in_(some))
            connection.execute(changed.values(updated=datetime.now(UTC)))

    begun = clock()
    first.first_look(ANA, newest=12, language="fr")
    print(
        f"first screen since the start, with nothing warmed up: {1000 * (clock() - begun):.1f} ms"
    )
    tell, newest = partial(_tell, clock=clock), {"order": Order.UPDATED, "descending": True}
    tell("first screen", FIRST_MS, lambda: first.first_look(ANA, newest=12, language="fr"))
    look = partial(first.first_look, ANA, newest=12, language="fr")
    tell("first screen, after a change", FIRST_MS, look, before=change)
    tell("what filters offer", FIRST_MS, lambda: first.overview(ANA))
    tell("documents, newest first", LIST_MS, listed(**newest))
    tell("documents, by title", LIST_MS, listed(order=Order.TITLE))
    tell("documents, with a word", LIST_MS, listed(words="report 9", **newest))
    tell("documents, of a type", LIST_MS, listed(media_types=frozenset(TYPES[:1]), **newest))
    owners = catalog.lists
    everything = DocumentQuery(order=Order.UPDATED, descending=True)
    owner = read_scope(local_owner())
    tell("documents, the owner's", LIST_MS, lambda: owners.page(everything, owner, limit=50))
    tell("conversations", LIST_MS, lambda: kept.recent(ANA, limit=50))
    tell("conversations, searched", LIST_MS, lambda: kept.search("budget 77", ANA, limit=50))
    tell("own last questions", FIRST_MS, lambda: kept.own_questions(ANA, limit=5))


def _tell(
    name: str,
    allowed_ms: float,
    run: Callable[[], object],
    *,
    clock: Callable[[], float],
    before: Callable[[], None] = lambda: None,
) -> None:
    taken: list[float] = []
    for _ in range(5):
        before()
        begun = clock()
        run()
        taken.append(1000 * (clock() - begun))
    print(f"{name:30s} {min(taken):7.1f} ms  {min(taken) / allowed_ms:5.2f} of {allowed_ms} ms")


def _fill(database: Database, many: int, talks: int, sealer: Sealer) -> None:
    now = datetime.now(UTC)
    for start in range(0, many, _BATCH):
        rows = list(_documents(start, min(start + _BATCH, many), now))
        labels = [
            {"document_id": row["id"], "label": label}
            for number, row in enumerate(rows)
            for label in ("owner", READERS[number % 3])
        ]
        with database.writing() as connection:
            connection.execute(insert(documents), rows)
            connection.execute(insert(document_readers), labels)
    for start in range(0, talks, _BATCH):
        _converse(database, range(start, min(start + _BATCH, talks)), now, sealer)


def _documents(start: int, end: int, now: datetime) -> Iterator[dict[str, object]]:
    for n in range(start, end):
        name = f"report-{n}.pdf"
        yield {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
            "tenant": "default",
            "uri": f"file:///srv/files/area-{n % 20}/part-{n % 500}/{name}",
            "name": name,
            "title": f"Report {n} on the budget",
            "sought": f"report {n} on the budget\n{name}",
            "status": "indexed",
            "content_hash": f"{n:064x}",
            "parse_key": "1",
            "media_type": TYPES[n % 3],
            "language": LANGUAGES[n % 5],
            "paged": True,
            "pages": 3,
            "size": 10_000,
            "level": 0,
            "properties": {},
            "created": now - timedelta(minutes=n),
            "updated": now - timedelta(minutes=n),
            "dated": now - timedelta(minutes=n),
            "stamp": f"{n:032x}",
        }


def _converse(database: Database, numbers: range, now: datetime, sealer: Sealer) -> None:
    made, asked = [], []
    for n in numbers:
        id_, at = str(uuid.uuid5(uuid.NAMESPACE_DNS, str(n))), now - timedelta(minutes=n)
        owner = "user:ana" if n % 20 == 0 else f"user:somebody{n % 500}"
        question = f"What is budget {n}?".encode()
        title = sealer.seal(question, f"conversation title\n{id_}", "default")
        sealed = sealer.seal(question, f"conversation question\n{id_}", "default")
        made.append(
            {"id": id_, "tenant": "default", "owner": owner, "title": title}
            | {"created": at, "updated": at}
        )
        asked += [{"conversation_id": id_, "asked": at, "question": sealed}] * 3
    with database.writing() as connection:
        connection.execute(insert(conversations), made)
        connection.execute(insert(turns), asked)


if __name__ == "__main__":
    main()
