"""What was typed is taken apart into the questions that it asks."""

import pytest

from sovereign_rag.answering.parts import parts
from sovereign_rag.answering.understand import Question, Understood
from sovereign_rag.domain import SparseVector
from sovereign_rag.retrieval.query import Query

FILLER = "I joined last month and read the handbook in my spare time, page by page. " * 4


def texts(text: str, language: str = "en") -> list[str]:
    return [part.text for part in parts(text, language, lambda half: len(half.split()) < 5)]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "en",
            "How long is the probation period and what is the limit for bicycles?",
            ["How long is the probation period", "what is the limit for bicycles?"],
        ),
        (
            "fr",
            "Combien coûte la réutilisation des données et quelles sont les obligations à suivre ?",
            [
                "Combien coûte la réutilisation des données",
                "quelles sont les obligations à suivre ?",
            ],
        ),
        (
            "de",
            "Wie lange dauert die Probezeit im Betrieb? Wer entscheidet am Ende darüber?",
            ["Wie lange dauert die Probezeit im Betrieb?", "Wer entscheidet am Ende darüber?"],
        ),
    ],
)
def test_two_questions_in_one_are_two(language: str, text: str, expected: list[str]) -> None:
    assert texts(text, language) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Which days and which hours does the canteen open?",
        "probation",
    ],
)
def test_a_question_of_one_thing_stays_whole(text: str) -> None:
    assert texts(text)[0].startswith(text[:20])
    assert len(texts("probation")) == 1


def test_of_a_pasted_mail_the_question_is_searched_with_what_it_leans_on() -> None:
    mail = f"Hi team,\n\n{FILLER}\n\nMy laptop was stolen. Whom do I call?\n\nBest regards"

    assert texts(mail) == ["My laptop was stolen. Whom do I call?"]


@pytest.mark.parametrize("told", [FILLER, ""])
def test_a_model_is_asked_the_questions_of_a_mail_and_not_what_is_told_around_them(
    told: str,
) -> None:
    mail = f"{told}My laptop was stolen. Whom do I call?"
    (asked,) = texts(mail)
    query = Query(asked, "en", SparseVector((), ()), {}, 0.0)

    understood = Understood(mail, (Question(asked, query),), None, 0)

    assert understood.posed == "My laptop was stolen. Whom do I call?"


def test_a_request_without_a_question_mark_is_found_in_a_mail() -> None:
    mail = (
        f"Dear all,\n\n{FILLER}\n\nI would like to know in which format the city works.\n\nThanks"
    )

    assert texts(mail) == ["in which format the city works."]


def test_a_half_that_leans_is_read_after_the_other() -> None:
    assert texts("How does one resign from the company and who approves it?") == [
        "How does one resign from the company",
        "How does one resign from the company who approves it?",
    ]


@pytest.mark.parametrize(
    ("language", "question", "sides"),
    [
        (
            "en",
            "What is the difference between sick leave and parental leave?",
            ["sick leave", "parental leave"],
        ),
        ("fr", "Différence entre éditeur et administrateur ?", ["éditeur", "administrateur"]),
        ("de", "Worin besteht der Unterschied zwischen Pacht und Miete?", ["Pacht", "Miete"]),
        ("es", "¿Cuál es la diferencia entre dieta y anticipo?", ["dieta", "anticipo"]),
        ("it", "differenza tra ferie e permessi", ["ferie", "permessi"]),
        ("en", "flexible working vs hybrid working", ["flexible working", "hybrid working"]),
    ],
)
def test_a_comparison_is_asked_as_a_whole_and_by_its_sides(
    language: str, question: str, sides: list[str]
) -> None:
    assert texts(question, language) == [question, *sides]
