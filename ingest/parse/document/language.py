"""The language of a document, among those an organisation in Europe is likely to hold."""

from collections.abc import Sequence

from sovereign_rag.domain import PageText
from sovereign_rag.text.language import detect

_SAMPLE_CHARACTERS = 20_000
_FEWEST_LETTERS = 12


def language_of(pages: Sequence[PageText]) -> str | None:
    """ISO 639-1 code of the language most of the text is in; None where there are no words.

    A sample of every page is read, so that a cover in another language does not decide.
    """
    share = max(200, _SAMPLE_CHARACTERS // max(1, len(pages)))
    sample = "\n".join(page.text[:share] for page in pages)
    enough = sum(character.isalpha() for character in sample) >= _FEWEST_LETTERS
    return detect(sample) if enough else None
