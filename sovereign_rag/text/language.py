"""Which language a text is in."""

import math
import mmap
import os
import re
import sys
from array import array
from collections.abc import Sequence
from functools import cache
from typing import Literal, Protocol, cast

from sovereign_rag.domain import LANGUAGES
from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.text.lexicon import words

# More than we tune for, so that a Dutch or Polish text isn't taken for German or French.
_OTHER_SCRIPTS = ("el", "ru", "uk", "ar", "zh")
_KNOWN = (*LANGUAGES, "nl", "pt", "pl", "sv", "da", "cs", "ro", "hu", "fi", *_OTHER_SCRIPTS)
_ENOUGH = 20_000  # characters; more say nothing new
_SURE_FROM_LETTERS = 400
_FEWEST_LETTERS = 3
_PASSAGE_CHARS = 120  # a shorter one's own language can't be told
_FEW_WORDS = 30
_TOO_FEW_WORDS = 3  # whose letters alone don't tell
_TRUST = 0.3
"""How far the classifier is believed on a few words, of whose log odds it is sure too early."""
_LEAST = -23.0  # of its log odds
_PRIOR = {0: 4.0, 1: 2.0}
"""What the likeliest language has over others, and the next: chosen on 77 short texts."""
_LETTERS = {
    "en": frozenset[str](),
    "fr": frozenset("àâæçéèêëîïôœùûüÿ"),
    "de": frozenset("äöüßé"),
    "es": frozenset("áéíñóúü¿¡"),
    "it": frozenset("àèéìíîòóùú"),
}
_MARKED = frozenset[str]().union(*_LETTERS.values())
_WORD = re.compile(r"[^\W\d_]+")


class _Identifier(Protocol):
    def rank(self, text: str) -> list[tuple[str, float]]: ...


@cache
def _identifier() -> _Identifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    try:
        whole = LanguageIdentifier.from_model_file(MODEL_FILE)
    except OSError as error:  # it unpacks its model into a temporary file first
        raise EnvironmentFault(
            f"What tells languages apart can't be unpacked: {error.strerror or error}. Free disk "
            "space where temporary files go (TMPDIR), and ask again."
        ) from error
    whole.set_languages(list(_KNOWN))
    # Another one, because that one keeps the weights of all its languages.
    moves = _beside_the_heap(whole.tk_nextmove)
    known = whole.nb_ptc, whole.nb_pc, whole.nb_classes, moves, whole.tk_output
    return cast(_Identifier, LanguageIdentifier(*known, tk_row=whole.tk_row))


def _beside_the_heap(table: "array[int]") -> "array[int] | memoryview[int]":
    """A table in a file without a name, of which a fork copies nothing.

    The kernel enters each page of the heap anew in each forked process; those of a file only where
    it reads them. Mapped for this process alone: what a child writes there the others don't see.
    """
    if sys.platform != "linux":
        return table
    with os.fdopen(os.memfd_create("languages"), "r+b") as file:
        file.write(table)
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0, mmap.MAP_PRIVATE, mmap.PROT_READ)
    return memoryview(mapped).cast(cast(Literal["H", "I"], table.typecode))


def load() -> None:
    """Load the classifier now: before a process forks, so that its children share it."""
    _identifier()


def detect(text: str) -> str | None:
    """The likeliest language, an ISO 639-1 code; None where letters are too few to tell."""
    sample = text[:_ENOUGH]
    letters = sum(character.isalpha() for character in sample)
    if letters < _FEWEST_LETTERS:
        return None
    ranked = [language for language, _ in _identifier().rank(sample)]
    if ranked[0] in _OTHER_SCRIPTS or letters >= _SURE_FROM_LETTERS:
        return ranked[0]
    # A few words are taken for Dutch or Romanian too easily.
    return next(language for language in ranked if language in LANGUAGES)


def of_passage(text: str, document: str | None) -> str | None:
    """The language of a part of a document; where it is too short to tell, the document's."""
    own = detect(text) if len(text) >= _PASSAGE_CHARS else None
    return own or document


def of_question(text: str, likely: Sequence[str] = ()) -> str:
    """The language to answer in: one of the five we speak, English where it can't be told.

    In a few words the small ones tell more than letters do, on which a classifier of whole texts
    goes: "Que signifie le sigle CRPA ?" is French. Where they don't tell, the letters are weighed
    with what is likely: "pension" is a word of three languages. An acronym alone is no language's,
    so it is taken for the likeliest.

    Args:
        likely: Languages that the asker reads or spoke before, the likeliest first.
    """
    said = _WORD.findall(text.casefold())
    before = [language for language in dict.fromkeys(likely) if language in LANGUAGES]
    if len(said) <= _FEW_WORDS:
        found = {language: _small(said, language) for language in LANGUAGES}
        most = max(found.values())
        telling = [language for language in LANGUAGES if found[language] == most]
        if most > 0 and len(telling) == 1:
            return telling[0]
        if most == 0 and len(said) <= 1 and text.strip(" ?!.").isupper():
            return next(iter(before), "en")
        if most > 0 or (before and len(said) <= _TOO_FEW_WORDS):
            return _likeliest(text, telling, before)
    language = detect(text)
    return language if language in LANGUAGES else "en"


def is_told(text: str) -> bool:
    """Whether a question's own words tell its language, whatever is likely."""
    return len({of_question(text, (likely,)) for likely in LANGUAGES}) == 1


def _likeliest(text: str, among: Sequence[str], likely: Sequence[str]) -> str:
    """Of some languages that whose letters fit best, those that are likely before the others."""
    letters = set(text.casefold())
    written = [language for language in among if letters & _MARKED <= _LETTERS[language]]
    ranked = dict(_identifier().rank(text[:_ENOUGH]))
    best = max(ranked[language] for language in written or among)
    weights = {
        language: _PRIOR.get(likely.index(language) if language in likely else -1, 1.0)
        * math.exp(_TRUST * max(ranked[language] - best, _LEAST))
        for language in written or among
    }
    return max(weights, key=lambda language: weights[language])


def _small(said: list[str], language: str) -> int:
    """How many of the words are small words of a language."""
    small = words(language, "language", "small")
    return sum(word in small for word in said)
