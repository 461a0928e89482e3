"""The three that a question goes to: the product, exact search, and the bare engine."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import numpy as np
from exact_store import ExactStore
from qdrant_client import QdrantClient, models
from synthetic_index import DIMENSION, Question

from sovereign_rag.access import ReadScope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.domain import SearchMode
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.embedding.protocol import Vectors
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.settings import Settings
from sovereign_rag.store.embedded.client import EngineTransport
from sovereign_rag.store.protocol import ChunkStore, DenseQuery, LexicalQuery
from sovereign_rag.store.queries import request_of

TOP: Final = 10
MODEL: Final = "search-benchmark"
EQUAL: Final = 1e-4  # of scores: the engine computes in 32 bits


class PreparedEmbedder:
    """The vectors of known questions, by their text."""

    model_id = MODEL
    dimension = DIMENSION
    max_tokens = 512

    def __init__(self, questions: Sequence[Question]) -> None:
        self._vectors = {question.text: question.vector for question in questions}

    def warm_up(self) -> None:
        """Nothing: no model is loaded."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(text.split()) for text in texts]

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        return self.embed_queries(texts)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return np.array([self._vectors[text] for text in texts], np.float32).reshape(-1, DIMENSION)


class Sides:
    """The product, the exact answers and the bare engine, asked alike."""

    def __init__(
        self,
        settings: Settings,
        lexical: Bm25Encoder,
        store: ChunkStore,
        exact: ExactStore,
        catalog: Catalog,
        bare: QdrantClient,
        questions: Sequence[Question],
    ) -> None:
        embedder = PreparedEmbedder(questions)

        def over(which: ChunkStore) -> Retriever:
            return Retriever(
                embedder=embedder,
                lexical=lexical,
                store=which,
                live=catalog.documents,
                settings=settings.retrieval,
            )

        self._ours, self._right = over(store), over(exact)
        self._store, self.exact, self._bare, self._lexical = store, exact, bare, lexical
        self._candidates = settings.retrieval.candidates

    def find(self, question: Question, scope: ReadScope, mode: SearchMode) -> list[str]:
        query = self._ours.query(question.text, question.language, scope, weigh=False)
        return [p.id for p in self._ours.retrieve(query, scope, limit=TOP, mode=mode)]

    def recall(
        self, found: Sequence[str], question: Question, scope: ReadScope, mode: SearchMode
    ) -> float:
        """Of the best ten; among equal scores any will do."""
        query = self._right.query(question.text, question.language, scope)
        passages = self._right.retrieve(query, scope, limit=self._candidates, mode=mode)
        value = {p.id: p.score + p.score_parts.get("lift", 0.0) for p in passages}
        best = list(value.values())[:TOP]
        if not best:
            return float(not found)
        return sum(value.get(id_, -math.inf) >= best[-1] - EQUAL for id_ in found) / len(best)

    def bare_requests(
        self, question: Question, scope: ReadScope, mode: SearchMode
    ) -> list[models.QueryRequest]:
        """What `QdrantStore` asks for the legs of this mode."""
        terms = self._lexical.encode_query(question.text, question.language)
        dense = request_of(DenseQuery(question.vector, self._candidates), scope)
        words = request_of(LexicalQuery(terms, self._candidates), scope)
        return {"dense": [dense], "lexical": [words], "hybrid": [dense, words]}[mode]

    def bare(self, requests: list[models.QueryRequest]) -> None:
        self._bare.query_batch_points(self._store.collection, requests)

    def count(self, scope: ReadScope) -> int:
        return self._store.count(scope)


@contextmanager
def bare_client(settings: Settings) -> Iterator[QdrantClient]:
    key = settings.store.api_key
    client = QdrantClient(
        url=next(iter(settings.store.addresses), "http://embedded"),
        transport=None if settings.store.url else EngineTransport(settings.data_dir),
        headers={"api-key": key.get_secret_value()} if key else None,
        timeout=60,
        check_compatibility=False,
        trust_env=False,
    )
    try:
        yield client
    finally:
        client.close()
