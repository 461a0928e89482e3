"""The dense embedder, with the real multilingual-e5-small."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import ModelError, ModelMissing
from sovereign_rag.settings import EmbeddingSettings, Settings, load_settings

pytestmark = pytest.mark.model

TEXTS = [
    "The tenant may end the lease with three months' notice.",
    "Photosynthesis turns light into chemical energy.",
    "Le locataire peut donner congé à tout moment, avec un préavis de trois mois.",
    "Short.",
    "The annual report shows revenue of 14.5 billion dollars. " * 12,
]


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings()


@pytest.fixture(scope="module")
def single_precision(settings: Settings) -> Iterator[DenseEmbedder]:
    """In bfloat16, which a CPU may choose by itself, a batch's width moves the third digit."""
    chosen = settings.model_copy(update={"embedding": EmbeddingSettings(precision="float32")})
    embedder = DenseEmbedder.open(chosen)
    yield embedder
    embedder.close()


def test_every_vector_has_unit_length_and_the_dimension_that_was_announced(
    embedder: DenseEmbedder,
) -> None:
    vectors = embedder.embed_passages(TEXTS)

    assert vectors.shape == (len(TEXTS), embedder.dimension)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_the_default_model_needs_none_of_the_libraries_that_read_any_model() -> None:
    program = (
        "import sys; from sovereign_rag.embedding.dense import DenseEmbedder;"
        "from sovereign_rag.settings import load_settings;"
        "DenseEmbedder.open(load_settings()).embed_queries(['ready']);"
        "print({'transformers', 'sentence_transformers', 'sklearn', 'scipy'} & set(sys.modules))"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "set()"


def test_no_texts_give_no_vectors(embedder: DenseEmbedder) -> None:
    assert embedder.embed_passages([]).shape == (0, embedder.dimension)
    assert embedder.embed_queries([]).shape == (0, embedder.dimension)


def test_a_text_has_the_same_vector_alone_and_among_others(
    single_precision: DenseEmbedder,
) -> None:
    together = single_precision.embed_passages(TEXTS)
    alone = np.concatenate([single_precision.embed_passages([text]) for text in TEXTS])

    assert np.abs(together - alone).max() < 1e-5


def test_texts_have_the_same_vectors_whoever_asks_for_others_at_the_same_time(
    single_precision: DenseEmbedder,
) -> None:
    alone = single_precision.embed_passages(TEXTS)

    with ThreadPoolExecutor(4) as threads:
        several = list(threads.map(single_precision.embed_passages, [TEXTS, TEXTS[::-1]] * 2))

    for vectors in (several[0], several[1][::-1], several[2], several[3][::-1]):
        assert np.abs(vectors - alone).max() < 1e-5


def test_vectors_come_back_in_the_order_of_their_texts(embedder: DenseEmbedder) -> None:
    forwards, backwards = embedder.embed_passages(TEXTS), embedder.embed_passages(TEXTS[::-1])

    nearest = (forwards @ backwards[::-1].T).argmax(axis=1)

    assert nearest.tolist() == list(range(len(TEXTS)))


@pytest.mark.parametrize(
    ("question", "passage"),
    [
        ("Mit welcher Frist kann der Mieter kündigen?", 0),
        ("What is photosynthesis?", 1),
        ("¿Cómo convierten las plantas la luz en energía?", 1),
        ("How high was the revenue?", 4),
    ],
)
def test_a_question_finds_its_passage_in_another_language(
    embedder: DenseEmbedder, question: str, passage: int
) -> None:
    scores = (
        embedder.embed_passages([TEXTS[0], TEXTS[1], TEXTS[4]])
        @ (embedder.embed_queries([question])[0])
    )

    assert [0, 1, 4][int(scores.argmax())] == passage


def test_a_question_and_a_passage_of_the_same_words_differ_by_their_prefixes(
    embedder: DenseEmbedder,
) -> None:
    cosine = float(embedder.embed_queries(TEXTS[:1])[0] @ embedder.embed_passages(TEXTS[:1])[0])

    assert 0.8 < cosine < 0.9999


def test_the_window_holds_as_many_tokens_as_announced_and_not_one_more(
    embedder: DenseEmbedder,
) -> None:
    fitting = " ".join(["word"] * embedder.max_tokens)
    assert embedder.count_tokens([fitting]) == [embedder.max_tokens]

    vectors = embedder.embed_passages([fitting])

    assert vectors.shape == (1, embedder.dimension)
    with pytest.raises(ValueError, match=r"chunk\.max_tokens"):
        embedder.embed_passages(["short", fitting + " word"])


def test_a_question_beyond_the_window_is_cut_and_not_refused(embedder: DenseEmbedder) -> None:
    endless = " ".join(["word"] * (embedder.max_tokens + 500))

    assert embedder.embed_queries([endless]).shape == (1, embedder.dimension)


def test_special_tokens_in_a_text_are_plain_text(embedder: DenseEmbedder) -> None:
    counted = embedder.count_tokens(["</s>", "<mask>"])

    assert min(counted) > 1  # as a special token each would be one


def test_a_question_from_another_thread_does_not_wait_for_a_whole_ingestion(
    embedder: DenseEmbedder,
) -> None:
    embedder.embed_queries(["loaded"])
    order: list[str] = []
    begun = threading.Event()

    def ingest() -> None:
        begun.set()
        embedder.embed_passages([text + " " + "word " * 50 for text in TEXTS] * 20)
        order.append("ingestion")

    thread = threading.Thread(target=ingest)
    thread.start()
    begun.wait()
    embedder.embed_queries(["Who pays?"])
    order.append("question")
    thread.join()

    assert order == ["question", "ingestion"]


def test_the_model_is_named_by_its_folder_and_hash_and_by_other_prefixes(
    settings: Settings, embedder: DenseEmbedder
) -> None:
    other = settings.model_copy(update={"embedding": EmbeddingSettings(query_prefix="ask: ")})
    same = settings.model_copy(update={"embedding": EmbeddingSettings(query_prefix="query: ")})

    assert embedder.model_id.startswith("multilingual-e5-small-")
    assert DenseEmbedder.open(same).model_id == embedder.model_id
    assert DenseEmbedder.open(other).model_id != embedder.model_id


def test_a_model_with_another_hash_than_expected_is_refused(settings: Settings) -> None:
    expecting = settings.model_copy(update={"embedding": EmbeddingSettings(sha256="0" * 64)})

    with pytest.raises(ModelError, match=r"embedding\.sha256"):
        DenseEmbedder.open(expecting)


def test_a_missing_folder_says_how_to_bring_a_model(settings: Settings, tmp_path: Path) -> None:
    absent = settings.model_copy(
        update={"embedding": EmbeddingSettings(model=tmp_path / "nowhere")}
    )

    with pytest.raises(ModelMissing, match=r"embedding\.model"):
        DenseEmbedder.open(absent)


def test_a_folder_that_is_no_model_is_refused(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]", encoding="utf-8")
    empty = settings.model_copy(update={"embedding": EmbeddingSettings(model=tmp_path)})

    with pytest.raises(ModelError, match="whole"):
        DenseEmbedder.open(empty)


def test_bfloat16_gives_the_same_meaning(settings: Settings, embedder: DenseEmbedder) -> None:
    half = DenseEmbedder.open(
        settings.model_copy(update={"embedding": EmbeddingSettings(precision="bfloat16")})
    )

    vectors = half.embed_passages(TEXTS[:2])
    half.close()

    assert half.model_id == embedder.model_id
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert ((vectors * embedder.embed_passages(TEXTS[:2])).sum(axis=1) > 0.995).all()
