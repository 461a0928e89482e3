"""A question that leans on the conversation is made whole; one that stands alone is left alone."""

import pytest

from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.retrieval.conversation import Turn, leans, subject

LEXICAL = Bm25Encoder()


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("And in 2023?", "en"),
        ("how is that calculated?", "en"),
        ("any awards", "en"),
        ("Why was it rejected by the committee in the end?", "en"),
        ("Et en 2023 ?", "fr"),
        ("Combien coûte-t-elle par an pour une famille ?", "fr"),
        ("Qu’en est-il des indépendants ?", "fr"),
        ("Und für Teilzeitkräfte im zweiten Jahr?", "de"),
        ("Wie wird dessen Höhe im Einzelfall berechnet?", "de"),
        ("Wie sieht es mit der Probezeit im Ausland aus?", "de"),
        ("¿Y en el año siguiente para los autónomos?", "es"),
        ("¿Cuánto cuesta eso para una familia numerosa?", "es"),
        ("E per i lavoratori autonomi del settore?", "it"),
        ("Quanto costa questo servizio alle famiglie numerose?", "it"),
    ],
)
def test_a_question_that_points_back_or_goes_on_leans(question: str, language: str) -> None:
    assert leans(question, language, LEXICAL)


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("What is the minimum age requirement for applying for a mortgage?", "en"),
        ("Quel est le délai de préavis pour un logement meublé à Paris ?", "fr"),
        ("Wie lange dauert die Kündigungsfrist bei Mietverträgen in Berlin?", "de"),
        ("¿Cuál es el plazo de pago de las facturas de proveedores extranjeros?", "es"),
        ("Qual è il termine di pagamento delle fatture dei fornitori esteri?", "it"),
    ],
)
def test_a_question_with_a_subject_of_its_own_stands_alone(question: str, language: str) -> None:
    assert not leans(question, language, LEXICAL)
    assert subject(question, language, [Turn("Where is the law library?")], LEXICAL) == ()


def test_what_it_is_about_is_the_question_before_and_the_first() -> None:
    history = [
        Turn("Where does the Penobscot river start?", "In Maine."),
        Turn("Is fishing allowed?", "With a licence."),
        Turn("How long is it?", "175 km."),
    ]

    assert subject("And the Snake River?", "en", history, LEXICAL) == (
        "How long is it?",
        "Where does the Penobscot river start?",
    )
    assert subject("And the Snake River?", "en", history[:1], LEXICAL) == (
        "Where does the Penobscot river start?",
    )


def test_at_the_beginning_of_a_conversation_there_is_nothing_to_lean_on() -> None:
    assert subject("And the Snake River?", "en", [], LEXICAL) == ()
    assert subject("And the Snake River?", "en", [Turn("  ")], LEXICAL) == ()
