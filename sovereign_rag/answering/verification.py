"""A model's draft is cut into statements, and each is held against the passages.

A statement is supported when the passages say it: half of its terms and all of its numbers,
negations and directions (more, less, forbidden) are found in one sentence of them, or in two
neighbours. What is said in part is told apart from what is not said at all. This is a check of
words, not of logic; docs/quality.md has what it misses.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from sovereign_rag.answering.citations import StoredPages, cite
from sovereign_rag.answering.contradiction import asks, directions, negated, numbers
from sovereign_rag.answering.injection import speaks_to_a_model
from sovereign_rag.domain import Passage, Statement, Verdict
from sovereign_rag.embedding.protocol import Embedder, LexicalEncoder
from sovereign_rag.text.sentences import sentences

_CLAUSE = re.compile(
    r"[,;:()]|\s[-–—]\s|\b(?:and|but|or|et|mais|ou|und|aber|oder|sowie|y|pero|o|e|ma)\b"
)
_CLAUSE_TERMS = 3  # fewer are a name or a date, not a clause
SUPPORTED_COVERAGE = 0.5
"""Least share of a statement's terms that a sentence must hold to support it."""
PARTLY_COVERAGE = 0.3
"""Least share for it to say a part of the statement."""
CLAUSE_COVERAGE = 0.25
"""Least share of each of its clauses: an addition from nowhere does not hide behind the rest."""
SUPPORTED_COSINE_ACROSS_LANGUAGES = 0.9
"""Least cosine where statement and sentence share no words, being in two languages."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    """One sentence of a passage, or two neighbours."""

    passage: Passage
    sentences: tuple[tuple[int, int], ...]

    @property
    def start(self) -> int:
        return self.sentences[0][0]

    @property
    def end(self) -> int:
        return self.sentences[-1][1]

    @property
    def text(self) -> str:
        return self.passage.chunk.text[self.start : self.end]


class ClaimVerifier:
    """Holds a draft against the passages that it was written from."""

    def __init__(self, *, embedder: Embedder, lexical: LexicalEncoder) -> None:
        self._embedder, self._lexical = embedder, lexical

    def check(
        self, draft: str, language: str, passages: Sequence[Passage], pages: StoredPages
    ) -> tuple[Statement, ...]:
        """Cut `draft` into statements and tie each to the sentences that support it.

        A statement without letters (a bullet, a number alone) is joined to the one before.
        """
        candidates = [
            (candidate, self._terms(candidate.text, language))
            for candidate in _candidates(passages)
        ]
        texts = [draft[start:end] for start, end in sentences(draft, language)]
        return tuple(self._check_one(text, language, candidates, pages) for text in texts)

    def _check_one(
        self,
        text: str,
        language: str,
        candidates: Sequence[tuple[_Candidate, frozenset[int]]],
        pages: StoredPages,
    ) -> Statement:
        contradicted = False  # by the nearest: what a farther one says of it in part is chance
        for verdict, candidate in self._nearest(text, language, candidates):
            if not _agrees(text, language, candidate):
                contradicted = True
                continue
            citation = cite(candidate.passage, candidate.start, candidate.end, pages)
            if citation.verified and not (contradicted and verdict is Verdict.PARTLY):
                return Statement(text, verdict, (citation,))
        return Statement(text, Verdict.UNSUPPORTED, ())

    def _nearest(
        self, text: str, language: str, candidates: Sequence[tuple[_Candidate, frozenset[int]]]
    ) -> list[tuple[Verdict, _Candidate]]:
        """The candidates close enough in wording, or in meaning across languages; best first.

        With each goes the verdict that it would carry.
        """
        scored: list[tuple[float, Verdict, _Candidate]] = []
        across: list[_Candidate] = []
        wanted = self._terms(text, language)
        clauses = [self._terms(clause, language) for clause in _CLAUSE.split(text)]
        for candidate, held in candidates:
            share = _share(wanted, held)
            if share >= PARTLY_COVERAGE:
                whole = share >= SUPPORTED_COVERAGE and all(
                    _share(clause, held) >= CLAUSE_COVERAGE
                    for clause in clauses
                    if len(clause) >= _CLAUSE_TERMS
                )
                verdict = Verdict.SUPPORTED if whole else Verdict.PARTLY
                scored.append((whole + share, verdict, candidate))
            elif candidate.passage.chunk.language != language:
                across.append(candidate)
        if across:
            vector = self._embedder.embed_queries([text])[0]
            cosines = self._embedder.embed_queries([c.text for c in across]) @ vector
            scored += [
                (float(cosine), Verdict.SUPPORTED, candidate)
                for cosine, candidate in zip(cosines, across, strict=True)
                if cosine >= SUPPORTED_COSINE_ACROSS_LANGUAGES
            ]
        scored.sort(key=lambda each: -each[0])
        return [(verdict, candidate) for _, verdict, candidate in scored]

    def _terms(self, text: str, language: str) -> frozenset[int]:
        return frozenset(self._lexical.encode_query(text, language).indices)


def _share(wanted: frozenset[int], held: frozenset[int]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def _candidates(passages: Sequence[Passage]) -> list[_Candidate]:
    """Each sentence of the passages, and each two neighbours that stand on one page."""
    found: list[_Candidate] = []
    for passage in passages:
        text, language = passage.chunk.text, passage.chunk.language
        spans = [
            (start, end)
            for start, end in sentences(text, language)
            if not speaks_to_a_model(text[start:end])
        ]
        found += [_Candidate(passage, (span,)) for span in spans]
        for left, right in pairwise(spans):
            if not text[left[1] : right[0]].strip(" "):
                found.append(_Candidate(passage, (left, right)))
    return found


def _agrees(statement: str, language: str, candidate: _Candidate) -> bool:
    """Whether all that may not differ is the same; wording may."""
    if not numbers(statement) <= numbers(candidate.text):
        return False
    source_language = candidate.passage.chunk.language or language
    text = candidate.passage.chunk.text
    said = [text[start:end] for start, end in candidate.sentences]
    # Of two sentences each: a "not" in the one next to it says nothing about the statement.
    if any(negated(s, source_language) is not negated(statement, language) for s in said):
        return False
    if not directions(statement, language) <= directions(candidate.text, source_language):
        return False
    return asks(statement, language) or not any(asks(s, source_language) for s in said)
