"""Words that are akin: parts of a compound, and what is derived from one root.

"Sicherheitslücken" and "sicherheitsrelevant", "Abrechnung" and "Reisekostenabrechnung", "Gründer"
and "Gründungsmitglied" meet as no term of a search, whose stemmer cuts endings alone; nor do, in
two languages or in a borrowed word, "licences" and "Lizenzen", "kritisch" and "critical". Where a
sentence holds no term of the question's but a word akin to it, that counts for something.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from sovereign_rag.answering.contradiction import opposites
from sovereign_rag.embedding.protocol import LexicalEncoder
from sovereign_rag.retrieval.query import Query
from sovereign_rag.text.folding import folded

KIN: Final = 0.5
"""What a word counts for that is akin to one of the question, beside 1 for the word itself."""
SYNONYM: Final = 0.6
"""What one counts for that says the same: "max" where the maximum is asked for, or the very word
in another language."""
_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_AXES: Final = ("permission", "limit", "price")
"""Of opposites, see the lexicons: one side of them answers who asks for the other."""
_COMMON: Final = 5  # sounds at the beginning that two words share at least
_COMPOUNDS: Final = frozenset({"de"})  # languages whose words are joined into one
_SHARE: Final = 0.5  # of the shorter word's sounds
_PART: Final = 6  # sounds of a part that another word ends with
_PART_ABROAD: Final = 8  # the same in two languages: "inhabitants", "habitants"
_SOUNDS: Final = (
    (re.compile("sch|c(?=[eiy])|z|ß"), "s"),
    (re.compile("ph"), "f"),
    (re.compile("th"), "t"),
    (re.compile("[cq]"), "k"),
    (re.compile("y"), "i"),
    (re.compile(r"(.)\1+"), r"\1"),
)
"""How a word of one root is spelled in our languages: "Lizenz" and "licence", "kritisch" and
"critical"."""


@dataclass(frozen=True, slots=True)
class Kin:
    """Finds in sentences what is akin to the words of a question."""

    terms: tuple[tuple[str, int], ...]  # the question's words as they sound
    sides: tuple[tuple[str, bool, int], ...]  # of opposites that its words name, with their terms
    language: str

    @classmethod
    def of(cls, query: Query, lexical: LexicalEncoder) -> Self:
        found = (
            (word, lexical.encode_query(word, query.language))
            for word in dict.fromkeys(_WORD.findall(query.text))
        )
        # Parts of a compound weigh less than the word itself.
        words = [
            (word, term)
            for word, terms in found
            for term, weight in zip(terms.indices, terms.values, strict=True)
            if weight == max(terms.values)
        ]
        sides = (
            (axis, side, term)
            for word, term in words
            for axis, side in opposites(word, query.language, _AXES)
        )
        return cls(
            tuple((sounds(word), term) for word, term in words), tuple(sides), query.language
        )

    def meet(self, sentence: str, spoken: str, held: dict[int, float]) -> None:
        """Add to `held`, the weights of a sentence's terms, those that words akin stand for."""
        worth = KIN * max(held.values(), default=1.0)
        foreign = spoken != self.language
        said = _heard(sentence)
        for word, term in self.terms:
            if held.get(term, 0.0) >= worth:
                continue
            if foreign and word in said.words:
                held[term] = worth * SYNONYM / KIN
            elif any(_akin(word, other, spoken, foreign=foreign) for other in said.like(word)):
                held[term] = worth
        for axis, side, term in self.sides:
            there = opposites(sentence, spoken, (axis,))
            if there:
                alike = SYNONYM / KIN if (axis, side) in there else 1.0
                held[term] = max(held.get(term, 0.0), alike * worth)


@dataclass(frozen=True, slots=True)
class _Heard:
    """The longer words of a text as they sound; also by what they begin and end with."""

    words: frozenset[str]
    beginning: Mapping[str, Sequence[str]]
    ending: Mapping[str, Sequence[str]]

    def like(self, word: str) -> Iterator[str]:
        """Those that may be akin to a word."""
        yield from self.beginning.get(word[:_COMMON], ())
        yield from self.ending.get(word[-_PART:], ())


def are_akin(one: str, other: str, language: str, *, foreign: bool = False) -> bool:
    """Whether two words have a root in common, as far as their sounds tell.

    Args:
        language: Of the second.
        foreign: Whether the first is of another.
    """
    return _akin(sounds(one), sounds(other), language, foreign=foreign)


@lru_cache(maxsize=8192)
def sounds(word: str) -> str:
    """A word without capitals and accents, spelled alike where it sounds alike."""
    heard = folded(word)
    for spelled, sound in _SOUNDS:
        heard = spelled.sub(sound, heard)
    return heard


def _akin(one: str, other: str, language: str, *, foreign: bool) -> bool:
    shorter = min(len(one), len(other))
    common = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    if common >= max(_COMMON, _SHARE * shorter):
        return True
    ends = _PART_ABROAD if foreign else _PART
    if shorter < ends or not (foreign or language in _COMPOUNDS):
        return False
    long, short = (one, other) if len(one) > len(other) else (other, one)
    return long.endswith(short)


@lru_cache(maxsize=4096)
def _heard(text: str) -> _Heard:
    words = frozenset(map(sounds, _WORD.findall(text)))
    beginning: dict[str, list[str]] = {}
    ending: dict[str, list[str]] = {}
    for word in words:
        beginning.setdefault(word[:_COMMON], []).append(word)
        ending.setdefault(word[-_PART:], []).append(word)
    return _Heard(words, beginning, ending)
