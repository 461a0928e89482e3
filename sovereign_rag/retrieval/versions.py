"""Versions and copies of one document are one voice.

`benefits.md` and `archive/benefits-2021.md` say the same thing at two times. Which documents are
versions of each other is told by their names, without years and the words that versions are marked
with; what they say has to be alike as well. Other numbers are kept: they count chapters, floors,
invoices.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

from sovereign_rag.domain import Passage

OLDER: Final = "older"
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_MARKS: Final = re.compile(
    r"\bv(?:er|ersion)?\s?\d+(?:[. ]\d+)*\b|[\W_]+|\b(?:19|20)\d\d\b"
    r"|\b(?:version|rev|final|draft|old|new|copy|kopie|copie|copia|entwurf|brouillon|alt|neu"
    r"|archiv\w*|de|en|fr|es|it)\b"
)
_TOO_COMMON: Final = frozenset({"", "readme", "index", "page", "document", "scan", "rechnung"})
_SHINGLE: Final = 3  # words
_ALIKE: Final = 0.4  # share of the shorter text's word sequences


def stem(uri: str) -> str:
    """A document's name without what tells its versions apart; "" where that says nothing."""
    name = unquote(uri).rstrip("/").rsplit("/", 1)[-1].casefold()
    bare = _MARKS.sub(" ", re.sub(r"[_-]", " ", name.rsplit(".", 1)[0]))
    bare = " ".join(bare.split())
    return "" if bare in _TOO_COMMON else bare


def year(uri: str) -> int | None:
    """The last year that a document's name or folders tell; None: it tells none."""
    found = _YEAR.findall(unquote(uri))
    return int(found[-1]) if found else None


def same_voice(one: Passage, other: Passage) -> bool:
    """Whether two passages are of one document, or of versions, copies or translations of one."""
    if one.chunk.document_id == other.chunk.document_id:
        return True
    name = stem(one.uri)
    return bool(name) and name == stem(other.uri)


def newest_first(passages: Sequence[Passage], question: str) -> list[Passage]:
    """The passages; of what several versions of a document say, the newest in the best one's place.

    The others are marked as `OLDER` in their `score_parts` and follow behind it. A document whose
    name tells no year is the current one. A question that names a year gets that one.
    """
    asked = {int(found) for found in _YEAR.findall(question)}
    ordered: list[Passage] = []
    left = list(passages)
    while left:
        best = left[0]
        voices = [best, *(p for p in left[1:] if _is_version(best, p))]
        newest = max(voices, key=lambda passage: _preference(passage, asked))
        older = [passage for passage in voices if passage.uri != newest.uri]
        ordered += [newest, *(_marked(passage) for passage in older)]
        gone = {newest.id, *(passage.id for passage in older)}
        left = [passage for passage in left if passage.id not in gone]
    return ordered


def is_older(passage: Passage) -> bool:
    """Whether a newer version of the document says the same, as far as was found."""
    return OLDER in passage.score_parts


def _marked(passage: Passage) -> Passage:
    return replace(passage, score_parts={**passage.score_parts, OLDER: 1.0})


def _is_version(best: Passage, other: Passage) -> bool:
    if best.chunk.document_id == other.chunk.document_id:
        return False
    return same_voice(best, other) and _alike(best, other)


def _preference(passage: Passage, asked: set[int]) -> tuple[bool, int]:
    told = year(passage.uri)
    return told in asked, told if told is not None else 9999


def _alike(one: Passage, other: Passage) -> bool:
    if one.chunk.language != other.chunk.language:
        return False
    first, second = _shingles(one.chunk.text), _shingles(other.chunk.text)
    return len(first & second) >= _ALIKE * min(len(first), len(second))


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"[^\W\d_]+", text.casefold())
    many = max(1, len(words) - _SHINGLE + 1)
    return frozenset(tuple(words[at : at + _SHINGLE]) for at in range(many))
