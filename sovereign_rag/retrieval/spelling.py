"""Misspelt words of a question -> the words that were meant, from what the asker may read.

A word that stands in no document is held against the words of the passages nearest in meaning,
which the search finds in spite of a typing error. So nothing but the asker's own passages can be
suggested, and no list of words is kept.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection
from typing import Final

from sovereign_rag.access import ReadScope
from sovereign_rag.embedding.protocol import LexicalEncoder
from sovereign_rag.retrieval.query import Query
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.store.protocol import SearchFilter
from sovereign_rag.text.folding import folded

_WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_SHORTEST: Final = 5  # letters; shorter words are like too many others
_LONG: Final = 8  # letters, from which on two of them may differ
_NEAREST: Final = 60  # passages whose words are looked at
_ELIDED: Final = re.compile(r"(?:l|d|dell|all|dall|nell|sull|un|qu|j|n|s|c)([aeiouh]\w{3,})")
_SOUNDS: Final = (("ph", "f"), ("th", "t"), ("y", "i"), ("ck", "k"), ("qu", "k"), ("ß", "ss"))


def respelled(
    query: Query,
    retriever: Retriever,
    lexical: LexicalEncoder,
    scope: ReadScope,
    search_filter: SearchFilter,
) -> dict[str, str]:
    """What words of the question were meant, by the word as typed; empty where all are known."""
    unknown = [
        word
        for word in dict.fromkeys(_WORD.findall(query.text))
        if len(word) >= _SHORTEST
        and not word.isupper()
        and set(lexical.encode_query(word, query.language).indices) & query.unseen
    ]
    if not unknown:
        return {}
    nearest = retriever.retrieve(
        query, scope, limit=_NEAREST, mode="dense", search_filter=search_filter
    )
    known = Counter(
        word
        for passage in nearest
        if passage.chunk.language == query.language
        for word in _WORD.findall(passage.chunk.embedded_text.casefold())
    )
    meant = {word: closest(word.casefold(), known) for word in unknown}
    return {typed: word for typed, word in meant.items() if word is not None}


def closest(typed: str, known: Collection[str]) -> str | None:
    """The word of `known` that a typing error makes `typed` of; None: there is none.

    One letter more, less, other, or two in each other's place; two such errors from eight letters
    on, as it is written and as it sounds: "chess" is no "cheese". What sounds alike (ph, f) counts
    as no error. Of several the nearest, then the first. An
    article whose apostrophe was left out is none of the word's: "lincertezza".
    """
    elided = _ELIDED.fullmatch(folded(typed))
    if elided and elided[1] in known:
        return elided[1]
    allowed = 2 if len(typed) >= _LONG else 1
    found: tuple[int, str] | None = None
    heard = _heard(typed)
    for word in dict.fromkeys(known):
        if abs(len(word) - len(typed)) > allowed + 1 or len(word) < _SHORTEST - 1:
            continue
        sound = _heard(word)
        if sound[:1] != heard[:1]:
            continue
        errors = _errors(heard, sound, allowed)
        if errors and _errors(_bare(typed), _bare(word), allowed) > allowed:
            continue
        if errors <= allowed and (found is None or errors < found[0]):
            found = errors, word
    return found[1] if found and found[1] != typed else None


def _bare(word: str) -> str:
    """A word without accents."""
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def _heard(word: str) -> str:
    """A word without accents and double letters, spelled as it sounds."""
    plain = _bare(word)
    for spelled, sound in _SOUNDS:
        plain = plain.replace(spelled, sound)
    return re.sub(r"(.)\1", r"\1", plain)


def _errors(one: str, other: str, most: int) -> int:
    """The optimal string alignment distance; anything above `most` where it is more than that.

    Source: Damerau, "A technique for computer detection and correction of spelling errors", 1964.
    """
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        above, row, before_above = row, [i], before
        for j, b in enumerate(other, start=1):
            cost = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before_above[j - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before = above
    return row[-1]
