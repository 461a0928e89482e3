"""A question as the two legs of the search see it."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from sovereign_rag.domain import LANGUAGES, SparseVector
from sovereign_rag.embedding.protocol import LexicalEncoder
from sovereign_rag.text.lexicon import words

SUBJECT_TERMS = 0.35
"""Weight of a word that only the earlier questions hold, beside 1 for the question's own."""
ALTERNATIVE = 0.7
"""Weight of a word that an acronym of the question stands for, or the other way round."""
SUBJECT_MEANING = 0.3
"""Share of the question read after the one before it in the vector of a question that leans on it.
Both chosen on the follow-up questions of docs/quality.md, where half or double finds much the same.
"""

NOWHERE: Final = "zqxjkvwpf"
"""Stands in no document: what a term weighs that was never seen is read off it."""
OTHERS: Final = 20
"""Passages without a question's words that are taken to lie beside those that are searched."""
_WORD: Final = re.compile(r"[^\W\d_]+")
_NAME: Final = re.compile(r"\b(?:[A-ZÀ-Ý][A-ZÀ-Ý0-9&.-]+|\w*\d[\w./-]*)\b")


@dataclass(frozen=True, slots=True)
class Query:
    """A question as the two legs see it."""

    text: str
    language: str
    terms: SparseVector
    idf: Mapping[int, float]  # of each term, once it was weighed
    ideal: float  # the BM25 score of a chunk that holds every term as often as can be
    unseen: frozenset[int] = frozenset()  # terms that no document of the tenant holds
    names: float = (
        0.0  # share of the ideal that acronyms and identifiers have, alike in all languages
    )
    meant: tuple[tuple[str, str], ...] = ()  # acronyms of the house's list, with what they mean
    instead: frozenset[int] = frozenset()  # terms of those, which stand for others: none is owed
    subject: tuple[str, ...] = ()  # earlier questions that it leans on; see `conversation.subject`

    @property
    def whole(self) -> str:
        """The question as it can be understood alone: after the one before it, where it leans."""
        return " ".join((*self.subject[:1], self.alone))

    @property
    def alone(self) -> str:
        """The question with what its acronyms stand for, or the other way round."""
        said = (f"({acronym}: {meaning})" for acronym, meaning in self.meant)
        return " ".join((self.text, *said))

    def coverage(self, lexical_score: float) -> float:
        """A BM25 score as a share of the ideal, in [0, 1]."""
        return min(1.0, lexical_score / self.ideal) if self.ideal > 0 else 0.0


def as_among_many(query: Query, lexical: LexicalEncoder) -> Query:
    """The query with its terms weighed as if `OTHERS` passages without them lay beside.

    In four versions of one page each word of the page stands everywhere, and weighs nothing beside
    one that stands nowhere: so few passages don't tell how rare a word is. Where there are many
    next to nothing changes: an idf is ln((N + 1) / (n + 0.5)).
    """
    never = max((query.idf[term] for term in nowhere(lexical) if term in query.idf), default=None)
    if never is None:
        return query
    passages = max(0.0, math.exp(never) / 2 - 1)
    more = math.log(1 + OTHERS / (passages + 1))
    idf = {term: weight + more for term, weight in query.idf.items()}
    total = sum(
        idf[term] * weight
        for term, weight in zip(query.terms.indices, query.terms.values, strict=True)
        if term not in query.instead
    )
    return replace(query, idf=idf, ideal=lexical.max_term_weight * total)


def weighed(query: Query, idf: Mapping[int, float], lexical: LexicalEncoder) -> Query:
    """The query with what its terms weigh.

    Words that ask ("mean", "signifie") and stand in no document are left out: no answer owes them.
    Of any language, for people begin in one and quote another: "Erklär mir bitte: what is ...".

    Args:
        idf: Of its terms, and of the terms of `NOWHERE` where unseen ones are to be known.
    """
    never = max((idf[term] for term in nowhere(lexical) if term in idf), default=None)
    unseen = frozenset(
        term for term in query.terms.indices if never is not None and idf[term] >= never
    )
    said = _words_that_ask(query) if unseen else ""
    dropped = unseen & frozenset(lexical.encode_query(said, query.language).indices if said else ())
    kept = [
        pair
        for pair in zip(query.terms.indices, query.terms.values, strict=True)
        if pair[0] not in dropped
    ]
    if not kept:
        kept = list(zip(query.terms.indices, query.terms.values, strict=True))
    terms = SparseVector(tuple(term for term, _ in kept), tuple(weight for _, weight in kept))
    total = sum(idf[term] * weight for term, weight in kept if term not in query.instead)
    named = set(lexical.encode_query(" ".join(_NAME.findall(query.text)), query.language).indices)
    names = sum(idf[term] * weight for term, weight in kept if term in named)
    return replace(
        query,
        terms=terms,
        idf=idf,
        ideal=lexical.max_term_weight * total,
        unseen=unseen - dropped,
        names=names / total if total and not query.text.isupper() else 0.0,
    )


def _words_that_ask(query: Query) -> str:
    """Those of the question's language, and those of others that the question holds."""
    own = words(query.language, "questions", "asking")
    others = (words(language, "questions", "asking") for language in LANGUAGES)
    typed = frozenset(_WORD.findall(query.text.casefold()))
    return " ".join(sorted(own | (typed & frozenset[str]().union(*others))))


def nowhere(lexical: LexicalEncoder) -> tuple[int, ...]:
    return lexical.encode_query(NOWHERE, None).indices


def joined(
    own: SparseVector, earlier: SparseVector, *, share: float = SUBJECT_TERMS
) -> SparseVector:
    """A question's terms with those of an earlier one, which count for less."""
    weights = dict.fromkeys(earlier.indices, share)
    weights |= dict(zip(own.indices, own.values, strict=True))
    return SparseVector(tuple(weights), tuple(weights.values()))
