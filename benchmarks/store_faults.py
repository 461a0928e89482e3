"""The bounds that hold while nodes of the vector store fail, each measured through a fault proxy.

    python benchmarks/store_faults.py
    python benchmarks/store_faults.py --hold 20 --layout one --json

A service with its worker stands before two nodes: proxies before one real engine, so that what one
node has the other has, too. For each layout (one node at fault; both; both, with writes alone) and
each fault a right is taken away and a document handed in while the fault lasts, and somebody asks
all the time. Exit code 0: every bound is kept.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import httpx
from machines import free_port, is_ready, wait_until
from qdrant_client import QdrantClient, models

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.roles import Role
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.wiring import open_service
from tests.faults import Fault, FaultProxy, engine_on_tcp

Layout = Literal["one", "both", "writes"]

FAULTS: Final[tuple[Fault, ...]] = ("refuses", "hangs", "resets", "fails", "loses", "delays")
WRITES: Final = "wait=true"  # what every write's address has
COMMAND: Final = [sys.executable, "-m", "sovereign_rag.cli"]
FAR_TOO_LONG_S: Final = 120.0

BOUNDS: Final = {
    "right_gone_s": 2.0,
    "slowest_search_s": 3.0,
    "refusals_without_a_word": 0.0,
    "job_ends_s": 5.0,
    "points_too_many": 0.0,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--layout", choices=("one", "both", "writes"), action="append")
    parser.add_argument("--fault", choices=FAULTS, action="append")
    parser.add_argument("--hold", type=float, default=10, help="seconds that a fault lasts (10)")
    parser.add_argument("--json", action="store_true", help="a line of JSON for each, no table")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="store-faults-"))
    kept = True
    try:
        with house_in(folder) as house:
            for layout in arguments.layout or ("one", "both", "writes"):
                for fault in arguments.fault or FAULTS:
                    if layout == "writes" and fault == "refuses":
                        continue  # a node that takes no connection takes no reads either
                    found = house.measure(layout, fault, hold_s=arguments.hold)
                    broken = [name for name, bound in BOUNDS.items() if found[name] > bound]
                    kept &= not broken
                    told(layout, fault, found, broken, as_json=arguments.json)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0 if kept else 1


def told(
    layout: str, fault: str, found: dict[str, float], broken: list[str], *, as_json: bool
) -> None:
    if as_json:
        line = json.dumps({"layout": layout, "fault": fault, **found, "broken": broken})
    else:
        values = "  ".join(
            f"{name} {value:g}{'' if name not in BOUNDS else f' (<= {BOUNDS[name]:g})'}"
            for name, value in found.items()
        )
        line = f"{layout:7}{fault:9}{'MISSED ' if broken else 'kept   '}{values}"
    print(line, flush=True)


@dataclass
class Asker:
    """Asks all the time, and notes when the document was last seen."""

    url: str
    key: str
    question: str
    document: str
    slowest_s: float = 0.0
    answered: int = 0
    refused: int = 0
    without_a_word: int = 0
    other_statuses: list[int] = field(default_factory=list)
    last_seen: float = 0.0  # when the last question was asked that found it
    ended: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        while not self.ended.wait(0.1):
            begun = time.monotonic()
            answer = post(f"{self.url}/v1/search", self.key, {"query": self.question, "limit": 20})
            self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            if answer.is_success:
                self.answered += 1
                found = {passage["document_id"] for passage in answer.json()["passages"]}
                if self.document in found:
                    self.last_seen = begun
            elif answer.status_code == 503:
                self.refused += 1
                self.without_a_word += "retry-after" not in answer.headers
            else:
                self.other_statuses.append(answer.status_code)


@dataclass
class House:
    """A service over two nodes."""

    url: str
    admin: str
    ana: str
    nodes: list[FaultProxy]
    engine: int
    collection: str
    catalog: Catalog
    numbers: Iterator[int]

    def measure(self, layout: Layout, fault: Fault, *, hold_s: float) -> dict[str, float]:
        taken = self.hand_in()
        self.wait_for(taken)
        document = self.document_of(taken)
        asker = Asker(self.url, self.ana, "Which code word has the harbour?", document)
        asking = threading.Thread(target=asker.run)
        asking.start()
        wait_until(lambda: asker.last_seen > 0, FAR_TOO_LONG_S)
        asker.slowest_s = 0.0
        self.begin(layout, fault)
        try:
            asked = time.monotonic()
            changed = httpx.patch(
                f"{self.url}/v1/documents/{document}",
                json={"readers": ["user:bo"]},
                headers={"Authorization": f"Bearer {self.admin}"},
                timeout=FAR_TOO_LONG_S,
                trust_env=False,
            )
            changed.raise_for_status()
            answered_s = time.monotonic() - asked
            meanwhile = self.hand_in()
            time.sleep(max(0.0, hold_s - (time.monotonic() - asked)))
        finally:
            for node in self.nodes:
                node.fault, node.only = "none", ""
        returned = time.monotonic()
        self.wait_for(meanwhile)
        ends_s = time.monotonic() - returned
        asker.ended.set()
        asking.join()
        if asker.other_statuses:
            raise AssertionError(f"Searches got {set(asker.other_statuses)}")
        self.settle()
        return {
            "right_gone_s": round(max(0.0, asker.last_seen - asked), 2),
            "slowest_search_s": round(asker.slowest_s, 2),
            "refusals_without_a_word": asker.without_a_word,
            "job_ends_s": round(ends_s, 2),
            "points_too_many": sum(
                abs(self.points_of(one) - self.chunks_of(one))
                for one in (document, self.document_of(meanwhile))
            ),
            "change_answered_s": round(answered_s, 2),
            "searches_answered": asker.answered,
            "searches_refused": asker.refused,
        }

    def begin(self, layout: Layout, fault: Fault) -> None:
        for node in self.nodes[:1] if layout == "one" else self.nodes:
            node.only = WRITES if layout == "writes" else ""
            node.fault = fault

    def hand_in(self) -> str:
        """A new document; returns its job."""
        number = next(self.numbers)
        text = f"Note {number}\n\nThe harbour's code word is kestrel-{number}.\n".encode()
        answer = httpx.post(
            f"{self.url}/v1/documents",
            files={"file": (f"note-{number}.txt", text)},
            data={"readers": "everyone"},
            headers={"Authorization": f"Bearer {self.admin}"},
            timeout=FAR_TOO_LONG_S,
            trust_env=False,
        )
        answer.raise_for_status()
        return str(answer.json()["job_id"])

    def job(self, job: str) -> dict[str, object]:
        found: dict[str, object] = get(f"{self.url}/v1/jobs/{job}", self.admin).json()
        return found

    def wait_for(self, job: str) -> None:
        wait_until(lambda: self.job(job)["finished"] is not None, FAR_TOO_LONG_S)

    def document_of(self, job: str) -> str:
        tasks = get(f"{self.url}/v1/jobs/{job}/documents", self.admin).json()
        return str(tasks["documents"][0]["document_id"])

    def chunks_of(self, document: str) -> int:
        known = self.catalog.documents.known(DEFAULT_TENANT, document)
        return 0 if known is None else known.chunks

    def points_of(self, document: str) -> int:
        client = QdrantClient(url=f"http://127.0.0.1:{self.engine}", check_compatibility=False)
        match = models.MatchValue(value=document)
        own = models.Filter(must=[models.FieldCondition(key="document_id", match=match)])
        count = client.count(self.collection, own).count
        client.close()
        return count

    def settle(self) -> None:
        """Every node is tried again, and answers."""
        for _ in range(4):
            wait_until(lambda: is_ready(self.url), FAR_TOO_LONG_S)
            time.sleep(1.0)


@contextmanager
def house_in(folder: Path) -> Iterator[House]:
    with ExitStack() as stack:
        engine = stack.enter_context(engine_on_tcp(folder / "engine"))
        nodes = [FaultProxy(engine) for _ in range(2)]
        for node in nodes:
            stack.callback(node.close)
        own = {
            "SOVEREIGN_RAG_DATA_DIR": str(folder / "data"),
            "SOVEREIGN_RAG_STORE__URL": ",".join(node.url for node in nodes),
            "SOVEREIGN_RAG_PARSE__WORKERS": "1",
            "SOVEREIGN_RAG_EMBEDDING__THREADS": "1",
        }
        others = {k: v for k, v in os.environ.items() if not k.startswith("SOVEREIGN_RAG_")}
        settings = settings_of(own)
        with open_service(settings) as first:
            first.indexes.prepare()
            collection = first.store.collection
            keys = first.catalog.keys
            admin = keys.create("bench", "root", role=Role.ADMIN)[1]
            ana = keys.create("bench", "ana", role=Role.READER)[1]
        port = free_port()
        log = stack.enter_context((folder / "serve.log").open("wb"))
        service = subprocess.Popen(
            [*COMMAND, "serve", "--port", str(port)], env=others | own, stdout=log, stderr=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: is_ready(url), FAR_TOO_LONG_S)
            catalog = stack.enter_context(Catalog.open(settings))
            numbers = iter(range(1_000_000))
            yield House(url, admin, ana, nodes, engine, collection, catalog, numbers)
        finally:
            service.terminate()
            service.wait()


def settings_of(environment: dict[str, str]) -> Settings:
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        return load_settings()
    finally:
        os.environ.clear()
        os.environ.update(before)


def post(url: str, key: str, body: dict[str, object]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(url, json=body, headers=headers, timeout=FAR_TOO_LONG_S, trust_env=False)


def get(url: str, key: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    answer = httpx.get(url, headers=headers, timeout=FAR_TOO_LONG_S, trust_env=False)
    answer.raise_for_status()
    return answer


if __name__ == "__main__":
    sys.exit(main())
