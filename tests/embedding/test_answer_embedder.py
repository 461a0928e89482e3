"""The embedder as answers use it: ahead of ingestion, and never twice for the same text."""

import threading
from collections.abc import Sequence

import numpy as np
import pytest

from sovereign_rag.embedding.answer_embedder import AnswerEmbedder
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.protocol import Vectors

SENTENCES = ["The door closes at nine.", "Visitors wear a badge.", "Lunch is at noon."]


class Counted:
    """The real embedder, which notes what it was asked to compute."""

    def __init__(self, embedder: DenseEmbedder) -> None:
        self._embedder = embedder
        self.model_id, self.dimension = embedder.model_id, embedder.dimension
        self.max_tokens = embedder.max_tokens
        self.passages: list[str] = []
        self.questions: list[str] = []
        self.urgent: set[bool] = set()

    def warm_up(self) -> None:
        self._embedder.warm_up()

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._embedder.count_tokens(texts)

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        self.passages += texts
        self.urgent.add(urgent)
        return self._embedder.embed_passages(texts, urgent=urgent)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        self.questions += texts
        return self._embedder.embed_queries(texts)


@pytest.fixture
def counted(embedder: DenseEmbedder) -> Counted:
    return Counted(embedder)


def test_a_sentence_is_embedded_once_and_keeps_its_vector(counted: Counted) -> None:
    kept = AnswerEmbedder(counted)

    first = kept.embed_passages(SENTENCES)
    again = kept.embed_passages([SENTENCES[1], "Something new.", SENTENCES[0]])

    assert counted.passages == [*SENTENCES, "Something new."]
    assert np.abs(again[[2, 0]] - first[[0, 1]]).max() < 1e-3  # half precision
    assert first.shape == (3, counted.dimension)
    assert kept.embed_passages([]).shape == kept.embed_queries([]).shape == (0, counted.dimension)


def test_evidence_goes_ahead_of_ingestion(counted: Counted) -> None:
    AnswerEmbedder(counted).embed_passages(SENTENCES)

    assert counted.urgent == {True}


def test_a_question_serves_search_and_evidence_and_is_forgotten_then(counted: Counted) -> None:
    kept = AnswerEmbedder(counted)
    question = "When does the door close?"

    search = kept.embed_queries([question])
    evidence = kept.embed_queries([question])
    someone_else = kept.embed_queries([question])

    assert counted.questions == [question, question]
    assert np.array_equal(search, evidence)
    assert np.allclose(search, someone_else)


def test_only_so_many_sentences_keep_their_vectors(counted: Counted) -> None:
    kept = AnswerEmbedder(counted, most=2)

    kept.embed_passages(SENTENCES)
    kept.embed_passages(SENTENCES[1:])
    kept.embed_passages(SENTENCES[:1])

    assert counted.passages == [*SENTENCES, SENTENCES[0]]


def test_many_threads_may_ask_at_once(counted: Counted) -> None:
    kept = AnswerEmbedder(counted)
    wanted = kept.embed_passages(SENTENCES)
    wrong: list[int] = []

    def ask(row: int) -> None:
        for _ in range(50):
            got = kept.embed_passages([SENTENCES[row]])[0]
            if np.abs(got - wanted[row]).max() > 1e-3:
                wrong.append(row)

    threads = [threading.Thread(target=ask, args=(n % 3,)) for n in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
