"""How likely it is that the passages found hold an answer, before anything is written.

A logistic regression over four signals that the search and the evidence give anyway. The weights
were fitted by benchmarks/abstention.py on the development questions of docs/quality.md, half of
them answerable: so 0.8 means that of such questions 8 in 10 had an answer, in a mix of halves.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sovereign_rag.domain import Passage
from sovereign_rag.evidence import Extract
from sovereign_rag.retrieval import Query


class Weight(NamedTuple):
    usual: float  # mean over the development questions; a signal that is missing counts as usual
    per_unit: float  # what one more of it adds to the logit


WEIGHTS: Final[Mapping[str, Weight]] = {
    "score": Weight(6.985, 1.856),
    "across": Weight(0.111, 1.359 + 0.3),  # the 0.3 lets as many pass, wrongly, as in one language
    "lead": Weight(0.359, 2.396),
    "agreement": Weight(0.559, 0.371),
}
BIAS: Final = 0.123
"""The logit of a question with the usual signals."""


def signals(
    query: Query, passages: Sequence[Passage], extracts: Sequence[Extract]
) -> dict[str, float]:
    """What tells an answerable question from another; empty where there is no evidence at all.

    - score: of the best sentence, see `EvidenceFinder.find`.
    - across: 1 where that sentence is in another language than the question, else 0.
    - lead: the square root of what the best passage scores above the next one of another document.
      A paragraph that answers stands out; those that are merely about the subject stand together.
      Where all are of one document, others score less than the last of them. Missing where there
      is one passage alone.
    - agreement: of the two legs on the passage of that sentence, 1 / (rank by meaning * rank by
      words); 1 where both found it first, 0 where one did not find it. Missing across languages,
      where words can't meet.
    """
    if not extracts:
        return {}
    best = extracts[0].passage
    across = best.chunk.language != query.language
    found = {"score": extracts[0].score, "across": float(across)}
    if not across:
        found["agreement"] = _agreement(best)
    ranked = sorted(passages, key=lambda passage: -passage.score)
    first = ranked[0]
    others = (p for p in ranked if p.chunk.document_id != first.chunk.document_id)
    if len(ranked) > 1:
        found["lead"] = math.sqrt(first.score - next(others, ranked[-1]).score)
    return found


def confidence(found: Mapping[str, float]) -> float:
    """The probability, in [0, 1], that questions with these signals have an answer; 0 of none."""
    if not found:
        return 0.0
    logit = BIAS + sum(
        weight.per_unit * (found[name] - weight.usual)
        for name, weight in WEIGHTS.items()
        if name in found
    )
    return 1 / (1 + math.exp(-logit))


def _agreement(passage: Passage) -> float:
    parts = passage.score_parts
    if "dense_rank" not in parts or "lexical_rank" not in parts:
        return 0.0
    return 1 / (parts["dense_rank"] * parts["lexical_rank"])
