"""What form an answer takes is told by the question's words, in five languages."""

import pytest

from sovereign_rag.answering.prompt import wording
from sovereign_rag.answering.question_kind import KINDS, QuestionKind, question_kind
from sovereign_rag.domain import LANGUAGES


@pytest.mark.parametrize(
    ("language", "kind", "question"),
    [
        ("en", "yes_no", "May contractors use the gym?"),
        ("fr", "yes_no", "Les agents peuvent-ils télétravailler ?"),
        ("de", "yes_no", "Dürfen Gäste im Hof parken?"),
        ("es", "yes_no", "¿Pueden los becarios pedir vacaciones?"),
        ("it", "yes_no", "I tirocinanti possono chiedere ferie?"),
        ("en", "list", "List all sites of the company"),
        ("fr", "list", "Quelles sont les pièces à fournir ?"),
        ("de", "list", "Welche Unterlagen sind einzureichen?"),
        ("es", "list", "¿Cuáles son los requisitos?"),
        ("it", "list", "Quali sono i requisiti?"),
        ("en", "premise", "Why is parking forbidden?"),
        ("fr", "premise", "Pourquoi le stationnement est-il interdit ?"),
        ("de", "premise", "Warum ist das Parken verboten?"),
        ("es", "premise", "¿Por qué está prohibido aparcar?"),
        ("it", "premise", "Perché è vietato parcheggiare?"),
        ("en", "value", "How many days of leave are there?"),
        ("de", "value", "Wann wurde das Amt gegründet?"),
        ("en", "open", "Who approves travel?"),
        ("fr", "open", "Qui valide les déplacements ?"),
        ("en", "open", "travel approval"),
    ],
)
def test_the_kind_of_a_question(language: str, kind: QuestionKind, question: str) -> None:
    assert question_kind(question, language) == kind


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_kind_has_its_wording_and_the_question_comes_last(language: str) -> None:
    texts = wording(language)

    asked = {texts.asking("?", language, "P"), texts.asking("x y", language, "P")}

    assert set(texts.kinds) == set(KINDS)
    assert all(text.startswith("<passages>\nP\n</passages>") for text in asked)
    assert all(text.endswith(("?", "x y")) for text in asked)
