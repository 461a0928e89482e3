"""The service on a socket, over the papers of the oracle, and who calls it."""

import ssl
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import httpx
import numpy as np

from sovereign_rag.access import Principal
from sovereign_rag.embedding.protocol import Embedder, Vectors
from sovereign_rag.wiring import Application
from tests.rights.oracle import Paper, may_read

NOWHERE = "00000000-0000-4000-8000-000000000000"
TLS = ssl.create_default_context()
"""Made once: a connection would read the authorities' certificates anew, and asks for none here."""


class RememberingEmbedder:
    """A model that computes each text once: of thousands of questions few are different."""

    def __init__(self, model: Embedder) -> None:
        self._model = model
        self.model_id, self.dimension = model.model_id, model.dimension
        self.max_tokens = model.max_tokens
        self._known: dict[tuple[str, bool], Vectors] = {}
        self._tokens: dict[str, int] = {}
        self._computing = threading.Lock()

    def warm_up(self) -> None:
        self._model.warm_up()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        new = [text for text in texts if text not in self._tokens]
        self._tokens.update(zip(new, self._model.count_tokens(new), strict=True))
        return [self._tokens[text] for text in texts]

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        return self._embedded(texts, is_query=False)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embedded(texts, is_query=True)

    def _embedded(self, texts: Sequence[str], *, is_query: bool) -> Vectors:
        with self._computing:
            new = [text for text in dict.fromkeys(texts) if (text, is_query) not in self._known]
            if new:
                compute = self._model.embed_queries if is_query else self._model.embed_passages
                for text, vector in zip(new, compute(new), strict=True):
                    self._known[text, is_query] = vector
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return np.stack([self._known[text, is_query] for text in texts])


@dataclass(repr=False)
class Site:
    """The service on a socket, and who calls it."""

    url: str
    application: Application
    papers: list[Paper]
    _lines: httpx.HTTPTransport = field(default_factory=lambda: httpx.HTTPTransport(verify=TLS))
    _keys: dict[Principal, str] = field(default_factory=dict)
    _clients: dict[Principal, httpx.Client] = field(default_factory=dict)
    _browsers: dict[Principal, httpx.Client] = field(default_factory=dict)

    def key(self, asker: Principal) -> str:
        """The secret of a key of the asker's."""
        if asker not in self._keys:
            _, self._keys[asker] = self.application.catalog.keys.create(
                "test",
                asker.user,
                groups=asker.groups,
                tenant=asker.tenant,
                clearance=asker.clearance,
                role=next(iter(asker.roles)),
                curates=asker.curates,
            )
        return self._keys[asker]

    def client(self, asker: Principal) -> httpx.Client:
        """A connection with a key of the asker's."""
        if asker not in self._clients:
            headers = {"Authorization": f"Bearer {self.key(asker)}"}
            self._clients[asker] = self._connection(headers)
        return self._clients[asker]

    def browser(self, asker: Principal) -> httpx.Client:
        """A browser that the asker signed in with."""
        if asker not in self._browsers:
            headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
            browser = self._connection(headers)
            browser.post("/sign-in", data={"key": self.key(asker)})
            self._browsers[asker] = browser
        return self._browsers[asker]

    def _connection(self, headers: dict[str, str]) -> httpx.Client:
        """Everybody shares the lines, so that hundreds of people don't hold one each."""
        return httpx.Client(base_url=self.url, headers=headers, timeout=120, transport=self._lines)

    def seen_by(self, asker: Principal) -> tuple[list[Paper], list[Paper]]:
        """What the rule shows the asker, and what it hides."""
        shown = [paper for paper in self.papers if may_read(asker, paper)]
        return shown, [paper for paper in self.papers if paper not in shown]

    def close(self) -> None:
        self._lines.close()


def assert_hidden(hidden: Iterable[Paper], told: str, asked: Iterable[str] | None = None) -> None:
    """Nothing of a hidden paper is told; an id that was asked for may stand in the question."""
    lowered = told.lower()
    for paper in hidden:
        assert paper.word not in lowered
        assert paper.id in (asked or ()) or paper.id not in lowered


def ids(papers: Iterable[Paper]) -> set[str]:
    return {paper.id for paper in papers}
