"""Vectors computed by servers of the tenant's own network, by the very model that is here too.

Tokens are counted here and the texts go there. Before anything of theirs is used, vectors of theirs
are held against ones that the local model makes: another model, or other arithmetic, is refused.
Who waits for an answer meanwhile gets vectors that are made here.
"""

import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Self

import httpx
import numpy as np

from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.protocol import Vectors
from sovereign_rag.errors import EnvironmentFault, ModelError, SovereignError
from sovereign_rag.settings import EmbeddingEndpointSettings, Settings
from sovereign_rag.settings.api_key import read_api_key
from sovereign_rag.system.allowed_addresses import AllowList, Resolve, look_up, place
from sovereign_rag.system.breaker import Breaker
from sovereign_rag.system.comparison import Comparison
from sovereign_rag.system.listed_client import ListedClient, NotReached, ServerHealth, tls_of

_SECTION: Final = "embedding.endpoint"
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 10.0
_BUSY: Final = {429, 503}
_ALIKE: Final = 0.999
"""The least cosine of their vector and ours: rounding to 16 bits leaves 0.9999, other weights,
another prefix or pooling, or eight bits, less."""

_PROBES: Final = (
    "The supplier delivers the goods within ten working days of the order.",
    "Der Vertrag beginnt am 1. Januar und endet nach einer Frist von drei Monaten.",
    "Le bailleur s\u2019engage \u00e0 livrer les locaux au plus tard le 15 mars.",
    "2024-11-22 | 1.250,00 EUR | EN 60601-1",
    "a",
)


class EndpointEmbedder:
    """The `Embedder` of a model folder whose vectors are made elsewhere; for any threads.

    At most `requests` requests are under way; who comes later waits, and so does everybody for a
    server that says it is busy. Somebody who waits for an answer goes before what is ingested.
    """

    def __init__(
        self,
        local: DenseEmbedder,
        settings: EmbeddingEndpointSettings,
        *,
        key: str | None,
        tls: ssl.SSLContext,
        resolve: Resolve = look_up,
        owns_local: bool = True,
    ) -> None:
        """Nothing is contacted or looked up yet.

        Args:
            local: The model that the servers have to serve.
            owns_local: Nobody else computes by it: its weights are let go of once compared.

        Raises:
            SettingsError: An address is none, or stands outside of the list.
        """
        self._local, self._own, self._owns_local = local, settings, owns_local
        allow = AllowList(settings.allow, f"{_SECTION}.allow")
        places = [place(url, f"{_SECTION}.urls") for url in settings.urls]
        self._servers = [
            _Server(
                ListedClient(at, allow, tls=tls, timeout_s=settings.timeout_s, resolve=resolve),
                settings,
                key,
            )
            for at in places
        ]
        self._turn = itertools.count()
        self._leaving = threading.Event()
        self._places = _Places(settings.requests)
        self._threads = ThreadPoolExecutor(
            settings.requests, thread_name_prefix="embedding-endpoint"
        )
        self._comparison = Comparison(
            self._require_alike, section=_SECTION, again_s=settings.breaker_pause_s
        )

    @classmethod
    def open(cls, settings: Settings, *, resolve: Resolve = look_up) -> Self:
        """The embedder that the settings name.

        Raises:
            ModelMissing: The model isn't on this machine, whose tokens are counted by it.
            SettingsError: An address, the key's file or the certificates are not usable.
        """
        own = settings.embedding.endpoint
        tls = tls_of(own.ca_file, f"{_SECTION}.ca_file")
        local = DenseEmbedder.open(settings)
        return cls(local, own, key=read_api_key(own, _SECTION), tls=tls, resolve=resolve)

    @property
    def model_id(self) -> str:
        return self._local.model_id

    @property
    def dimension(self) -> int:
        return self._local.dimension

    @property
    def max_tokens(self) -> int:
        return self._local.max_tokens

    def warm_up(self) -> None:
        """Begin to compare, without waiting for it; questions are embedded here until then."""
        self._local.warm_up()
        self._comparison.begin()

    def trouble(self) -> str | None:
        """As `Compared` has it."""
        return self._comparison.trouble()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._local.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        self._local.require_room(texts)
        return self._embed(texts, query=False, urgent=urgent)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self._embed(self._local.cut_to_window(texts), query=True, urgent=True)

    def health(self) -> list[ServerHealth]:
        """Have each server embed the probes, held against the model here; for `doctor`."""
        return [self._health(server) for server in self._servers]

    def close(self) -> None:
        self._leaving.set()
        self._comparison.close()
        self._threads.shutdown()
        for server in self._servers:
            server.close()
        if self._owns_local:
            self._local.close()

    def _embed(self, texts: Sequence[str], *, query: bool, urgent: bool) -> Vectors:
        if self._comparison.has_passed(may_wait=not urgent):
            return self._asked(texts, query=query, urgent=urgent)
        if query:
            vectors = self._local.embed_queries(texts)
        else:
            vectors = self._local.embed_passages(texts, urgent=urgent)
        if self._owns_local and self._comparison.has_passed(may_wait=False):
            self._local.unload()  # it passed meanwhile: the weights may have been loaded again
        return vectors

    def _health(self, server: "_Server") -> ServerHealth:
        begun, took_s, url = time.monotonic(), 0.0, server.at.url
        try:
            for query in (False, True):
                sent = self._prefixed(_PROBES, query=query)
                vectors = self._checked(server.embed(sent, query=query), len(_PROBES), server)
                took_s = time.monotonic() - begun
                self._compare(vectors, query=query)
        except (_NotNow, SovereignError) as error:
            return ServerHealth(url, str(error), time.monotonic() - begun)
        return ServerHealth(url, None, took_s)

    def _require_alike(self) -> None:
        """Raises ModelError: the vectors from there are not those of the model here."""
        for query in (False, True):
            self._compare(self._asked(_PROBES, query=query, urgent=True), query=query)
        if self._owns_local:
            self._local.unload()

    def _compare(self, theirs: Vectors, *, query: bool) -> None:
        """Raises ModelError: these are not the probes' vectors by the model here."""
        embed = self._local.embed_queries if query else self._local.embed_passages
        alike = np.sum(embed(_PROBES) * theirs, axis=1)
        if not np.all(alike >= _ALIKE):
            role = "questions" if query else "passages"
            raise ModelError(
                f"The embedding endpoint makes other vectors of {role} than {self.model_id} here "
                f"(cosine {alike.min():.4f}, needed {_ALIKE}). Have it serve the same model, with "
                f"its pooling and without quantization, or see {_SECTION}.adds_prefix."
            )

    def _prefixed(self, texts: Sequence[str], *, query: bool) -> Sequence[str]:
        return texts if self._own.adds_prefix else self._local.prefixed(texts, query=query)

    def _asked(self, texts: Sequence[str], *, query: bool, urgent: bool) -> Vectors:
        size = self._own.batch_size
        batches = [texts[start : start + size] for start in range(0, len(texts), size)]

        def ask(batch: Sequence[str]) -> Vectors:
            return self._of_a_batch(batch, query=query, urgent=urgent)

        found = list(self._threads.map(ask, batches)) if len(batches) > 1 else map(ask, batches)
        empty = np.empty((0, self.dimension), np.float32)
        return np.concatenate([empty, *found])

    def _of_a_batch(self, texts: Sequence[str], *, query: bool, urgent: bool) -> Vectors:
        prefixed = self._prefixed(texts, query=query)
        wait_s, said = _FIRST_WAIT_S, {server.at.url: "" for server in self._servers}
        for left in range(self._own.retries, -1, -1):
            for server in self._in_turn():
                try:
                    with self._places.taken(urgent=urgent):
                        vectors = server.embed(prefixed, query=query)
                except _NotNow as refusal:
                    said[server.at.url] = str(refusal)
                    wait_s = max(wait_s, refusal.wait_s)
                    continue
                return self._checked(vectors, len(texts), server)
            if left and self._leaving.wait(min(wait_s, _LONGEST_WAIT_S)):
                break
            wait_s *= 2
        reasons = "; ".join(f"{url}: {why or 'passed over'}" for url, why in said.items())
        fault = EnvironmentFault(
            f"No server of {_SECTION}.urls gives vectors ({reasons}). It is tried again; see their "
            "logs, or leave the setting out to compute them here."
        )
        fault.retry_after_s = _LONGEST_WAIT_S
        raise fault

    def _in_turn(self) -> Iterator["_Server"]:
        """Those that work; where none does, all of them."""
        first = next(self._turn) % len(self._servers)
        order = self._servers[first:] + self._servers[:first]
        admitted = [server for server in order if server.breaker.state == "closed"]
        yield from admitted or order

    def _checked(self, vectors: Any, count: int, server: "_Server") -> Vectors:
        try:
            found = np.asarray(vectors, np.float32)
        except (ValueError, TypeError) as error:
            raise ModelError(f"{server.at.url} sent something else than vectors.") from error
        if found.shape != (count, self.dimension):
            raise ModelError(
                f"{server.at.url} sent an array of shape {found.shape} for {count} texts, "
                f"{self.model_id} makes {self.dimension} numbers of each. It serves another model."
            )
        norms = np.linalg.norm(found, axis=1, keepdims=True)
        if not np.all(np.isfinite(norms)) or not np.all(norms > 0):
            raise ModelError(f"{server.at.url} sent a vector without length.")
        unit: Vectors = found / norms
        return unit


class _NotNow(Exception):
    """No vectors this time; the text says why."""

    def __init__(self, reason: str, *, wait_s: float = 0.0) -> None:
        self.wait_s = wait_s
        super().__init__(reason)


class _Places:
    """Places for requests; of those who wait, the urgent ones come first."""

    def __init__(self, places: int) -> None:
        self._free, self._changed = places, threading.Condition()
        self._urgent = 0

    def taken(self, *, urgent: bool) -> "_Place":
        with self._changed:
            self._urgent += urgent
            self._changed.wait_for(lambda: self._free > 0 and (urgent or not self._urgent))
            self._urgent -= urgent
            self._free -= 1
        return _Place(self._let_go)

    def _let_go(self) -> None:
        with self._changed:
            self._free += 1
            self._changed.notify_all()


class _Place:
    def __init__(self, let_go: Any) -> None:
        self._let_go = let_go

    def __enter__(self) -> None:
        """It was taken already."""

    def __exit__(self, *exception: object) -> None:
        self._let_go()


class _Server:
    def __init__(
        self, client: ListedClient, settings: EmbeddingEndpointSettings, key: str | None
    ) -> None:
        self.at, self._client, self._own = client.at, client, settings
        self.breaker = Breaker(failures=1, pause_s=settings.breaker_pause_s)
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def embed(self, texts: Sequence[str], *, query: bool) -> Any:
        """Vectors as they were sent. Raises _NotNow."""
        path = "/embed" if self._own.form == "tei" else "/embeddings"
        body = json.dumps(self._body(texts, query=query)).encode("utf-8", "replace")
        try:
            reply = self._client.ask(path, body, self._headers)
        except NotReached as error:
            self.breaker.failed(str(error))
            raise _NotNow(str(error)) from error
        if reply.status_code in _BUSY:
            wait_s = _seconds(reply.headers.get("retry-after"))
            raise _NotNow(f"it is busy ({reply.status_code})", wait_s=wait_s)
        if reply.status_code != httpx.codes.OK:
            self.breaker.failed(f"status {reply.status_code}")
            raise _NotNow(f"it answers {reply.status_code}: {reply.text[:200]}")
        self.breaker.succeeded()
        try:
            return self._vectors(reply.json())
        except (ValueError, LookupError, TypeError) as error:
            raise ModelError(
                f"{self.at.url} sent no vectors: is {_SECTION}.form right, and the address?"
            ) from error

    def close(self) -> None:
        self._client.close()

    def _body(self, texts: Sequence[str], *, query: bool) -> Mapping[str, object]:
        if self._own.form == "tei":
            return {"inputs": list(texts), "normalize": True, "truncate": False}
        body: dict[str, object] = {"model": self._own.model, "input": list(texts)}
        if self._own.adds_prefix:
            body["input_type"] = "query" if query else "passage"
        return body

    def _vectors(self, answer: Any) -> Any:
        if self._own.form == "tei":
            return answer
        in_order = sorted(answer["data"], key=lambda item: item["index"])
        return [item["embedding"] for item in in_order]


def _seconds(text: str | None) -> float:
    try:
        return min(_LONGEST_WAIT_S, max(0.0, float(text or 0)))
    except ValueError:
        return 0.0  # a date; rare, and no more than a hint
