"""The language of a question is told by its small words, however short it is."""

import pytest

from sovereign_rag.text.language import is_told, of_question


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("hello", "en"),
        ("Merci", "fr"),
        ("Hallo", "de"),
        ("Und 2023?", "de"),
        ("Que signifie le sigle CRPA ?", "fr"),
        ("Numéro de contrat 2024-117", "fr"),
        ("C'est quoi la policy pour le lost laptop ?", "fr"),
        ("¿Qué es el IVA?", "es"),
        ("Quanto dura il periodo di prova?", "it"),
        ("how long is probation", "en"),
        ("IBAN", "en"),  # of no language: in the one that is answered in by default
    ],
)
def test_the_language_of_a_short_question(question: str, language: str) -> None:
    assert of_question(question) == language


@pytest.mark.parametrize("word", ["pension", "laptop", "RTT", "IBAN"])
@pytest.mark.parametrize("likely", ["en", "fr", "it"])
def test_a_word_of_several_languages_is_of_the_likely_one(word: str, likely: str) -> None:
    assert of_question(word, (likely,)) == likely
    assert not is_told(word)


@pytest.mark.parametrize(
    ("text", "language"),
    [("Merci", "fr"), ("Gleitzeit", "de"), ("géocodage", "fr"), ("how long is probation", "en")],
)
def test_a_text_that_tells_its_language_needs_no_likely_one(text: str, language: str) -> None:
    assert of_question(text, ("it",)) == language
