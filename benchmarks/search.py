"""How fast, how exact and how large search is over a synthetic index, under rights.

    python benchmarks/search.py --chunks 20000                 the embedded engine, 12 tenants
    python benchmarks/search.py --chunks 100000 --tenants 1 --json
    python benchmarks/search.py --restart                      ask the engine that was started anew
    python benchmarks/search.py --url http://qdrant:6333 --engine-pid 4711

Builds an index (see `synthetic_index.py`) through the product's own store, in a folder that is
removed afterwards, and asks it as callers who may read 0.01 % to 100 % of the largest tenant's
passages. Each question goes, by turns,

- to the product: `Retriever.query` and `Retriever.retrieve`, ten passages, with the catalog's check
  of live versions and rights; only the embedding model is left out: the questions' vectors are
  ready, so that search alone is timed;
- to the bare engine: the same filtered queries for the same number of candidates, in one request
  through a `qdrant_client.QdrantClient` of its own.

Time is told by the clock and by CPU time, that of this process and the engine's together. Recall is
the share of the ten best passages that exact search gives: the same retriever over every readable
vector and term weight in numpy, with `ReadScope.allows` as the judge of what is readable. With
--url CPU and memory of the server count if --engine-pid names it and it runs on this machine; its
collection is made anew and removed. The embedded engine filters what it has just written more
slowly than what it finds on the disk when it starts; --restart starts it anew before it is asked.
"""

import argparse
import json
import os
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypedDict, get_args

import numpy as np
from exact_store import ExactStore
from qdrant_client import QdrantClient, models
from search_sides import MODEL, Sides, bare_client
from synthetic_index import DIMENSION, SHARES, Question, SyntheticIndex

from sovereign_rag.access import ReadScope, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.domain import SearchMode
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.embedded.folder import EngineFolder
from sovereign_rag.store.protocol import ChunkStore

FEWEST_CHUNKS: Final = 1_000
WARM_UP: Final = 3  # questions before the measured ones


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chunks", type=int, default=20_000, help="passages in all (20000)")
    parser.add_argument(
        "--tenants", type=int, default=12, help="the n-th 1/n as large as the first, asked one (12)"
    )
    parser.add_argument("--questions", type=int, default=100, help="for each share and mode (100)")
    parser.add_argument("--url", help="a Qdrant server; unset: the embedded engine")
    parser.add_argument("--engine-pid", type=int, help="the server's process, if it is here")
    parser.add_argument(
        "--restart", action="store_true", help="start the embedded engine anew after writing"
    )
    parser.add_argument("--json", action="store_true", help="print figures, not a table")
    arguments = parser.parse_args()
    if arguments.chunks < FEWEST_CHUNKS or arguments.tenants < 1 or arguments.questions <= WARM_UP:
        parser.error(
            f"at least {FEWEST_CHUNKS} chunks, one tenant and {WARM_UP + 1} questions are needed"
        )
    if arguments.restart and arguments.url:
        parser.error("--restart is for the embedded engine; start the server anew yourself")
    folder = Path(tempfile.mkdtemp(prefix="search-"))
    try:
        measured = measure(
            folder,
            SyntheticIndex(arguments.chunks, tenants=arguments.tenants),
            questions=arguments.questions,
            url=arguments.url,
            engine_pid=arguments.engine_pid,
            restart=arguments.restart,
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # an engine may still be leaving
    report: Report = {"chunks": arguments.chunks, "tenants": arguments.tenants, **measured}
    print(json.dumps(report) if arguments.json else _table(report))
    return 0


class Row(TypedDict):
    """One share of readable passages in one mode; times in ms by `_figures`."""

    share: float
    readable: int
    mode: SearchMode
    recall: float
    recall_least: float
    ours: dict[str, float]
    bare: dict[str, float]
    overhead_p50: float
    overhead_p95: float


class Measured(TypedDict):
    built: dict[str, float]
    size: dict[str, float]
    searches: list[Row]


class Report(Measured):
    chunks: int
    tenants: int


@dataclass(frozen=True, slots=True)
class Clocks:
    """Seconds by the clock, and of CPU time in this process and in the engine's."""

    wall: float
    client: float
    engine: float

    @property
    def cpu(self) -> float:
        return self.client + self.engine

    def since(self, begin: "Clocks") -> "Clocks":
        return Clocks(
            self.wall - begin.wall, self.client - begin.client, self.engine - begin.engine
        )


def clocks(engine: int | None) -> Clocks:
    # The kernel's id for the CPU clock of another process: clock_getcpuclockid(3).
    spent = time.clock_gettime((~engine << 3) | 2) if engine else 0.0
    return Clocks(time.perf_counter(), time.process_time(), spent)


def measure(
    folder: Path,
    index: SyntheticIndex,
    *,
    questions: int,
    url: str | None,
    engine_pid: int | None,
    restart: bool,
) -> Measured:
    # None too is said, so that no server of the environment is written to.
    settings = load_settings(
        overrides={"data_dir": folder, "store": {"url": url}, "catalog": {"url": None}}
    )
    lexical = Bm25Encoder()
    asked = index.questions(questions)
    terms = {t for q in asked for t in lexical.encode_query(q.text, q.language).indices}
    exact = ExactStore(index, terms)
    with bare_client(settings) as bare, Catalog.open(settings) as catalog:
        store = open_store(settings, model_id=MODEL, dimension=DIMENSION)
        if url and bare.collection_exists(store.collection):
            raise SystemExit(f"{url} has a collection {store.collection!r} already; remove it.")
        store.make()
        try:
            built = _build(index, store, lexical, exact, catalog, settings, engine_pid)
            if url:
                built |= _wait_until_indexed(bare, store.collection)
            if restart:
                _restart(settings, store)
            pid = engine_pid if url else _embedded_pid(settings)
            sides = Sides(settings, lexical, store, exact, catalog, bare, asked)
            rows = [row for share in SHARES for row in _share(index, share, sides, asked, pid)]
            size = _size(settings, pid)
        finally:
            if url:
                bare.delete_collection(store.collection)
            store.close()
    return {"built": built, "size": size, "searches": rows}


def _share(
    index: SyntheticIndex,
    share: float,
    sides: Sides,
    questions: Sequence[Question],
    engine: int | None,
) -> Iterator[Row]:
    callers = [caller for caller in index.callers if caller.share == share]
    scopes = [read_scope(caller.principal) for caller in callers]
    for caller, scope in zip(callers, scopes, strict=True):
        counted = (sides.count(scope), int(sides.exact.readable(scope).sum()))
        if counted != (caller.readable, caller.readable):
            raise SystemExit(f"{caller} should read {caller.readable} chunks, not {counted}.")
    readable = round(sum(caller.readable for caller in callers) / len(callers))
    for mode in get_args(SearchMode):
        ours: list[Clocks] = []
        bare: list[Clocks] = []
        answers: list[tuple[list[str], Question, ReadScope]] = []
        for place, question in enumerate(questions):
            scope = scopes[place % len(scopes)]
            requests = sides.bare_requests(question, scope, mode)
            begin = clocks(engine)
            found = sides.find(question, scope, mode)
            end = clocks(engine)
            sides.bare(requests)
            plain = clocks(engine)
            answers.append((found, question, scope))
            if place >= WARM_UP:
                ours.append(end.since(begin))
                bare.append(plain.since(end))
        # Afterwards: numpy's threads stay busy for a while when they have nothing left to do.
        recalls = [sides.recall(*answer, mode) for answer in answers]
        row: Row = {
            "share": share,
            "readable": readable,
            "mode": mode,
            "recall": round(float(np.mean(recalls)), 4),
            "recall_least": round(min(recalls), 4),
            "ours": _figures(ours),
            "bare": _figures(bare),
            "overhead_p50": _ratio(ours, bare, 50),
            "overhead_p95": _ratio(ours, bare, 95),
        }
        cpu = row["ours"]["cpu_p95_ms"]
        _say(f"{share:8.2%} {mode:8} recall {row['recall']:.4f}, CPU p95 {cpu} ms")
        yield row


def _figures(taken: Sequence[Clocks]) -> dict[str, float]:
    """Percentiles, in milliseconds."""
    wall, cpu = [c.wall for c in taken], [c.cpu for c in taken]
    named = {"wall": wall, "cpu": cpu, "engine_cpu": [c.engine for c in taken]}
    return {
        f"{name}_p{percent}_ms": round(1_000 * float(np.percentile(values, percent)), 2)
        for name, values in named.items()
        for percent in (50, 95, 99)
    }


def _ratio(ours: Sequence[Clocks], bare: Sequence[Clocks], percent: int) -> float:
    of = [np.percentile([c.cpu for c in side], percent) for side in (ours, bare)]
    return round(float(of[0] / of[1]), 2)


def _build(
    index: SyntheticIndex,
    store: ChunkStore,
    lexical: Bm25Encoder,
    exact: ExactStore,
    catalog: Catalog,
    settings: Settings,
    engine: int | None,
) -> dict[str, float]:
    """Write everything; the time of `store.put` alone is counted."""
    store.flush()  # starts the embedded engine
    if settings.store.url is None:
        engine = _embedded_pid(settings)
    parts: list[Clocks] = []
    done = 0
    for batch in index.batches(lexical):
        begin = clocks(engine)
        store.put(batch)
        parts.append(clocks(engine).since(begin))
        exact.note(batch)
        done += len(batch)
        if done % 10_240 == 0 or done == len(index.vectors):
            _say(f"{done:9,} chunks written in {sum(part.wall for part in parts):.0f} s")
    begin = clocks(engine)
    store.flush()
    parts.append(clocks(engine).since(begin))
    for record in index.records():
        catalog.documents.publish(record)
    return {
        "wall_s": round(sum(part.wall for part in parts), 1),
        "client_cpu_s": round(sum(part.client for part in parts), 1),
        "engine_cpu_s": round(sum(part.engine for part in parts), 1),
    }


def _wait_until_indexed(bare: QdrantClient, collection: str) -> dict[str, float]:
    """A server builds its graphs after it has answered."""
    begin = time.perf_counter()
    while bare.get_collection(collection).status is not models.CollectionStatus.GREEN:
        time.sleep(1)
    return {"indexed_after_s": round(time.perf_counter() - begin, 1)}


def _restart(settings: Settings, store: ChunkStore) -> None:
    """End the engine and have the store start another one."""
    engine = os.pidfd_open(_embedded_pid(settings))
    signal.pidfd_send_signal(engine, signal.SIGTERM)
    select.select([engine], [], [])
    os.close(engine)
    store.flush()


def _embedded_pid(settings: Settings) -> int:
    return int(EngineFolder(settings.data_dir).engine_lock.read_text())


def _size(settings: Settings, engine: int | None) -> dict[str, float]:
    """MiB: the engine's memory, of which anonymous, and the blocks of its files."""
    size: dict[str, float] = {}
    if engine:
        for line in Path(f"/proc/{engine}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in {"VmRSS", "VmHWM", "RssAnon"}:
                size[f"{name}_mib"] = round(int(value.split()[0]) / 1024, 1)
    if settings.store.url is None:
        files = (path for path in (settings.data_dir / "vectors").rglob("*") if path.is_file())
        size["disk_mib"] = round(sum(path.stat().st_blocks for path in files) * 512 / 2**20, 1)
    return size


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_COLUMNS: Final[Sequence[tuple[Literal["ours", "bare"], str]]] = (
    ("ours", "wall"),
    ("ours", "cpu"),
    ("bare", "wall"),
    ("bare", "cpu"),
)


def _table(report: Report) -> str:
    """CPU and wall times as p50 / p95 / p99 in ms."""
    lines = [
        f"{report['chunks']:,} chunks, {report['tenants']} tenants",
        f"built {report['built']}",
        f"size {report['size']}",
        "",
        "| readable | mode | recall@10 (least) | wall ms | CPU ms "
        "| bare wall ms | bare CPU ms | CPU ratio p50 / p95 |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in report["searches"]:
        times = [
            " / ".join(f"{row[side][f'{clock}_p{p}_ms']:.1f}" for p in (50, 95, 99))
            for side, clock in _COLUMNS
        ]
        lines.append(
            f"| {row['share']:.2%} ({row['readable']:,}) | {row['mode']} "
            f"| {row['recall']:.3f} ({row['recall_least']:.1f}) | {' | '.join(times)} "
            f"| {row['overhead_p50']:.1f} / {row['overhead_p95']:.1f} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
