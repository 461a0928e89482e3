"""What a list of addresses costs a search, beside one address: CPU, in one run and by turns.

    python benchmarks/addresses.py
    python benchmarks/addresses.py --chunks 20000 --questions 100

One engine on TCP in this process holds a synthetic index (see `synthetic_index.py`). Each question
is asked of it by the product's retriever twice, in either order: once with a single address in
`store.url`, once with two names of the same engine. CPU is this process's, client and engine
together, without the embedding of the question. Prints one line of JSON; exit code 0: the list
costs at most 3 % more.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from machines import told
from search_sides import MODEL, TOP, PreparedEmbedder
from synthetic_index import DIMENSION, Question, SyntheticIndex

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sovereign_rag.access import ReadScope, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.protocol import ChunkStore
from tests.faults import engine_on_tcp

MOST: Final = 1.03
WARM_UP: Final = 10


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--chunks", type=int, default=100_000, help="passages (100000)")
    parser.add_argument("--questions", type=int, default=300, help="asked of each (300)")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="addresses-") as folder,
        engine_on_tcp(Path(folder) / "engine") as port,
    ):
        report = measure(Path(folder), port, arguments.chunks, arguments.questions)
    print(json.dumps(report))
    return 0 if report["ratio_mean"] <= MOST else 1


def measure(folder: Path, port: int, chunks: int, questions: int) -> dict[str, float]:
    index, lexical = SyntheticIndex(chunks, tenants=1), Bm25Encoder()
    asked = index.questions(questions + WARM_UP)
    one = f"http://127.0.0.1:{port}"
    settings = of(folder, one)
    with (
        Catalog.open(settings) as catalog,
        stored(settings) as single,
        stored(of(folder, f"{one},http://localhost:{port}")) as listed,
    ):
        single.make()
        for done, batch in enumerate(index.batches(lexical), start=1):
            single.put(batch)
            if done % 10 == 0:
                told(f"{done * len(batch):,} chunks written")
        for record in index.records():
            catalog.documents.publish(record)
        embedder = PreparedEmbedder(asked)
        sides = [
            Retriever(
                embedder=embedder,
                lexical=lexical,
                store=store,
                live=catalog.documents,
                settings=settings.retrieval,
            )
            for store in (single, listed)
        ]
        callers = [caller for caller in index.callers if caller.share == 0.1]
        scopes = [read_scope(caller.principal) for caller in callers]
        spent = by_turns(sides, asked, scopes)
    return {
        "chunks": chunks,
        "questions": questions,
        "one_address_cpu_ms": round(1_000 * float(np.median(spent[0])), 2),
        "list_cpu_ms": round(1_000 * float(np.median(spent[1])), 2),
        "ratio_p50": round(float(np.median(spent[1]) / np.median(spent[0])), 3),
        "ratio_mean": round(float(np.mean(trimmed(spent[1])) / np.mean(trimmed(spent[0]))), 3),
    }


def by_turns(
    sides: Sequence[Retriever], questions: Sequence[Question], scopes: Sequence[ReadScope]
) -> list[list[float]]:
    """CPU seconds of each question by each side; who is first changes."""
    spent: list[list[float]] = [[], []]
    for place, question in enumerate(questions):
        scope = scopes[place % len(scopes)]
        for side in (0, 1) if place % 2 else (1, 0):
            begun = time.process_time()
            query = sides[side].query(question.text, question.language, scope, weigh=False)
            sides[side].retrieve(query, scope, limit=TOP)
            if place >= WARM_UP:
                spent[side].append(time.process_time() - begun)
    return spent


def trimmed(values: Sequence[float]) -> list[float]:
    """Without the dearest twentieth: something else ran in this process then."""
    return sorted(values)[: len(values) - len(values) // 20]


def of(folder: Path, url: str) -> Settings:
    store = {"url": url, "read_timeout_s": 60, "timeout_s": 60}
    return load_settings(
        overrides={"data_dir": folder / "data", "store": store, "catalog": {"url": None}}
    )


@contextmanager
def stored(settings: Settings) -> Iterator[ChunkStore]:
    store = open_store(settings, model_id=MODEL, dimension=DIMENSION)
    try:
        yield store
    finally:
        store.close()


if __name__ == "__main__":
    sys.exit(main())
