"""What a caller of the API meets when the language model fails, and that the next request works."""

import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx
import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import CompletionRequest, Message
from sovereign_rag.models import bundled
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.generation.endpoint.upstream import Line, Upstream, stalls, talks

NOTICE = "# Notice\n\nThe notice period for employees is three months.\n"
STORY = Message("user", "Tell a very long story about a fox, a crow and a piece of cheese.")
QUESTION = {"question": "What is the notice period?", "kind": "generated", "language": "en"}

SHA256 = bundled.SMOLLM2_SHA256[:12]

Started = Callable[..., AbstractContextManager["_Running"]]


class _Running:
    """A service over one document, and a client that asks it."""

    def __init__(self, application: Application, client: httpx.Client) -> None:
        self.application, self.client = application, client

    def ask(self) -> httpx.Response:
        return self.client.post("/v1/answers", json=QUESTION)

    def ready(self) -> tuple[int, str]:
        response = self.client.get("/readyz")
        return response.status_code, response.json()["components"]["generation"]

    @contextmanager
    def writing(self) -> Iterator[Iterator[str]]:
        """An answer that is being written: the lines after its first word."""
        asked = {**QUESTION, "stream": True}
        with self.client.stream("POST", "/v1/answers", json=asked) as response:
            lines = response.iter_lines()
            assert any(line == "event: token" for line in lines)
            yield lines


@pytest.fixture
def start(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder, tmp_path: Path
) -> Started:
    notice = tmp_path / "notice.md"
    notice.write_text(NOTICE, encoding="utf-8")

    @contextmanager
    def started(**generation: object) -> Iterator[_Running]:
        own = {"slots": 1, "queue": 0, "context_tokens": 4_096, "tune": False, "max_tokens": 16}
        settings = product_settings(generation=own | generation, parse={"workers": 1})
        with open_service(settings, embedder=embedder) as application:
            application.ingestion.ingest([notice], local_owner(), readers=frozenset({"everyone"}))
            _, key = application.catalog.keys.create("Ana", "ana")
            headers = {"Authorization": f"Bearer {key}"}
            with (
                serving(create_app(application)) as url,
                httpx.Client(base_url=url, headers=headers, timeout=120) as client,
            ):
                yield _Running(application, client)

    return started


@pytest.fixture
def endpoint() -> Iterator[Callable[..., Upstream]]:
    made: list[Upstream] = []

    def make(*script: Line) -> Upstream:
        made.append(Upstream(*script))
        return made[-1]

    yield make
    for server in made:
        server.close()


def last_event(lines: Iterator[str]) -> dict[str, str]:
    name, data = "", ""
    for line in lines:
        name = line.removeprefix("event: ") if line.startswith("event: ") else name
        data = line.removeprefix("data: ") if line.startswith("data: ") else data
    return {"event": name, **json.loads(data)}


@pytest.mark.model
def test_who_finds_the_model_s_places_taken_is_told_when_to_come_again(start: Started) -> None:
    with start() as service:
        language_model = service.application.language_model()
        assert language_model is not None
        story = language_model.stream(CompletionRequest([STORY], tenant="other", max_tokens=3_000))
        next(story)
        refused = service.ask()
        quick = service.client.post("/v1/answers", json={**QUESTION, "kind": "extracts"})
        del story
        after = service.ask()

    assert refused.status_code == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert refused.json()["error"] == "Busy"
    assert quick.status_code == 200
    assert (after.status_code, after.json()["kind"]) == (200, "generated")


@pytest.mark.model
def test_a_killed_engine_ends_the_answer_with_an_error_and_the_next_one_is_written(
    start: Started,
) -> None:
    with start(max_tokens=400) as service:
        language_model = service.application.language_model()
        assert isinstance(language_model, LlamaCppModel)
        with service.writing() as lines:
            assert language_model.engine_pid is not None
            os.kill(language_model.engine_pid, signal.SIGKILL)
            end = last_event(lines)
        meanwhile = service.ready()
        after = service.ask()
        healed = service.ready()

    assert (end["event"], end["error"]) == ("error", "GenerationError")
    assert "signal 9" in end["detail"]
    assert (meanwhile[0], meanwhile[1].startswith("limited: its process ended")) == (200, True)
    assert (after.status_code, after.json()["kind"]) == (200, "generated")
    assert after.json()["model"] == f"{bundled.smollm2().stem}@{SHA256}+q8_0"  # copied weights
    assert healed == (200, "ok")


def truncated(path: Path) -> None:
    shutil.copyfile(bundled.smollm2(), path)
    os.truncate(path, path.stat().st_size // 2)


def of_another_architecture(path: Path) -> None:
    path.write_bytes(bundled.smollm2().read_bytes().replace(b"llama", b"lhama", 40))


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


@pytest.mark.model
@pytest.mark.parametrize(
    ("spoil", "error", "reason"),
    [
        (truncated, "ModelError", "cut short"),
        (of_another_architecture, "ModelError", "lhama"),
        (missing, "ModelMissing", "generation.model"),
    ],
)
def test_a_model_that_is_no_good_is_named_and_the_right_one_works_without_a_restart(
    start: Started,
    tmp_path: Path,
    spoil: Callable[[Path], None],
    error: str,
    reason: str,
) -> None:
    path = tmp_path / "house.gguf"
    spoil(path)

    with start(model=path, weights="as_is") as service:
        refused = service.ask()
        told = service.ready()
        shutil.copyfile(bundled.smollm2(), path)
        after = service.ask()
        healed = service.ready()

    assert (refused.status_code, refused.json()["error"]) == (503, error)
    assert reason in refused.json()["detail"]
    assert told[1] != "ok"
    assert (after.status_code, after.json()["kind"]) == (200, "generated")
    assert after.json()["model"] == f"house@{SHA256}"  # the file's own weights
    assert healed == (200, "ok")


def test_an_endpoint_that_falls_silent_ends_the_answer_and_the_next_one_is_written(
    start: Started, endpoint: Callable[..., Upstream]
) -> None:
    server = endpoint(stalls("The notice "), talks("The notice period is three months."))
    own = {
        "urls": [server.url],
        "allow": ["127.0.0.1"],
        "model": "small",
        "silence_timeout_s": 2,
    }

    with start(endpoint=own) as service:
        with service.writing() as lines:
            end = last_event(lines)
        after = service.ask()

    assert (end["event"], end["error"]) == ("error", "GenerationError")
    assert (after.status_code, after.json()["kind"]) == (200, "generated")


def test_ready_tells_of_endpoints_that_are_left_alone_and_not_where_they_are(
    start: Started, endpoint: Callable[..., Upstream]
) -> None:
    server = endpoint(talks("Yes."))
    server.close()
    own = {
        "urls": [server.url],
        "allow": ["127.0.0.1"],
        "model": "small",
        "retries": 0,
        "breaker_failures": 1,
    }

    with start(endpoint=own) as service:
        before = service.ready()
        refused = service.ask()
        status, state = service.ready()

    assert before == (200, "ok")
    assert refused.status_code == 503
    assert (status, state.startswith("limited: 1 of 1 endpoints")) == (200, True)
    assert str(server.port) not in state
