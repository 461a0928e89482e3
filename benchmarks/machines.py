"""Processes of two machines, killed at random: nothing lost, nothing twice, nothing left over.

    python benchmarks/machines.py --catalog postgresql+psycopg://USER:PASSWORD@HOST/DATABASE
    python benchmarks/machines.py --catalog ... --documents 40 --seconds 60

Two services and three workers on two data folders share one PostgreSQL database (in a schema that
is made and removed), one bucket (an S3-speaking server in this process) and one engine on TCP.
Documents are handed to either service while one process in turn is killed (SIGKILL) every few
seconds and started again; meanwhile both services are asked. At the end catalog, store and
bucket are compared. Prints one line of JSON; exit code 0: all is as it has to be.
"""

import argparse
import json
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from generated_files import corpus
from minio import Minio
from qdrant_client import QdrantClient, models
from sqlalchemy import create_engine, make_url, text

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sovereign_rag.access import local_owner
from sovereign_rag.roles import Role
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.wiring import open_service
from tests.faults import engine_on_tcp

COMMAND = [sys.executable, "-m", "sovereign_rag.cli"]
QUESTION = {"query": "Which office keeps the harbour?", "limit": 5}
STARTS_WITHIN_S = 180.0


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--catalog", required=True, help="URL of a PostgreSQL database")
    parser.add_argument("--documents", type=int, default=300, help="files to hand in (300)")
    parser.add_argument("--seconds", type=float, default=240, help="of killing (240)")
    parser.add_argument("--every", type=float, default=5, help="seconds between two kills (5)")
    parser.add_argument("--timeout", type=float, default=3_600, help="seconds for all (3600)")
    parser.add_argument("--keep", type=Path, help="folder to work in; kept afterwards")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="machines-"))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with (
            schema_in(arguments.catalog) as catalog,
            bucket() as s3,
            engine_on_tcp(folder / "engine") as port,
        ):
            house = House(folder, catalog, s3, port)
            report = house.run(
                documents=arguments.documents,
                seconds=arguments.seconds,
                every_s=arguments.every,
                timeout_s=arguments.timeout,
            )
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    print(json.dumps(report))
    return 0 if report["well"] else 1


@dataclass
class Process:
    """One that is killed and started again."""

    arguments: list[str]
    environment: dict[str, str]
    log: Path
    running: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [*COMMAND, *self.arguments], env=self.environment, stdout=log, stderr=log
            )

    def kill(self) -> None:
        assert self.running is not None
        self.running.kill()
        self.running.wait()

    def stop(self) -> None:
        assert self.running is not None
        self.running.send_signal(signal.SIGTERM)
        try:
            self.running.wait(90)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class House:
    """What the processes share, and the processes."""

    folder: Path
    catalog: str
    s3: str
    store: int
    statuses: Counter[int] = field(default_factory=Counter)
    slowest_s: float = 0.0
    handed_in: int = 0

    def run(
        self, *, documents: int, seconds: float, every_s: float, timeout_s: float
    ) -> dict[str, object]:
        begun = time.monotonic()
        files = corpus(self.folder / "documents", documents)
        key = self._prepare()
        ports = [free_port() for _ in range(2)]
        processes = [
            self._process("a", ["serve", "--port", str(ports[0])], "serve-a"),
            self._process("b", ["serve", "--port", str(ports[1])], "serve-b"),
            *(self._process(name, ["worker"], f"worker-{n}") for n, name in enumerate("aab")),
        ]
        for process in processes:
            process.start()
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        ended = threading.Event()
        threads = [threading.Thread(target=self._ask, args=(urls, key, ended))]
        threads.append(threading.Thread(target=self._hand_in, args=(files, urls, key, timeout_s)))
        kills = 0
        try:
            wait_until(lambda: all(is_ready(url) for url in urls), STARTS_WITHIN_S)
            for thread in threads:
                thread.start()
            chance, storm_ends = random.Random(7), time.monotonic() + seconds
            while time.monotonic() < storm_ends:
                time.sleep(every_s)
                victim = chance.choice(processes)
                victim.kill()
                victim.start()
                kills += 1
                told(f"kill {kills}, {self.handed_in} of {documents} handed in")
            threads[1].join()
            if self.handed_in < documents:
                raise TimeoutError(f"{self.handed_in} of {documents} could be handed in")
            with open_service(self._settings("check")) as check:
                tenant = local_owner().tenant
                jobs = check.catalog.jobs
                told("the killing is over, the rest is worked off")
                wait_until(
                    lambda: all(job.finished for job in jobs.recent(tenant, 10_000)), timeout_s
                )
                wait_until(lambda: not check.catalog.leases.holders(), timeout_s)
            told("all jobs have ended")
            wait_until(lambda: all(is_ready(url) for url in urls), STARTS_WITHIN_S)
            same = answers_of(urls[0], key) == answers_of(urls[1], key)
        finally:
            ended.set()
            for process in processes:
                process.stop()
        threads[0].join()
        found = self._compare(documents)
        well = same and not self._bad() and all(not value for value in found.values())
        return {
            "well": well,
            "documents": documents,
            "kills": kills,
            **found,
            "both_services_answer_the_same": same,
            "statuses": dict(self.statuses),
            "slowest_answer_s": round(self.slowest_s, 2),
            "seconds": round(time.monotonic() - begun),
        }

    def _prepare(self) -> str:
        """Catalog and collection made; returns a key."""
        with open_service(self._settings("check")) as first:
            first.indexes.prepare()
            return first.catalog.keys.create("torture", "ana", role=Role.ADMIN)[1]

    def _compare(self, documents: int) -> dict[str, object]:
        """What is not as it has to be; each value is empty, or 0, where it is."""
        with open_service(self._settings("check")) as check:
            owner = local_owner()
            live = check.documents.list(owner, limit=documents + 100)
            store = {d.id: check.store.versions(d.tenant, d.id) for d in live}
            chunks = sum(d.chunks for d in live)
            bare = QdrantClient(url=f"http://127.0.0.1:{self.store}", check_compatibility=False)
            of_tenant = models.FieldCondition(
                key="tenant", match=models.MatchValue(value=owner.tenant)
            )
            total = bare.count(check.store.collection, models.Filter(must=[of_tenant])).count
            hashes = set(check.content.hashes())
            return {
                "missing": documents - len(live),
                "not_once": [d.name for d in live if store[d.id] != {d.version: d.chunks}],
                "points_without_a_document": total - chunks,
                "contents_missing": len({d.content_hash for d in live} - hashes),
                "contents_left_over": len(hashes - {d.content_hash for d in live}),
                "records_broken": [n for n in ("a", "b") if not self._verifies_both(n)],
            }

    def _hand_in(self, files: list[Path], urls: list[str], key: str, timeout_s: float) -> None:
        """Each file until a service took it; which service may be killed at any moment."""
        give_up = time.monotonic() + timeout_s
        for number, file in enumerate(files):
            headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": f"file-{number}"}
            for url in (urls[(number + turn) % 2] for turn in range(10_000)):
                try:
                    with file.open("rb") as opened:
                        answer = httpx.post(
                            f"{url}/v1/documents",
                            files={"file": (file.name, opened)},
                            data={"readers": "everyone"},
                            headers=headers,
                            timeout=60,
                            trust_env=False,
                        )
                    self._count(answer)
                    if answer.is_success:
                        self.handed_in += 1
                        break
                except httpx.TransportError:
                    pass
                if time.monotonic() > give_up:
                    raise TimeoutError(f"{file.name} could not be handed in")
                time.sleep(0.3)

    def _ask(self, urls: list[str], key: str, ended: threading.Event) -> None:
        for number in range(1_000_000):
            if ended.wait(0.25):
                return
            begun = time.monotonic()
            try:
                self._count(search(urls[number % 2], key))
                self.slowest_s = max(self.slowest_s, time.monotonic() - begun)
            except httpx.TransportError:
                pass  # it has just been killed

    def _count(self, answer: httpx.Response) -> None:
        self.statuses[answer.status_code] += 1

    def _bad(self) -> list[int]:
        return [status for status in self.statuses if status >= 500 and status != 503]

    def _process(self, machine: str, arguments: list[str], name: str) -> Process:
        return Process(arguments, self._environment(machine), self.folder / f"{name}.log")

    def _verifies_both(self, machine: str) -> bool:
        """Whether its own record, and the copy of the other machine's, are whole."""
        environment, verify = self._environment(machine), ["audit", "verify", "--json"]
        ran = subprocess.run([*COMMAND, *verify], env=environment, capture_output=True)
        writers = json.loads(ran.stdout or b"{}").get("writers", {})
        both = all(writers.get(f"machine-{name}", {}).get("ok") for name in "ab")
        return ran.returncode == 0 and both

    def _environment(self, machine: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SOVEREIGN_RAG_")}
        own = {
            "DATA_DIR": str(self.folder / machine),
            "STORE__URL": f"http://127.0.0.1:{self.store}",
            "STORE__READ_TIMEOUT_S": "30",  # many processes share two cores
            "STORE__TIMEOUT_S": "60",
            "CATALOG__URL": self.catalog,
            "CONTENT__URL": "s3://content/rag",
            "CONTENT__ENDPOINT": self.s3,
            "CONTENT__ACCESS_KEY": "admin",
            "CONTENT__SECRET_KEY": "secret-key",
            "AUDIT__WRITER": f"machine-{machine}",
            "INGEST__WORKER_IN_SERVER": "false",
            "INGEST__LEASE_S": "20",
            "INGEST__MAX_ATTEMPTS": "1000",  # whoever is killed at random is no document's fault
            "PARSE__WORKERS": "1",
            "EMBEDDING__THREADS": "1",
        }
        return kept | {f"SOVEREIGN_RAG_{name}": value for name, value in own.items()}

    def _settings(self, machine: str) -> Settings:
        before = dict(os.environ)
        os.environ.update(self._environment(machine))
        try:
            return load_settings()
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def schema_in(url: str) -> Iterator[str]:
    """The URL of an empty schema, which is gone afterwards."""
    name = f"machines_{uuid.uuid4().hex[:12]}"
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        own = make_url(url).update_query_dict({"options": f"-csearch_path={name}"})
        yield own.render_as_string(hide_password=False)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        admin.dispose()


@contextmanager
def bucket() -> Iterator[str]:
    """The address of an S3-speaking server with an empty bucket."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # else it tells of each request
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        client = Minio(
            endpoint=f"{host}:{port}",
            access_key="admin",
            secret_key="secret-key",  # noqa: S106  - of a server that asks for none
            secure=False,
            region="us-east-1",
        )
        client.make_bucket(bucket_name="content")
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def told(progress: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {progress}", file=sys.stderr, flush=True)


def search(url: str, key: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.post(
        f"{url}/v1/search", json=QUESTION, headers=headers, timeout=60, trust_env=False
    )


def answers_of(url: str, key: str) -> object:
    answer = search(url, key)
    return [passage["document_id"] for passage in answer.json()["passages"]]


def is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=30, trust_env=False).is_success
    except httpx.TransportError:
        return False


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


def wait_until(condition: Callable[[], bool], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"It took longer than {timeout_s:g} s.")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
