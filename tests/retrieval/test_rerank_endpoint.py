"""Passages put in order by a server of the own network, in both forms that such servers speak.

The server is a small one with the very cross-encoder of this machine behind it, or another.
"""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from sovereign_rag.cli.doctor_endpoints import endpoints_found
from sovereign_rag.errors import ModelError, SettingsError
from sovereign_rag.models.manifest import model_hash
from sovereign_rag.retrieval.rerank import CrossEncoderReranker
from sovereign_rag.retrieval.rerank_endpoint import EndpointReranker, open_reranker
from sovereign_rag.services.warming import warm_up
from sovereign_rag.settings import (
    EmbeddingEndpointSettings,
    EmbeddingSettings,
    RerankerEndpointSettings,
    RetrievalSettings,
    Settings,
)
from sovereign_rag.wiring import open_service
from tests.ingest.reindex.conftest import wait_until
from tests.retrieval.test_rerank import PASSAGES, make_model, passage

LOOPBACK = ("127.0.0.0/8",)

Weigh = Callable[[str, list[str]], list[float]]


class RerankServer:
    """Answers `POST /rerank` in either form, by what it is asked in."""

    def __init__(self, weigh: Weigh, *, status: int = 200) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                server.asked.append(body)
                server.keys.append(self.headers["authorization"])
                is_tei = "texts" in body
                scores = weigh(body["query"], body["texts"] if is_tei else body["documents"])
                name = "score" if is_tei else "relevance_score"
                # Best first, as such servers answer: the index says which is meant.
                found = [{"index": n, name: score} for n, score in enumerate(scores)]
                found.sort(key=lambda item: -item[name])
                answer = json.dumps(found if is_tei else {"results": found}).encode()
                self.send_response(status if self.path == "/rerank" else 404)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def by_length(question: str, texts: list[str]) -> list[float]:
    return [1 / (1 + len(text)) for text in texts]


def by(reranker: CrossEncoderReranker) -> Weigh:
    """As the model weighs, in order."""

    def weigh(question: str, texts: list[str]) -> list[float]:
        found = reranker.rerank(question, [passage(text, 0.0) for text in texts])
        scores = {one.chunk.text: one.score_parts["rerank"] for one in found}
        return [scores[text] for text in texts]

    return weigh


@pytest.fixture
def server() -> Iterator[Callable[..., RerankServer]]:
    made: list[RerankServer] = []

    def make(weigh: Weigh, *, status: int = 200) -> RerankServer:
        made.append(RerankServer(weigh, status=status))
        return made[-1]

    yield make
    for one in made:
        one.close()


def opened(*urls: str, local: CrossEncoderReranker | None = None, **more: Any) -> EndpointReranker:
    settings = RerankerEndpointSettings(
        urls=urls, **{"allow": LOOPBACK, "model": "weigher", "timeout_s": 60, **more}
    )
    return EndpointReranker(settings, key="k3y", tls=ssl.create_default_context(), local=local)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny-cross-encoder")


@pytest.fixture(scope="module")
def local(folder: Path) -> CrossEncoderReranker:
    return CrossEncoderReranker(folder, sha256=model_hash(folder, models_dir=folder.parent))


@pytest.mark.parametrize("form", ["tei", "cohere"])
def test_passages_come_in_the_servers_order_with_its_weights(
    server: Callable[..., RerankServer], form: str
) -> None:
    there = server(by_length)
    reranker = opened(there.url, form=form, batch_size=2)

    ranked = reranker.rerank("badge", PASSAGES)

    assert [one.chunk.text for one in ranked] == sorted((p.chunk.text for p in PASSAGES), key=len)
    assert [one.score_parts["rerank"] for one in ranked] == by_length(
        "", [one.chunk.text for one in ranked]
    )
    assert {one.chunk.text: one.score for one in ranked} == {
        one.chunk.text: one.score for one in PASSAGES
    }
    assert len(there.asked) == 2
    assert set(there.keys) == {"Bearer k3y"}


def test_the_model_of_this_machine_passes_the_comparison_and_another_does_not(
    server: Callable[..., RerankServer], local: CrossEncoderReranker
) -> None:
    same = opened(server(by(local)).url, local=local)
    other = opened(server(by_length).url, local=local)

    ranked = same.rerank("badge", PASSAGES)

    assert [one.chunk.text for one in ranked] == [
        one.chunk.text for one in local.rerank("badge", PASSAGES)
    ]
    assert same.model_id == local.model_id
    with pytest.raises(ModelError, match="weighs passages otherwise"):
        other.rerank("badge", PASSAGES)


def test_a_search_does_not_wait_while_a_server_is_compared_with_the_model_here(
    server: Callable[..., RerankServer], local: CrossEncoderReranker
) -> None:
    may_answer = threading.Event()

    def late(question: str, texts: list[str]) -> list[float]:
        may_answer.wait()
        return by(local)(question, texts)

    there = server(late)
    reranker = opened(there.url, local=local)
    reranker.warm_up()

    meanwhile, said = reranker.rerank("badge", PASSAGES), reranker.trouble()
    may_answer.set()
    wait_until(lambda: reranker.trouble() is None)
    ranked = reranker.rerank("badge", PASSAGES)
    reranker.close()

    assert meanwhile == PASSAGES
    assert said is not None
    assert said.startswith("limited")
    assert [body["query"] for body in there.asked].count("badge") == 1
    assert [p.chunk.text for p in ranked] == [p.chunk.text for p in local.rerank("badge", PASSAGES)]


def test_a_service_whose_server_weighs_otherwise_says_so_and_is_not_ready(
    server: Callable[..., RerankServer],
    local: CrossEncoderReranker,
    folder: Path,
    product_settings: Callable[..., Settings],
) -> None:
    there = server(by_length)

    def with_server(url: str) -> Settings:
        endpoint = RerankerEndpointSettings(urls=(url,), allow=LOOPBACK, timeout_s=60)
        retrieval = RetrievalSettings(reranker=folder, reranker_endpoint=endpoint)
        return product_settings(retrieval=retrieval)

    with open_service(with_server(there.url)) as service:
        warm_up(service)
        assert service.reranker is not None
        wait_until(lambda: "otherwise" in service.readiness()["reranking"])
        told = service.readiness()["reranking"]
        with pytest.raises(ModelError, match="weighs passages otherwise"):
            service.reranker.rerank("badge", PASSAGES)

    assert not told.startswith(("ok", "limited"))
    assert there.url not in told
    with open_service(with_server(server(by(local)).url)) as service:
        warm_up(service)
        wait_until(lambda: service.readiness()["reranking"] == "ok")
    with open_service(product_settings()) as service:
        assert "reranking" not in service.readiness()


def test_where_no_server_answers_the_order_of_the_search_stays(
    server: Callable[..., RerankServer],
) -> None:
    away = opened("http://127.0.0.1:9", server(by_length, status=500).url)

    assert away.rerank("badge", PASSAGES) == PASSAGES


def test_the_next_server_is_asked_where_one_fails(server: Callable[..., RerankServer]) -> None:
    reranker = opened("http://127.0.0.1:9", server(by_length).url)

    assert all("rerank" in one.score_parts for one in reranker.rerank("badge", PASSAGES))


def test_passages_that_no_model_elsewhere_may_see_are_not_sent_and_keep_their_places(
    server: Callable[..., RerankServer],
) -> None:
    there = server(by_length)
    settings = RerankerEndpointSettings(urls=(there.url,), allow=LOOPBACK)
    tls = ssl.create_default_context()
    reranker = EndpointReranker(settings, key=None, tls=tls, may_see=lambda level: level < 3)
    secret = replace(PASSAGES[1], level=3)

    ranked = reranker.rerank("badge", [PASSAGES[0], secret, PASSAGES[2]])

    assert ranked[1] == secret
    assert [one.chunk.text for one in ranked[::2]] == ["yellow yellow days", "the badge is yellow"]
    assert secret.chunk.text not in there.asked[0]["texts"]


@pytest.mark.parametrize("answer", [[], [0.5], [0.5, float("nan"), 0.1]])
def test_an_answer_that_is_no_weight_for_each_passage_is_refused(
    server: Callable[..., RerankServer], answer: list[float]
) -> None:
    with pytest.raises(ModelError, match=r"reranker_endpoint\.form"):
        opened(server(lambda question, texts: answer).url).rerank("badge", PASSAGES)


def test_an_address_outside_of_the_list_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(SettingsError, match=r"reranker_endpoint\.allow"):
        opened("http://10.1.2.3:8080")
    with pytest.raises(ValidationError, match=r"reranker_endpoint\.allow"):
        RerankerEndpointSettings(urls=("http://10.1.2.3:8080",))
    with pytest.raises(ValidationError, match=r"reranker_endpoint\.model"):
        RerankerEndpointSettings(urls=("http://127.0.0.1:8080",), allow=LOOPBACK, form="cohere")


def test_the_doctor_has_a_line_for_each_server_that_computes_elsewhere(
    server: Callable[..., RerankServer], product_settings: Callable[..., Settings]
) -> None:
    weighing, away = server(by_length).url, "http://127.0.0.1:9"
    settings = product_settings(
        retrieval=RetrievalSettings(
            reranker_endpoint=RerankerEndpointSettings(urls=(weighing, away), allow=LOOPBACK)
        ),
        embedding=EmbeddingSettings(
            endpoint=EmbeddingEndpointSettings(urls=(away,), allow=LOOPBACK, form="tei")
        ),
    )

    found = list(endpoints_found(settings))

    assert [(one.name, one.state) for one in found] == [
        ("embedding endpoint", "missing"),
        ("reranking endpoint", "ok"),
        ("reranking endpoint", "limited"),
    ]
    assert list(endpoints_found(product_settings())) == []


def test_the_product_asks_the_servers_that_the_settings_name(
    server: Callable[..., RerankServer], product_settings: Callable[..., Settings]
) -> None:
    endpoint = RerankerEndpointSettings(urls=(server(by_length).url,), allow=LOOPBACK)
    reranker = open_reranker(
        product_settings(retrieval=RetrievalSettings(reranker_endpoint=endpoint))
    )

    assert reranker is not None
    first, *_ = reranker.rerank("badge", PASSAGES)
    assert first.chunk.text == "leave days"
    assert reranker.model_id == "reranker@endpoint"
