"""Many askers and searchers at once, beside ingestion: who is answered, how fairly, how soon.

    python benchmarks/overload.py [--askers 50] [--searchers 20] [--requests 300] [--documents 4]

Serves a folder of its own on loopback, over documents made here. Each caller has a key and asks
its share, one after the other, and comes again after `Retry-After` where it is told to. Printed:
statuses, Jain's index over the callers' answers while all still asked, the 99th percentile of
`/healthz`, the median time of evidence with ingestion as a ratio of that without, and the
memory after 500 answers as a ratio of that after 100.
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]  # the package has no types
import uvicorn

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.settings import AnswerSettings, Settings, load_settings
from sovereign_rag.wiring import Application, open_service

SUBJECTS = ("heating", "parking", "travel", "lunch", "badges", "leave", "training", "laptops")
QUESTION = "When does the office of {} close on Fridays?"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--askers", type=int, default=50)
    parser.add_argument("--searchers", type=int, default=20)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--documents", type=int, default=4)
    parser.add_argument("--sections", type=int, default=3_000, help="of each of the documents")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, _served(Path(folder)) as (service, url):
        report = _measure(service, url, Path(folder), options)
    print(json.dumps(report, indent=2))
    return 0 if report["errors"] == 0 else 1


def _measure(
    service: Application, url: str, folder: Path, options: argparse.Namespace
) -> dict[str, object]:
    key = _key(service, "alone")
    _evidence_s(url, key, range(3))  # models are loaded with the first question
    quiet = _evidence_s(url, key, range(20, 35))
    crowd = _Crowd(service, url, options)
    watch = _Health(url)
    beside = (service, folder, options.documents, options.sections, "beside")
    ingestion = threading.Thread(target=_ingest, args=beside)
    ingestion.start()
    busy = _evidence_s(url, key, range(60, 75))
    is_beside = ingestion.is_alive()
    crowd.run()
    was_beside = ingestion.is_alive()
    ingestion.join()
    health = watch.stop()
    assert is_beside, "ingestion ended before the questions: give it more --sections"
    memory = _memory_after(url, _key(service, "memory"))
    return {
        "statuses": dict(crowd.statuses),
        "errors": sum(n for status, n in crowd.statuses.items() if status not in {200, 429}),
        "crowd_was_beside_ingestion": was_beside,
        "jain": round(_jain(list(crowd.served.values())), 3),
        "healthz_p99_s": round(health, 3),
        "evidence_beside_ingestion": round(busy / quiet, 2),
        "memory_500_to_100": round(memory, 3),
    }


class _Crowd:
    """Callers, each with a key of its own, that ask until all requests are spent."""

    def __init__(self, service: Application, url: str, options: argparse.Namespace) -> None:
        self.statuses: Counter[int] = Counter()
        self.served: Counter[str] = Counter()
        self._left, self._url = options.requests, url
        self._guard = threading.Lock()
        names = [f"asker-{n}" for n in range(options.askers)]
        names += [f"searcher-{n}" for n in range(options.searchers)]
        self._keys = {name: _key(service, name) for name in names}
        self.served.update(dict.fromkeys(names, 0))

    def run(self) -> None:
        with ThreadPoolExecutor(len(self._keys)) as pool:
            list(pool.map(self._ask, self._keys))

    def _ask(self, name: str) -> None:
        path = "/v1/answers" if name.startswith("asker") else "/v1/search"
        headers = {"Authorization": f"Bearer {self._keys[name]}"}
        with httpx.Client(base_url=self._url, headers=headers, timeout=300) as client:
            while self._take():
                subject = SUBJECTS[self.served[name] % len(SUBJECTS)]
                text = QUESTION.format(subject)
                body = (
                    {"question": text, "kind": "extracts"} if "answers" in path else {"query": text}
                )
                while (response := client.post(path, json=body)).status_code == 429:
                    self._count(429)
                    time.sleep(float(response.headers["Retry-After"]))
                self._count(response.status_code)
                self.served[name] += 1

    def _take(self) -> bool:
        with self._guard:
            self._left -= 1
            return bool(self._left >= 0)

    def _count(self, status: int) -> None:
        with self._guard:
            self.statuses[status] += 1


class _Health:
    """Asks `/healthz` ten times a second, as a monitor would."""

    def __init__(self, url: str) -> None:
        self._url, self._took, self._end = url, list[float](), threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def stop(self) -> float:
        """The 99th percentile in seconds."""
        self._end.set()
        self._thread.join()
        return statistics.quantiles(self._took, n=100)[-1]

    def _watch(self) -> None:
        with httpx.Client(base_url=self._url, timeout=60) as client:
            while not self._end.wait(0.1):
                began = time.perf_counter()
                client.get("/healthz").raise_for_status()
                self._took.append(time.perf_counter() - began)


@contextmanager
def _served(folder: Path) -> Iterator[tuple[Application, str]]:
    settings: Settings = load_settings(overrides={"data_dir": folder / "data"})
    settings = settings.model_copy(update={"answer": AnswerSettings(kind="extracts")})
    with open_service(settings) as service:
        _ingest(service, folder, 8)
        config = uvicorn.Config(create_app(service), port=0, log_level="error")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        while not server.started:
            time.sleep(0.05)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield service, f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()


def _ingest(
    service: Application, folder: Path, count: int, sections: int = 200, prefix: str = "house"
) -> None:
    paths = []
    for number in range(count):
        subject = SUBJECTS[number % len(SUBJECTS)]
        lines = [
            f"Section {n} of the {prefix} handbook {number} on {subject} is about building {n}. "
            f"The {prefix} office of {subject} closes at {n % 6 + 12} on Fridays in building {n}."
            for n in range(sections)
        ]
        path = folder / f"{prefix}-{number}.md"
        path.write_text(f"# Handbook on {subject}\n\n" + "\n\n".join(lines), encoding="utf-8")
        paths.append(path)
    service.ingestion.ingest(paths, local_owner(), readers=frozenset({"everyone"}))


def _key(service: Application, user: str) -> str:
    return service.catalog.keys.create(user, user)[1]


def _evidence_s(url: str, key: str, buildings: range) -> float:
    """Median seconds until the evidence of an answer is there, by the service's own clock.

    Each question is for other sentences: those that were weighed before are kept in memory.
    """
    took = []
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=300) as c:
        for building in buildings:
            subject = SUBJECTS[building % len(SUBJECTS)]
            question = QUESTION.format(f"{subject} in building {building}")
            answer = c.post("/v1/answers", json={"question": question, "kind": "extracts"}).json()
            took.append(answer["timings_ms"]["evidence"] / 1_000)
    return float(statistics.median(took))


def _memory_after(url: str, key: str) -> float:
    """Resident memory of this process after 500 answers, as a ratio of that after 100."""
    process, sizes = psutil.Process(), {}
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=300) as c:
        for n in range(1, 501):
            question = QUESTION.format(SUBJECTS[n % len(SUBJECTS)])
            c.post("/v1/answers", json={"question": question, "kind": "extracts"})
            if n in {100, 500}:
                sizes[n] = process.memory_info().rss
    return float(sizes[500] / sizes[100])


def _jain(shares: list[int]) -> float:
    """Jain's fairness index, in (0, 1]: 1 is an equal share for everybody."""
    return sum(shares) ** 2 / (len(shares) * sum(n * n for n in shares))


if __name__ == "__main__":
    raise SystemExit(main())
