"""The embedder as answers use it: ahead of ingestion, and never twice for the same text."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from sovereign_rag.embedding.answer_embedder import AnswerEmbedder, Sentence
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.protocol import Vectors
from sovereign_rag.embedding.vector_cache import KeptVectors, RoundedVectorCache

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


def sentences(texts: Sequence[str], version: str = "1") -> list[Sentence]:
    return [Sentence(text, "handbook", version) for text in texts]


@pytest.fixture
def keeping(counted: Counted, tmp_path: Path) -> AnswerEmbedder:
    """Keeps the sentences of the handbook in its version 1, in a file of its own."""

    def places(versions: Mapping[str, str]) -> Mapping[str, KeptVectors]:
        return (
            {"handbook": KeptVectors(tmp_path / "kept")} if versions.get("handbook") == "1" else {}
        )

    return AnswerEmbedder(counted, places)


def test_a_sentence_is_embedded_once_and_its_vector_is_the_same_from_then_on(
    keeping: AnswerEmbedder, counted: Counted
) -> None:
    first = keeping.embed_sentences(sentences([*SENTENCES, SENTENCES[0]]))
    again = keeping.embed_sentences(sentences([SENTENCES[1], "Something new.", SENTENCES[0]]))
    exact = counted.embed_passages(SENTENCES)

    assert counted.passages == [*SENTENCES, SENTENCES[0], "Something new.", *SENTENCES]
    assert np.array_equal(again[[2, 0]], first[[0, 1]])
    assert np.array_equal(first[0], first[3])
    assert np.abs(first[:3] - exact).max() < 2e-3  # what bfloat16 leaves open by itself
    assert keeping.embed_sentences([]).shape == (0, counted.dimension)


def test_what_was_kept_takes_half_the_room_and_each_sentence_once(
    keeping: AnswerEmbedder, counted: Counted, tmp_path: Path
) -> None:
    keeping.embed_sentences(sentences([*SENTENCES, *SENTENCES]))
    keeping.embed_sentences(sentences(SENTENCES))

    assert (tmp_path / "kept").stat().st_size == 3 * (2 * counted.dimension + 20)


def test_a_sentence_of_a_version_that_was_replaced_is_not_kept(
    keeping: AnswerEmbedder, counted: Counted, tmp_path: Path
) -> None:
    for _ in range(2):
        keeping.embed_sentences(sentences(SENTENCES[:1], version="0"))

    assert counted.passages == [SENTENCES[0]] * 2
    assert not (tmp_path / "kept").exists()


def test_another_process_finds_what_was_kept_and_none_when_the_file_is_gone(
    keeping: AnswerEmbedder, embedder: DenseEmbedder, tmp_path: Path
) -> None:
    wanted = keeping.embed_sentences(sentences(SENTENCES))
    other = Counted(embedder)
    place = KeptVectors(tmp_path / "kept")
    elsewhere = AnswerEmbedder(other, lambda versions: {"handbook": place})

    found = elsewhere.embed_sentences(sentences(SENTENCES))
    assert other.passages == []
    (tmp_path / "kept").unlink()
    elsewhere.embed_sentences(sentences(SENTENCES[:1]))

    assert np.array_equal(found, wanted)
    assert other.passages == SENTENCES[:1]


def test_evidence_goes_ahead_of_ingestion(counted: Counted) -> None:
    AnswerEmbedder(counted).embed_sentences(sentences(SENTENCES))

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


def test_a_file_holds_only_so_many_vectors(tmp_path: Path) -> None:
    vectors = np.eye(3, 4, dtype=np.float32)

    RoundedVectorCache(KeptVectors(tmp_path / "kept"), 4, most=2).add(SENTENCES, vectors)
    RoundedVectorCache(KeptVectors(tmp_path / "kept"), 4, most=2).add(SENTENCES, vectors)

    kept = RoundedVectorCache(KeptVectors(tmp_path / "kept"), 4)
    assert [kept.get(text) is not None for text in SENTENCES] == [True, True, False]


def test_many_threads_may_ask_at_once(keeping: AnswerEmbedder) -> None:
    wanted = keeping.embed_sentences(sentences(SENTENCES))
    wrong: list[int] = []

    def ask(row: int) -> None:
        for _ in range(50):
            got = keeping.embed_sentences(sentences([SENTENCES[row]]))[0]
            if not np.array_equal(got, wanted[row]):
                wrong.append(row)

    threads = [threading.Thread(target=ask, args=(n % 3,)) for n in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
