"""What the first page of a list takes among many documents: `python benchmarks/document_lists.py`.

The catalog is filled with documents of made-up titles: nine of ten are everyone's, the rest a
group's, at levels 0 to 3. Each list is asked for `--times` times; printed is the median of the CPU
time that this process took, so that other programs on the machine count little, and its ratio to
what is asked for: 200 ms for 100,000 documents. With PostgreSQL, which works in processes of its
own, it is the time by the clock, once its statistics are those of the filled tables: autovacuum
sees to that within a minute where it is on, as it is by default.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import create_engine, insert, make_url, text

from sovereign_rag.access import OWNER, Principal, local_owner, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.document_query import DocumentQuery, Order
from sovereign_rag.catalog.tables import document_readers, documents
from sovereign_rag.settings import Settings

GROUPS = tuple(f"group-{n}" for n in range(30))
AT_ONCE = 5_000
ASKED_MS = 200.0  # for 100,000 documents


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument("--catalog", help="a PostgreSQL database that is empty; unset: SQLite")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        named = {"catalog": {"url": given.catalog}} if given.catalog else {}
        settings = Settings.model_validate({"data_dir": Path(folder), **named})
        with Catalog.open(settings) as catalog:
            fill(catalog, given.documents)
            if given.catalog:
                vacuum(given.catalog)
            clock = time.perf_counter if given.catalog else time.thread_time
            measure(catalog, given.documents, given.times, clock)


def fill(catalog: Catalog, count: int) -> None:
    chance, now = random.Random(1), datetime(2026, 1, 1, tzinfo=UTC)
    for start in range(0, count, AT_ONCE):
        rows, readers = [], []
        for n in range(start, min(start + AT_ONCE, count)):
            id_ = str(uuid.UUID(int=chance.getrandbits(128)))
            label = "everyone" if chance.random() < 0.9 else f"group:{chance.choice(GROUPS)}"
            title = f"Document {chance.randrange(10**9)} of the house"
            when = now + timedelta(seconds=n)
            rows.append(
                {
                    "id": id_,
                    "tenant": "default",
                    "uri": f"file:///srv/{n}.pdf",
                    "name": f"{n}.pdf",
                    "title": title,
                    "sought": f"{title.lower()}\n{n}.pdf",
                    "status": "indexed",
                    "content_hash": f"{n:064x}",
                    "parse_key": "1",
                    "media_type": "application/pdf",
                    "language": chance.choice(["fr", "de", "en"]),
                    "paged": True,
                    "pages": 10,
                    "size": 100_000,
                    "level": chance.randrange(4) if label != "everyone" else 0,
                    "properties": {},
                    "created": when,
                    "updated": when,
                    "dated": when,
                }
            )
            readers += [{"document_id": id_, "label": one} for one in (label, OWNER)]
        with catalog.documents._database.writing() as connection:
            connection.execute(insert(documents), rows)
            connection.execute(insert(document_readers), readers)


def vacuum(url: str) -> None:
    """What autovacuum does by itself, now."""
    plain = make_url(url).set(drivername="postgresql+psycopg")
    with create_engine(plain, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("VACUUM (ANALYZE)"))


def measure(catalog: Catalog, count: int, times: int, clock: Callable[[], float]) -> None:
    askers = {
        "the owner": local_owner(),
        "somebody in 20 groups": Principal("ana", frozenset(GROUPS[:20]), clearance=2),
        "somebody in none": Principal("bo"),
    }
    asked, worst = ASKED_MS * count / 100_000, 0.0
    print(f"{count:,} documents; {asked:.0f} ms are asked for")
    for name, asker in askers.items():
        scope = read_scope(asker)
        for order in (Order.UPDATED, Order.TITLE, Order.ID):
            query = DocumentQuery(order=order, descending=order is Order.UPDATED)
            taken = []
            for _ in range(times):
                begun = clock()
                total = catalog.lists.page(query, scope, limit=50).total
                taken.append((clock() - begun) * 1_000)
            median = statistics.median(taken)
            worst = max(worst, median)
            print(f"  {name}, by {order}, {total:,} of them: {median:.0f} ms, {median / asked:.2f}")
    print(f"slowest: {worst:.0f} ms, {worst / asked:.2f} of what is asked for")
    sys.exit(worst > asked)


if __name__ == "__main__":
    main()
