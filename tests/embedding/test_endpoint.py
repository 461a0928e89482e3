"""Vectors by a server of the own network: the very same, or none; never a bit of another model's.

The server is this product's own `/v1/embeddings`, and one that speaks text-embeddings-inference's
form with the same model behind it.
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from sovereign_rag.app import create_app
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.endpoint import EndpointEmbedder
from sovereign_rag.embedding.protocol import Vectors
from sovereign_rag.errors import EnvironmentFault, ModelError, SettingsError
from sovereign_rag.settings import EmbeddingEndpointSettings
from sovereign_rag.wiring import Application
from tests.api.conftest import serving

LOOPBACK = ("127.0.0.0/8",)
TEXTS = [f"The harbour office opens at {n} in the morning." for n in range(7)]

ROUNDING = 3e-3  # of a component: in bfloat16 it hangs on what else is in a batch

Open = Callable[..., EndpointEmbedder]


class Tei:
    """Answers in text-embeddings-inference's form; the first `busy` requests are turned away."""

    def __init__(self, embed: Callable[[Sequence[str]], Vectors], *, busy: int = 0) -> None:
        self.asked: list[list[str]] = []
        self.under_way = self.most_under_way = 0
        lock, turned_away = threading.Lock(), iter(range(busy))
        tei = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                texts = json.loads(self.rfile.read(int(self.headers["content-length"])))["inputs"]
                with lock:
                    if next(turned_away, None) is not None:
                        self._answer(429, b"{}")
                        return
                    tei.asked.append(texts)
                    tei.under_way += 1
                    tei.most_under_way = max(tei.most_under_way, tei.under_way)
                vectors = json.dumps(embed(texts).tolist()).encode()
                with lock:
                    tei.under_way -= 1
                self._answer(200, vectors)

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def tei() -> Iterator[Callable[..., Tei]]:
    made: list[Tei] = []

    def make(embed: Callable[[Sequence[str]], Vectors], *, busy: int = 0) -> Tei:
        made.append(Tei(embed, busy=busy))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def opened(embedder: DenseEmbedder) -> Iterator[Open]:
    """Held against the model that all tests share."""
    made: list[EndpointEmbedder] = []
    tls = ssl.create_default_context()

    def make(url: str, *, api_key: str | None = None, **more: Any) -> EndpointEmbedder:
        endpoint = EmbeddingEndpointSettings(urls=(url,), **{"allow": LOOPBACK, **more})
        made.append(EndpointEmbedder(embedder, endpoint, key=api_key, tls=tls, owns_local=False))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def prefixed(embedder: DenseEmbedder) -> Callable[[Sequence[str]], Vectors]:
    """What a server makes of texts that have their prefix already."""
    return lambda texts: embedder._lanes.embed(embedder._tokens("", texts), urgent=False)


def test_our_own_service_embeds_for_another_machine_as_that_would_itself(
    application: Application, embedder: DenseEmbedder, opened: Open
) -> None:
    _, key = application.catalog.keys.create("embedding", "machine")
    with serving(create_app(application)) as url:
        there = opened(
            f"{url}/v1", model="sovereign-rag", adds_prefix=True, api_key=key, batch_size=3
        )

        passages, questions = there.embed_passages(TEXTS), there.embed_queries(TEXTS[:1])

    np.testing.assert_allclose(passages, embedder.embed_passages(TEXTS), atol=ROUNDING)
    np.testing.assert_allclose(questions, embedder.embed_queries(TEXTS[:1]), atol=ROUNDING)
    assert there.model_id == embedder.model_id


def test_a_tei_server_is_asked_in_batches_and_never_more_at_once_than_is_said(
    embedder: DenseEmbedder,
    prefixed: Callable[[Sequence[str]], Vectors],
    tei: Callable[..., Tei],
    opened: Open,
) -> None:
    server = tei(prefixed)
    there = opened(server.url, form="tei", batch_size=2, requests=2)

    passages = there.embed_passages(TEXTS)

    np.testing.assert_allclose(passages, embedder.embed_passages(TEXTS), atol=ROUNDING)
    assert max(map(len, server.asked)) == 2
    assert server.most_under_way <= 2
    assert there.embed_passages([]).shape == (0, embedder.dimension)


def test_a_server_that_is_busy_is_asked_again(
    prefixed: Callable[[Sequence[str]], Vectors], tei: Callable[..., Tei], opened: Open
) -> None:
    there = opened(tei(prefixed, busy=1).url, form="tei")

    assert there.embed_queries(TEXTS[:1]).shape[0] == 1


def test_a_question_does_not_wait_while_a_server_is_compared_and_is_embedded_here_until_then(
    embedder: DenseEmbedder,
    prefixed: Callable[[Sequence[str]], Vectors],
    tei: Callable[..., Tei],
    opened: Open,
) -> None:
    may_answer = threading.Event()

    def late(texts: Sequence[str]) -> Vectors:
        may_answer.wait()
        return prefixed(texts)

    server = tei(late)
    there = opened(server.url, form="tei")
    there.warm_up()

    meanwhile, said = there.embed_queries(TEXTS[:1]), there.trouble()
    may_answer.set()
    passages = there.embed_passages(TEXTS)  # what is ingested waits for the comparison
    there.embed_queries(TEXTS[1:2])

    assert said is not None
    assert said.startswith("limited")
    assert there.trouble() is None
    np.testing.assert_allclose(meanwhile, embedder.embed_queries(TEXTS[:1]), atol=ROUNDING)
    np.testing.assert_allclose(passages, embedder.embed_passages(TEXTS), atol=ROUNDING)
    asked = [text for texts in server.asked for text in texts]
    assert [TEXTS[0] in text for text in asked].count(True) == 1  # as a passage alone
    assert [TEXTS[1] in text for text in asked].count(True) == 2


@pytest.mark.parametrize("what", ["another model's", "without the prefix", "of another length"])
def test_vectors_that_are_not_those_of_the_model_here_are_refused(
    embedder: DenseEmbedder,
    prefixed: Callable[[Sequence[str]], Vectors],
    tei: Callable[..., Tei],
    opened: Open,
    what: str,
) -> None:
    def embed(texts: Sequence[str]) -> Vectors:
        match what:
            case "another model's":
                return np.roll(prefixed(texts), 1, axis=1)
            case "without the prefix":
                return prefixed([text.partition(": ")[2] for text in texts])
        return prefixed(texts)[:, :100]

    with pytest.raises(ModelError, match=r"the same model|another model"):
        opened(tei(embed).url, form="tei").embed_passages(TEXTS)


def test_where_no_server_answers_the_fault_is_the_environment_s_and_says_when_to_come_again(
    opened: Open,
) -> None:
    with pytest.raises(EnvironmentFault, match=r"embedding\.endpoint\.urls") as fault:
        opened("http://127.0.0.1:9", form="tei", retries=0).embed_queries(["a"])

    assert fault.value.retry_after_s is not None


def test_an_address_outside_of_the_list_is_refused_before_anything_is_sent(opened: Open) -> None:
    with pytest.raises(SettingsError, match=r"embedding\.endpoint\.allow"):
        opened("http://10.1.2.3:8080", form="tei")
    with pytest.raises(ValidationError, match=r"embedding\.endpoint\.allow"):
        EmbeddingEndpointSettings(urls=("http://10.1.2.3:8080",), form="tei")
