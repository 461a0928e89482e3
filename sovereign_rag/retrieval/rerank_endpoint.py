"""Passages weighed again by servers of the tenant's own network.

Where a cross-encoder is here too, what the servers say is held against it before it is used. The
order is a matter of comfort, not of rights: until then, and where no server answers in time, the
search's stays.
"""

import itertools
import json
import logging
import math
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, Self

import httpx

from sovereign_rag.domain import Passage
from sovereign_rag.errors import EnvironmentFault, ModelError, SovereignError
from sovereign_rag.retrieval.rerank import CrossEncoderReranker, Reranker
from sovereign_rag.settings import RerankerEndpointSettings, Settings
from sovereign_rag.settings.api_key import read_api_key
from sovereign_rag.system.allowed_addresses import AllowList, Resolve, look_up, place
from sovereign_rag.system.breaker import Breaker
from sovereign_rag.system.comparison import Comparison
from sovereign_rag.system.listed_client import ListedClient, NotReached, ServerHealth, tls_of

log = logging.getLogger(__name__)

_SECTION: Final = "retrieval.reranker_endpoint"
_ALIKE: Final = 0.3
"""The most by which their weight and ours may differ, before the sigmoid: 16 bits move it by some
hundredths, other weights by more."""
_LEAST: Final = 1e-4  # of a sigmoid: beyond, its logarithm tells of rounding alone

_PROBE: Final = "How long is the notice period of the lease?"
_PROBES: Final = (
    "The lease may be ended with three months' notice to the end of a quarter.",
    "Der Mietvertrag kann mit einer Frist von drei Monaten gekündigt werden.",
    "The landlord delivers the rooms painted and swept.",
    "The canteen opens at half past eleven.",
)


def open_reranker(settings: Settings, *, resolve: Resolve = look_up) -> "OpenedReranker | None":
    """The reranker that the settings name: servers, else a model here; None: they name none.

    Raises:
        ModelMissing: The model isn't on this machine.
        ModelError: It can't be read, or isn't the expected one.
        SettingsError: A server's address, the key's file or the certificates are not usable.
    """
    local = CrossEncoderReranker.open(settings)
    if not settings.retrieval.reranker_endpoint.urls:
        return local
    return EndpointReranker.open(settings, local=local, resolve=resolve)


class EndpointReranker:
    """The `Reranker` whose model runs elsewhere; any number of threads may call it."""

    def __init__(
        self,
        settings: RerankerEndpointSettings,
        *,
        key: str | None,
        tls: ssl.SSLContext,
        local: CrossEncoderReranker | None = None,
        may_see: Callable[[int], bool] = lambda level: True,
        resolve: Resolve = look_up,
    ) -> None:
        """Nothing is contacted or looked up yet.

        Args:
            local: The model that the servers have to serve; None: whatever they serve is used.
            may_see: Whether passages of a level may be sent to a model elsewhere.

        Raises:
            SettingsError: An address is none, or stands outside of the list.
        """
        self._own, self._local, self._may_see = settings, local, may_see
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
        self._comparison = Comparison(
            self._require_alike, section=_SECTION, again_s=settings.breaker_pause_s
        )

    @classmethod
    def open(
        cls,
        settings: Settings,
        *,
        local: CrossEncoderReranker | None = None,
        resolve: Resolve = look_up,
    ) -> Self:
        """The servers that the settings name. Raises SettingsError."""
        own, labels = settings.retrieval.reranker_endpoint, settings.labels
        return cls(
            own,
            key=read_api_key(own, _SECTION),
            tls=tls_of(own.ca_file, f"{_SECTION}.ca_file"),
            local=local,
            may_see=lambda level: labels.model_may_see(level, is_local=False),
            resolve=resolve,
        )

    @property
    def model_id(self) -> str:
        if self._local is not None:
            return self._local.model_id
        return f"{self._own.model or 'reranker'}@endpoint"

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """As `Reranker` has it; the search's order where no server answers in time, or none may be
        used yet.

        Passages that no model elsewhere may see keep their places.

        Raises:
            ModelError: A server weighs otherwise than the model here.
        """
        sent = [at for at, passage in enumerate(passages) if self._may_see(passage.level)]
        if not sent:
            return list(passages)
        texts = [passages[at].chunk.embedded_text for at in sent]
        try:
            if not self._comparison.has_passed(may_wait=False):
                return list(passages)
            scores = self._asked(question, texts)
        except ModelError:
            raise
        except (_NotNow, EnvironmentFault) as refusal:
            log.warning("Passages keep the order of the search: %s", refusal)
            return list(passages)
        weighed = [
            replace(passages[at], score_parts={**passages[at].score_parts, "rerank": score})
            for at, score in zip(sent, scores, strict=True)
        ]
        weighed.sort(key=lambda passage: -passage.score_parts["rerank"])
        ordered = list(passages)
        for at, passage in zip(sent, weighed, strict=True):
            ordered[at] = passage
        return ordered

    def health(self) -> list[ServerHealth]:
        """Have each server weigh the probes, against the model here where there is one."""
        return [self._health(server) for server in self._servers]

    def warm_up(self) -> None:
        """Begin to compare, without waiting for it; until then the search's order stays."""
        if self._local is not None:
            self._comparison.begin()

    def trouble(self) -> str | None:
        """As `Compared` has it."""
        return self._comparison.trouble()

    def close(self) -> None:
        self._comparison.close()
        for server in self._servers:
            server.close()

    def _health(self, server: "_Server") -> ServerHealth:
        begun, url = time.monotonic(), server.at.url
        try:
            scores = server.weigh(_PROBE, _PROBES)
            took_s = time.monotonic() - begun
            if self._local is not None:
                self._compare(scores, self._local)
        except (_NotNow, SovereignError) as error:
            return ServerHealth(url, str(error), time.monotonic() - begun)
        return ServerHealth(url, None, took_s)

    def _require_alike(self) -> None:
        """Raises ModelError: the weights from there are not those of the model here."""
        if self._local is None:  # whatever they serve is used
            return
        try:
            theirs = self._asked(_PROBE, _PROBES)
        except _NotNow as refusal:
            raise EnvironmentFault(str(refusal)) from refusal
        self._compare(theirs, self._local)
        self._local.unload()

    def _compare(self, theirs: Sequence[float], local: Reranker) -> None:
        ours = _weights_of(local)
        apart = max(abs(a - b) for a, b in zip(_logits(theirs), _logits(ours), strict=True))
        if apart > _ALIKE:
            raise ModelError(
                f"The reranking endpoint weighs passages otherwise than {local.model_id} here (by "
                f"{apart:.2f}, at most {_ALIKE} is rounding). Have it serve the same model, or "
                "unset retrieval.reranker to take what it serves."
            )

    def _asked(self, question: str, texts: Sequence[str]) -> list[float]:
        """The weight of each text. Raises _NotNow, and ModelError for an answer that is none."""
        give_up, size = time.monotonic() + self._own.timeout_s, self._own.batch_size
        scores: list[float] = []
        for start in range(0, len(texts), size):
            scores += self._of_a_batch(question, texts[start : start + size], give_up)
        return scores

    def _of_a_batch(self, question: str, texts: Sequence[str], give_up: float) -> list[float]:
        said = {server.at.url: "passed over" for server in self._servers}
        for server in self._in_turn():
            if time.monotonic() >= give_up or not server.breaker.admit():
                continue
            try:
                return server.weigh(question, texts)
            except _NotNow as refusal:
                said[server.at.url] = str(refusal)
        reasons = "; ".join(f"{url}: {why}" for url, why in said.items())
        raise _NotNow(f"no server of {_SECTION}.urls weighs them ({reasons})")

    def _in_turn(self) -> Iterator["_Server"]:
        first = next(self._turn) % len(self._servers)
        return iter(self._servers[first:] + self._servers[:first])


class _NotNow(Exception):
    """No weights this time; the text says why."""


class _Server:
    def __init__(
        self, client: ListedClient, settings: RerankerEndpointSettings, key: str | None
    ) -> None:
        self.at, self._client, self._own = client.at, client, settings
        self.breaker = Breaker(failures=1, pause_s=settings.breaker_pause_s)
        self._headers = {"Content-Type": "application/json"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"

    def weigh(self, question: str, texts: Sequence[str]) -> list[float]:
        """The weight of each text, in order. Raises _NotNow, ModelError."""
        body = json.dumps(self._body(question, texts)).encode("utf-8", "replace")
        try:
            reply = self._client.ask("/rerank", body, self._headers)
        except NotReached as error:
            self.breaker.failed(str(error))
            raise _NotNow(str(error)) from error
        if reply.status_code != httpx.codes.OK:
            self.breaker.failed(f"status {reply.status_code}")
            raise _NotNow(f"it answers {reply.status_code}: {reply.text[:200]}")
        self.breaker.succeeded()
        try:
            return self._scores(reply.json(), len(texts))
        except (ValueError, LookupError, TypeError) as error:
            raise ModelError(
                f"{self.at.url} sent no weights: is {_SECTION}.form right, and the address?"
            ) from error

    def close(self) -> None:
        self._client.close()

    def _body(self, question: str, texts: Sequence[str]) -> dict[str, object]:
        if self._own.form == "tei":
            return {"query": question, "texts": list(texts), "truncate": True}
        return {
            **{"model": self._own.model, "query": question, "documents": list(texts)},
            **{"top_n": len(texts), "return_documents": False},
        }

    def _scores(self, answer: Any, count: int) -> list[float]:
        items = answer if self._own.form == "tei" else answer["results"]
        name = "score" if self._own.form == "tei" else "relevance_score"
        found = {int(item["index"]): float(item[name]) for item in items}
        if len(items) != count or sorted(found) != list(range(count)):
            raise ValueError("not a weight for each text")
        if not all(math.isfinite(score) for score in found.values()):
            raise ValueError("a weight is no number")
        return [found[at] for at in range(count)]


OpenedReranker = CrossEncoderReranker | EndpointReranker
"""To be closed when done."""


def _weights_of(local: Reranker) -> list[float]:
    """What the model here says of the probes, in their order."""
    from sovereign_rag.domain import Chunk, PageSpan

    probes = [
        Passage(Chunk("", "", at, text, (PageSpan(1, 0, len(text)),)), "", "", False, 0.0, {})
        for at, text in enumerate(_PROBES)
    ]
    ranked = local.rerank(_PROBE, probes)
    by_index = {passage.chunk.index: passage.score_parts["rerank"] for passage in ranked}
    return [by_index[at] for at in range(len(_PROBES))]


def _logits(scores: Sequence[float]) -> list[float]:
    """Weights before the sigmoid, whether it was applied or not, within what rounding leaves."""
    most = math.log((1 - _LEAST) / _LEAST)
    if any(not 0 <= score <= 1 for score in scores):
        return [max(-most, min(most, score)) for score in scores]
    held = (max(_LEAST, min(1 - _LEAST, score)) for score in scores)
    return [math.log(score / (1 - score)) for score in held]
