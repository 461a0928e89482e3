"""The language of a document, among those an organisation in Europe is likely to hold."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol, cast

from sovereign_rag.domain import LANGUAGES, PageText

_CANDIDATES = (*LANGUAGES, "nl", "pt", "pl", "cs", "da", "sv", "ro", "el", "ar", "ru", "zh")
_OTHER_SCRIPTS = frozenset(("el", "ar", "ru", "zh"))
_SURE_FROM_LETTERS = 400
_SAMPLE_CHARACTERS = 20_000
_FEWEST_LETTERS = 12


class _Identifier(Protocol):
    def rank(self, text: str) -> list[tuple[str, float]]: ...


@lru_cache(maxsize=1)
def identifier() -> _Identifier:
    """The classifier with its model loaded; called early, so that forked children share it."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    found = LanguageIdentifier.from_model_file(MODEL_FILE)
    found.set_languages(list(_CANDIDATES))
    return cast(_Identifier, found)


def language_of(pages: Sequence[PageText]) -> str | None:
    """ISO 639-1 code of the language most of the text is in; None where there are no words.

    A sample of every page is read, so that a cover in another language does not decide.
    """
    share = max(200, _SAMPLE_CHARACTERS // max(1, len(pages)))
    sample = "\n".join(page.text[:share] for page in pages)[:_SAMPLE_CHARACTERS]
    letters = sum(character.isalpha() for character in sample)
    if letters < _FEWEST_LETTERS:
        return None
    ranked = [language for language, _ in identifier().rank(sample)]
    if ranked[0] in _OTHER_SCRIPTS or letters >= _SURE_FROM_LETTERS:
        return ranked[0]
    # A few words are taken for Dutch or Romanian too easily.
    return next(language for language in ranked if language in LANGUAGES)
