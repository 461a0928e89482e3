"""A definition is asked for and given in recognisable words."""

import pytest

from sovereign_rag.answering.definitions import defines, term


@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [
        ("What does SPL stand for?", "en", "SPL"),
        ("C'est quoi la BAN ?", "fr", "BAN"),
        ("Que signifie le sigle CRPA ?", "fr", "CRPA"),
        ("Was ist eine SBOM?", "de", "SBOM"),
        ("Cosa significa TCO?", "it", "TCO"),
        ("¿Qué es el IVA?", "es", "IVA"),
        ("How long is the probation?", "en", None),
        ("Wann beginnt der Urlaub?", "de", None),
    ],
)
def test_the_term_of_a_question_for_a_definition(
    question: str, language: str, expected: str | None
) -> None:
    assert term(question, language) == expected


@pytest.mark.parametrize(
    ("sentence", "asked", "language"),
    [
        ("La donnée qui compose la Base Adresse Nationale (BAN) est issue d'acteurs.", "BAN", "fr"),
        ("Eine Software Bill of Materials (SBOM) ist eine Auflistung.", "SBOM", "de"),
        ("La pseudonymisation est un traitement.", "pseudonymisation", "fr"),
        ("TCO: the cost of a thing over its life.", "TCO", "en"),
    ],
)
def test_a_sentence_that_says_what_a_term_is_defines_it(
    sentence: str, asked: str, language: str
) -> None:
    assert defines(sentence, asked, language)


@pytest.mark.parametrize(
    ("sentence", "asked", "language"),
    [
        ("The rules around SPL are fairly complex.", "SPL", "en"),
        ("Wir prüfen jede SBOM vor der Freigabe.", "SBOM", "de"),
    ],
)
def test_a_sentence_that_merely_names_a_term_does_not(
    sentence: str, asked: str, language: str
) -> None:
    assert not defines(sentence, asked, language)


def test_the_acronym_is_asked_for_whatever_it_is_of() -> None:
    assert term("What is the RTO of orion-pg?", "en") == "RTO"
    assert term("Was ist der GVP der Stadt?", "de") == "GVP"
    assert term("What is the limit of the card?", "en") == "limit of the card"
