"""A greeting is answered with help, in its own language; a question is left to the search."""

import pytest

from sovereign_rag.answering.messages import message
from sovereign_rag.answering.small_talk import small_talk
from sovereign_rag.domain import LANGUAGES


@pytest.mark.parametrize(
    ("said", "kind", "language"),
    [
        ("hello", "greeting", "en"),
        ("Bonjour !", "greeting", "fr"),
        ("Guten Morgen zusammen", "greeting", "de"),
        ("Merci", "thanks", "fr"),
        ("vielen Dank für die Hilfe", "thanks", "de"),
        ("grazie mille, è tutto", "thanks", "it"),
        ("Who are you?", "identity", "en"),
        ("¿Quién eres?", "identity", "es"),
        ("Was kann ich dich fragen?", "abilities", "de"),
        ("Et en anglais ?", "tongue", "fr"),
        ("arrivederci", "farewell", "it"),
        ("¿En qué me puedes ayudar?", "abilities", "es"),
        ("j'ai besoin d'aide", "abilities", "fr"),
        ("Vielen Dank, Sie haben mir sehr geholfen", "thanks", "de"),
    ],
)
def test_small_talk_is_known_in_its_own_language(said: str, kind: str, language: str) -> None:
    assert small_talk(said, ("en",)) == (kind, language)


def test_a_thumb_is_answered_in_the_likeliest_language() -> None:
    assert small_talk("👍", ("de",)) == ("approval", "de")


@pytest.mark.parametrize(
    "said",
    [
        "Hello, how many days of leave are there?",
        "probation",
        "help to buy tech",
        "Merci de préciser le délai de préavis",
        "Was ist eine SBOM?",
        "more details please",
        "ich brauche einen Laptop",
        "Hilfe bei Sucht",
        "?",
    ],
)
def test_what_asks_for_something_is_not_small_talk(said: str) -> None:
    assert small_talk(said, ("en", "de", "fr")) is None


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    "kind",
    ["greeting", "thanks", "farewell", "wellbeing", "identity", "abilities", "tongue", "approval"],
)
def test_each_kind_has_a_reply_in_each_language(kind: str, language: str) -> None:
    assert message(f"talk_{kind}", language)
