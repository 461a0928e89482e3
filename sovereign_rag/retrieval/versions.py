"""Versions and copies of one document are one voice.

`benefits.md` and `archive/benefits-2021.md` say the same thing at two times. Which documents are
versions of each other is told by their names, without years and the words that versions are marked
with; what they say has to be alike as well. Other numbers are kept: they count chapters, floors,
invoices.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Self
from urllib.parse import unquote

from sovereign_rag.domain import Passage

OLDER: Final = "older"
_VERSION: Final = re.compile(
    r"(?<![^\W\d_])v(?:er|ers|ersion[e]?|ersión)?[ _.-]{0,2}(\d{1,3}(?:[._]\d{1,3})*)(?!\d)"
)
_PUT_AWAY: Final = re.compile(
    r"(?<![^\W_])(?:archiv\w*|old|alt|ancien(?:ne)?s?|viejos?|antigu[oa]s?|vecchi[oe]?|obsolet\w*"
    r"|superseded|deprecated|outdated|expired|previous|veraltet\w*|abgelaufen\w*|vorherig\w*"
    r"|ältere?|précédente?s?|périmée?s?|anterior(?:es)?|caducad[oa]s?|precedent[ei]|superat[oaie]"
    r"|histor(?:y|ical|ique|iques|isch\w*)|históric[oa]s?|storic[oaie]|backups?"
    r"|draft|entwurf|entwürfe|brouillons?|borrador(?:es)?|bozz[ae])(?![^\W_])"
)
_TOLD: Final = re.compile(
    r"\b(?:version[e]?|versión|fassung|ausgabe|édition|edition|edición|edizione"
    r"|rev(?:ision|isión|isione|\.)?)[ :]{1,2}(?:(?:nr|no|n)\.? ?[º°]? ?)?"
    r"(\d{1,3}(?:\.\d{1,3})*)(?![\d.,]*\d)"
)
"""How a document tells its own version at its beginning: "Version 4.1, approved on ..."."""
_DATED: Final = re.compile(
    r"\b(?:gültig|in kraft|stand|beschl(?:uss|ossen)|valid|effective|in force|approved|reviewed"
    r"|updated|revised|validée?|approuvée?|en vigueur|mise? à jour|aprobad[oa]|vigente|en vigor"
    r"|actualizad[oa]|approvat[oa]|in vigore|aggiornat[oa]|revisionat[oa])\b[^\n]{0,60}?"
    r"(?<!\d)((?:19|20)\d\d)(?!\d)"
)
_OPENING: Final = 400
"""Characters of a document's beginning in which it tells its version."""
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_MARKS: Final = re.compile(
    r"\bv(?:er|ersion)?\s?\d+(?:[. ]\d+)*\b|[\W_]+|\b(?:19|20)\d\d\b"
    r"|\b(?:version|rev|final|draft|old|new|copy|kopie|copie|copia|entwurf|brouillon|alt|neu"
    r"|archiv\w*|de|en|fr|es|it)\b"
)
_TOO_COMMON: Final = frozenset({"", "readme", "index", "page", "document", "scan", "rechnung"})
_NO_YEAR: Final = 9999
_SHINGLE: Final = 3  # words
_ALIKE: Final = 0.4  # share of the shorter text's word sequences


def file_name(uri: str) -> str:
    """The name of the file, its parts set apart: a year in it is one of the document's values."""
    return re.sub(r"[-_.]+", " ", unquote(uri).rstrip("/").rsplit("/", 1)[-1])


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


@dataclass(frozen=True, slots=True, order=True)
class Edition:
    """Which version a document is, as far as name, folders and beginning tell; the newest is
    greatest.
    """

    in_use: bool  # neither in a folder for what is put away nor a draft
    number: tuple[int, ...]  # 2.1 is (2, 1); one that tells none is before all that do
    year: int  # a name without one is the current document's
    dated: int = 0  # the year since when it is in force, as its beginning tells

    @classmethod
    def of(cls, uri: str, opening: str = "") -> Self:
        """
        Args:
            opening: How the document begins, where that is known: it may tell its version there.
        """
        path = unicodedata.normalize("NFC", unquote(uri)).casefold()
        opening = opening[:_OPENING].casefold()
        found = _VERSION.findall(path.rsplit("/", 1)[-1].rsplit(".", 1)[0])
        found = found or _TOLD.findall(opening)[:1]
        told = year(uri)
        return cls(
            in_use=_PUT_AWAY.search(path) is None,
            number=_numbered(found[-1]) if found else (),
            year=_NO_YEAR if told is None else told,
            dated=max(map(int, _DATED.findall(opening)), default=0),
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """The versions that a question names."""

    years: frozenset[int]
    numbers: frozenset[tuple[int, ...]]

    @classmethod
    def of(cls, question: str) -> Self:
        return cls(
            frozenset(int(found) for found in _YEAR.findall(question)),
            frozenset(_numbered(found) for found in _VERSION.findall(question.casefold())),
        )

    def names(self, edition: Edition) -> bool:
        """Whether an edition is one of them: "version 2" is 2.1 as well."""
        if edition.year in self.years:
            return True
        return bool(edition.number) and any(
            number == edition.number[: len(number)] for number in self.numbers
        )


def same_voice(one: Passage, other: Passage) -> bool:
    """Whether two passages are of one document, or of versions, copies or translations of one."""
    if one.chunk.document_id == other.chunk.document_id:
        return True
    name = stem(one.uri)
    return bool(name) and name == stem(other.uri)


def newest_first(
    passages: Sequence[Passage], question: str, openings: Mapping[str, str] = MappingProxyType({})
) -> list[Passage]:
    """The passages; of what several versions of a document say, the newest in the best one's place.

    The others are marked as `OLDER` in their `score_parts` and follow behind it. A question that
    names a year or a version gets that one.

    Args:
        openings: How documents begin, by id, as far as that is known.
    """
    asked = Asked.of(question)

    def preference(passage: Passage) -> tuple[bool, Edition, float]:
        edition = Edition.of(passage.uri, openings.get(passage.chunk.document_id, ""))
        changed = passage.modified.timestamp() if passage.modified else 0.0
        return asked.names(edition), edition, changed

    ordered: list[Passage] = []
    left = list(passages)
    while left:
        best = left[0]
        voices = [best, *(p for p in left[1:] if is_version(best, p))]
        newest = max(voices, key=preference)
        older = [passage for passage in voices if passage.uri != newest.uri]
        ordered += [newest, *(_marked(passage) for passage in older)]
        gone = {newest.id, *(passage.id for passage in older)}
        left = [passage for passage in left if passage.id not in gone]
    return ordered


def of_several_versions(passages: Sequence[Passage]) -> list[Passage]:
    """A passage of each document of which another version was found as well."""
    one_each = list({p.chunk.document_id: p for p in passages}.values())
    named = Counter(stem(passage.uri) for passage in one_each)
    return [p for p in one_each if stem(p.uri) and named[stem(p.uri)] > 1]


def is_older(passage: Passage) -> bool:
    """Whether a newer version of the document says the same, as far as was found."""
    return OLDER in passage.score_parts


def _marked(passage: Passage) -> Passage:
    return replace(passage, score_parts={**passage.score_parts, OLDER: 1.0})


def is_version(best: Passage, other: Passage) -> bool:
    """Whether two passages are the same place in two versions of a document."""
    if best.chunk.document_id == other.chunk.document_id:
        return False
    return same_voice(best, other) and (_same_section(best, other) or _alike(best, other))


def _numbered(written: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.split(r"[._]", written))


def _same_section(one: Passage, other: Passage) -> bool:
    """Whether both stand under the same heading, of those below the title: "Sabbatical"."""
    first, second = one.chunk, other.chunk
    below_a_title = min(len(first.heading_path), len(second.heading_path)) > 1
    same = first.heading_path[1:] == second.heading_path[1:]
    return below_a_title and same and first.language == second.language


def _alike(one: Passage, other: Passage) -> bool:
    if one.chunk.language != other.chunk.language:
        return False
    first, second = _shingles(one.chunk.text), _shingles(other.chunk.text)
    return len(first & second) >= _ALIKE * min(len(first), len(second))


def _shingles(text: str) -> frozenset[tuple[str, ...]]:
    words = re.findall(r"[^\W\d_]+", text.casefold())
    many = max(1, len(words) - _SHINGLE + 1)
    return frozenset(tuple(words[at : at + _SHINGLE]) for at in range(many))
