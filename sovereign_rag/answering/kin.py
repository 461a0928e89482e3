"""Words that are akin: parts of a compound, and what is derived from one root.

"Sicherheitslücken" and "sicherheitsrelevant", "Abrechnung" and "Reisekostenabrechnung", "Gründer"
and "Gründungsmitglied" meet as no term of a search, whose stemmer cuts endings alone. Where a
sentence holds no term of the question's but a word akin to it, that counts for something.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Self

from sovereign_rag.embedding.protocol import LexicalEncoder
from sovereign_rag.retrieval.query import Query
from sovereign_rag.text.folding import folded

KIN: Final = 0.35
"""What a word counts for that is akin to one of the question, beside 1 for the word itself."""
_WORD: Final = re.compile(r"[^\W\d_]{5,}")
_COMMON: Final = 5  # letters at the beginning that two words share at least
_COMPOUNDS: Final = frozenset({"de"})  # languages whose words are joined into one
_SHARE: Final = 0.5  # of the shorter word's letters
_PART: Final = 6  # letters of a part that another word ends with


@dataclass(frozen=True, slots=True)
class Kin:
    """Finds in sentences what is akin to the words of a question."""

    terms: tuple[tuple[str, int], ...]  # the question's longer words, folded, with their terms
    language: str

    @classmethod
    def of(cls, query: Query, lexical: LexicalEncoder) -> Self:
        found = (
            (word, lexical.encode_query(word, query.language).indices)
            for word in dict.fromkeys(_WORD.findall(query.text))
        )
        words = tuple((folded(word), terms[0]) for word, terms in found if len(terms) == 1)
        return cls(words, query.language)

    def meet(self, sentence: str, spoken: str, held: dict[int, float]) -> None:
        """Add to `held`, the weights of a sentence's terms, those that words akin stand for."""
        if spoken != self.language:
            return
        worth = KIN * max(held.values(), default=1.0)
        for word, term in self.terms:
            if held.get(term, 0.0) >= worth:
                continue
            if any(are_akin(word, other, spoken) for other in _words(sentence)):
                held[term] = worth


def are_akin(one: str, other: str, language: str) -> bool:
    """Whether two words, folded, have a root in common, as far as their letters tell."""
    shorter = min(len(one), len(other))
    common = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    if common >= max(_COMMON, _SHARE * shorter):
        return True
    if language not in _COMPOUNDS or shorter < _PART:
        return False
    long, short = (one, other) if len(one) > len(other) else (other, one)
    return long.endswith(short)


@lru_cache(maxsize=4096)
def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(folded(text)))
