"""Which sentences of a passage may answer: those that say more than was asked."""

import pytest

from sovereign_rag.answering.extracts import EvidenceFinder
from sovereign_rag.domain import Chunk, PageSpan, Passage
from sovereign_rag.embedding.answer_embedder import AnswerEmbedder
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.retrieval.query import Query


@pytest.fixture(scope="module")
def lexical() -> Bm25Encoder:
    return Bm25Encoder()


@pytest.mark.parametrize(
    ("question", "language", "text", "quoted", "passed_over"),
    [
        (
            "Quelle est la température maximale de chauffage ?",
            "fr",
            "Température maximale\n\nLa température est limitée à 19°C.",
            "La température est limitée à 19°C.",
            "Température maximale",
        ),
        (
            "Is parking free on Sundays?",
            "en",
            "Parking on Sundays\n\nParking is free on Sundays.",
            "Parking is free on Sundays.",
            "Parking on Sundays",
        ),
        (
            "When is the office open?",
            "en",
            "Opening hours of the office\n\nOffice open Monday to Friday 9 to 5\n\nOur office",
            "Office open Monday to Friday 9 to 5",
            "Our office",
        ),
    ],
)
def test_a_heading_that_only_repeats_the_question_is_no_answer(
    embedder: DenseEmbedder,
    lexical: Bm25Encoder,
    question: str,
    language: str,
    text: str,
    quoted: str,
    passed_over: str,
) -> None:
    finder = EvidenceFinder(
        embedder=AnswerEmbedder(embedder), lexical=lexical, dense_weight=5, sentences=10
    )
    terms = lexical.encode_query(question, language)
    query = Query(question, language, terms, dict.fromkeys(terms.indices, 1.0), 1.0)

    found = [extract.text.strip() for extract in finder.find(query, [passage(text, language)])]

    assert quoted in found
    assert passed_over not in found


@pytest.mark.parametrize(
    ("question", "language", "says", "beside"),
    [
        (
            "Pourquoi l'accès au fichier est-il payant ?",
            "fr",
            "L'accès est gratuit pour les agents et les élus de la commune.",
            "L'accès se demande par écrit auprès du service informatique.",
        ),
        (
            "What is the maximum a claim?",
            "en",
            "For each claim the max is 300 pounds.",
            "For each claim the form is needed.",
        ),
    ],
)
def test_a_word_that_says_the_same_or_the_opposite_of_what_was_asked_speaks_for_a_sentence(
    embedder: DenseEmbedder,
    lexical: Bm25Encoder,
    question: str,
    language: str,
    says: str,
    beside: str,
) -> None:
    finder = EvidenceFinder(
        embedder=AnswerEmbedder(embedder), lexical=lexical, dense_weight=0, sentences=10
    )
    terms = lexical.encode_query(question, language)
    query = Query(question, language, terms, dict.fromkeys(terms.indices, 1.0), 4.0)

    found = finder.find(query, [passage(f"{beside} {says}", language)])

    covered = {extract.text: extract.coverage for extract in found}
    assert covered[says] > covered[beside]


def passage(text: str, language: str) -> Passage:
    chunk = Chunk("document", "v1", 0, text, (PageSpan(1, 0, len(text)),), language=language)
    return Passage(chunk, "Title", "file:///title", True, 8.0, {})
