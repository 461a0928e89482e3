"""A model's draft is cut into statements, and each is held against the passages.

A statement is supported when the passages say it: close to half of its terms, by how rare they
are, stand in one sentence of them or in two neighbours, its values stand there too, and the nearest
sentence does not say the opposite. What is said in part is told apart from what is not said at all.
The question is known as well: what adds nothing to it is no answer, and an answer of a word or two
has to stand where the question's words stand.

This is a check of words, not of logic; docs/quality.md has what it misses.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sovereign_rag.answering.citations import StoredPages, cite
from sovereign_rag.answering.contradiction import asks, contradicts, denies, renamed, turned_round
from sovereign_rag.answering.injection import speaks_to_a_model
from sovereign_rag.answering.source_sentences import Candidate, Claim, SourceSentences
from sovereign_rag.domain import Passage, Statement, Verdict
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.text.sentences import sentences

Rarity = Callable[[Sequence[int]], Mapping[int, float]]
"""Gives the weight of each term: how rare it is among the documents, as the search weighs it."""

_CLAUSE: Final = re.compile(
    r"[,;:()]|\s[-–—]\s|\b(?:and|but|or|et|mais|ou|und|aber|oder|sowie|y|pero|o|e|ma)\b"
)
_CLAUSE_TERMS: Final = 4  # fewer are a name, a date or a turn of phrase
SUPPORTED_COVERAGE: Final = 0.45
"""Least share of a statement's terms, by their weight, that a sentence must hold to support it."""
PARTLY_COVERAGE: Final = 0.3
"""Least share for it to say a part of the statement."""
_ONE_SENTENCE: Final = 0.08
"""What one sentence may hold less than two neighbours and still be the nearer."""
_FITTING: Final = 0.15
"""What a sentence that holds the whole question may hold less of a statement, and still be nearer:
a short answer stands in many sentences, and is quoted from the one that was asked for."""
_TURNED_COVERAGE: Final = 0.6
"""Least share of a sentence's terms that a statement holds which turns it round."""
SUPPORTED_COSINE_ACROSS_LANGUAGES: Final = 0.9
"""Least cosine where statement and sentence share no words, being in two languages."""


class ClaimVerifier:
    """Holds a draft against the passages that it was written from."""

    def __init__(self, *, embedder: Embedder, lexical: LexicalEncoder) -> None:
        self._embedder, self._lexical = embedder, lexical

    def check(
        self,
        draft: str,
        language: str,
        passages: Sequence[Passage],
        pages: StoredPages,
        *,
        question: str = "",
        rarity: Rarity | None = None,
    ) -> tuple[Statement, ...]:
        """Cut `draft` into statements and tie each to the sentences that support it.

        A statement without letters (a bullet, a number alone) is joined to the one before.

        Args:
            question: What the draft answers, in its language; "": not known.
            rarity: Of terms, among the documents that the asker's search weighs; None: all
                weigh the same.
        """
        sources = SourceSentences(
            passages, self._lexical, language, question, skip=speaks_to_a_model
        )
        texts = [draft[start:end] for start, end in sentences(draft, language)]
        claims = self._claims(texts, language, rarity)
        return tuple(
            self._check_one(claim, sources, pages, answers=place == 0 and sources.is_bare(claim))
            for place, claim in enumerate(claims)
        )

    def _claims(self, texts: Sequence[str], language: str, rarity: Rarity | None) -> list[Claim]:
        def terms(text: str) -> frozenset[int]:
            return frozenset(self._lexical.encode_query(text, language).indices)

        every = sorted(frozenset[int]().union(*map(terms, texts)))
        weights = rarity(every) if rarity and every else dict.fromkeys(every, 1.0)
        return [
            Claim(text, language, terms(text), _clauses(text, terms), weights) for text in texts
        ]

    def _check_one(
        self, claim: Claim, sources: SourceSentences, pages: StoredPages, *, answers: bool
    ) -> Statement:
        unsupported = Statement(claim.text, Verdict.UNSUPPORTED, ())
        if sources.asked.is_only_repeated(claim):
            return unsupported
        for place, (verdict, candidate) in enumerate(self._nearest(claim, sources)):
            if answers:  # it names something and says nothing of it that could be denied
                if not sources.answer(claim, candidate):
                    continue
            elif _says_otherwise(claim, candidate):
                if place == 0:
                    return unsupported  # what a farther one says is about something else
                continue
            if not sources.hold_values(claim, candidate):
                continue
            citation = cite(candidate.passage, candidate.start, candidate.end, pages)
            if citation.stands:
                return Statement(claim.text, verdict, (citation,))
        return unsupported

    def _nearest(self, claim: Claim, sources: SourceSentences) -> list[tuple[Verdict, Candidate]]:
        """The candidates close enough in wording, or in meaning across languages; best first.

        With each goes the verdict that it would carry.
        """
        scored: list[tuple[float, Verdict, Candidate]] = []
        across: list[Candidate] = []
        for candidate in sources.candidates:
            share = claim.share_in(candidate.terms)
            if share >= PARTLY_COVERAGE:
                supported = share >= SUPPORTED_COVERAGE and not claim.adds_to(candidate.terms)
                verdict = Verdict.SUPPORTED if supported else Verdict.PARTLY
                nearness = share + _ONE_SENTENCE * (len(candidate.sentences) == 1)
                nearness += _FITTING * candidate.fit
                scored.append((supported + nearness, verdict, candidate))
            elif candidate.passage.chunk.language != claim.language:
                across.append(candidate)
        if across:
            vector = self._embedder.embed_queries([claim.text])[0]
            cosines = self._embedder.embed_queries([c.text for c in across]) @ vector
            scored += [
                (float(cosine), Verdict.SUPPORTED, candidate)
                for cosine, candidate in zip(cosines, across, strict=True)
                if cosine >= SUPPORTED_COSINE_ACROSS_LANGUAGES
            ]
        scored.sort(key=lambda each: -each[0])
        return [(verdict, candidate) for _, verdict, candidate in scored]


def _clauses(text: str, terms: Callable[[str], frozenset[int]]) -> tuple[frozenset[int], ...]:
    found = map(terms, _CLAUSE.split(text))
    return tuple(clause for clause in found if len(clause) >= _CLAUSE_TERMS)


def _says_otherwise(claim: Claim, candidate: Candidate) -> bool:
    """Whether a candidate denies a claim, says its opposite, or asks what it states."""
    language, spoken = claim.language, candidate.passage.chunk.language or claim.language
    if denies(claim.text, language, candidate.nearest(claim), spoken):
        return True
    if contradicts(claim.text, language, candidate.text, spoken):
        return True
    if (
        language == spoken
        and len(claim.terms & candidate.terms) >= _TURNED_COVERAGE * len(candidate.terms)
        and (
            turned_round(claim.text, candidate.text, language)
            or renamed(claim.text, candidate.text, language)
        )
    ):
        return True
    return not asks(claim.text, language) and any(asks(p, spoken) for p in candidate.parts)
