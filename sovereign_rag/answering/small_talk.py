"""A greeting, thanks, "who are you?" -> a sentence of help. Nothing is searched for it.

What is small talk from its first word to its last is told by word lists, in all languages at
once, since no classifier knows the language of "hello". A question that merely begins with a
greeting is left to the search.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final, NamedTuple

from sovereign_rag.domain import LANGUAGES
from sovereign_rag.text.lexicon import expression

_KINDS: Final = ("tongue", "identity", "thanks", "wellbeing", "abilities", "greeting", "farewell")
"""Of the phrases that are there, the first of these decides what is said."""
_FILLERS: Final = ("approval", "address")
_LONGEST: Final = 120  # characters; longer ones have something to say
_SILENT = re.compile(r"[^\w?]*")


class SmallTalk(NamedTuple):
    kind: str  # one of _KINDS, or "approval"; names the message "talk_<kind>"
    language: str  # that it was said in, ISO 639-1


def small_talk(text: str, likely: Sequence[str]) -> SmallTalk | None:
    """What kind of small talk `text` is; None: it isn't, or not alone.

    Args:
        likely: Languages in the order in which they are tried, for "ok" is said in all of them.
    """
    if len(text) > _LONGEST:
        return None
    if text.strip() and _SILENT.fullmatch(text):  # a thumb, a smile, "..."
        return SmallTalk("approval", likely[0] if likely else "en")
    said = re.sub(r"[^\w'’ -]+", " ", text).strip()
    said = re.sub(r"\s+", " ", said)
    for language in dict.fromkeys((*likely, *LANGUAGES)):
        if language in LANGUAGES and said and _whole(language).fullmatch(said):
            kinds = (kind for kind in _KINDS if _said(language, kind).search(said))
            return SmallTalk(next(kinds, "approval"), language)
    return None


@cache
def _whole(language: str) -> re.Pattern[str]:
    """A text of nothing but small talk."""
    phrases = "|".join(expression(language, "small_talk", kind) for kind in (*_KINDS, *_FILLERS))
    return re.compile(rf"(?:(?<!\w)(?:{phrases})(?!\w)[ -]*)+", re.IGNORECASE)


@cache
def _said(language: str, kind: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){expression(language, 'small_talk', kind)}(?!\w)", re.IGNORECASE)
