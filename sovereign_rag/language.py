"""Which language a text is in."""

from functools import cache
from typing import Protocol, cast

from sovereign_rag.domain import LANGUAGES

# More than we tune for, so that a Dutch or Polish text isn't taken for German or French.
_KNOWN = (*LANGUAGES, "nl", "pt", "pl", "sv", "da", "cs", "ro", "hu", "fi", "el", "ru", "uk", "ar")
_ENOUGH = 20_000  # characters; more say nothing new


class _Identifier(Protocol):
    def classify(self, text: str) -> tuple[str, float]: ...


@cache
def _identifier(among: tuple[str, ...]) -> _Identifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(list(among))
    return cast(_Identifier, identifier)


def detect(text: str, among: tuple[str, ...] = _KNOWN) -> str | None:
    """The ISO 639-1 code of the likeliest of `among`; None where letters are too few to tell."""
    sample = text[:_ENOUGH]
    if sum(character.isalpha() for character in sample) < 3:
        return None
    return _identifier(among).classify(sample)[0]


def of_question(text: str) -> str:
    """The language to answer in: one of the five we speak, English where it can't be told."""
    return detect(text, LANGUAGES) or "en"
