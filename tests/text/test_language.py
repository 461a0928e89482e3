"""The language of a question is told by its small words, however short it is."""

import pytest

from sovereign_rag.text.language import of_question


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
