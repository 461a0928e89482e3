"""How likely it is that the passages found hold an answer, before anything is written.

A logistic regression over signals that the search and the evidence give anyway. The weights were
fitted to the runs that docs/quality.md lists, then brought nearer to what questions about one
house's documents gave, with and without the document that answers, answerable and unanswerable
questions weighing the same: so 0.8 means that of such questions 8 in 10 had an answer, in a mix
of halves.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sovereign_rag.answering.expected_answer import lacks
from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.wanted import Wanted
from sovereign_rag.domain import Passage
from sovereign_rag.retrieval.query import Query
from sovereign_rag.retrieval.versions import file_name, same_voice
from sovereign_rag.text.sentences import sentences


class Weight(NamedTuple):
    usual: float  # mean over the development questions; a signal that is missing counts as usual
    per_unit: float  # what one more of it adds to the logit


WEIGHTS: Final[Mapping[str, Weight]] = {
    "score": Weight(6.85, 3.0),
    "across": Weight(0.2, 1.5),
    "lead": Weight(0.37, 1.8),
    "agreement": Weight(0.5, 0.45),
    "lacking": Weight(0.15, -1.3),
    "misses": Weight(0.0, -1.8),
    "continues": Weight(0.0, 1.7),
    "defines": Weight(0.0, 1.2),
    "fits": Weight(0.0, 0.3),
    "named": Weight(0.5, 1.5),
}
BIAS: Final = 0.0
"""The logit of a question with the usual signals."""


def signals(
    query: Query,
    passages: Sequence[Passage],
    extracts: Sequence[Extract],
    cited: Sequence[str] = (),
) -> dict[str, float]:
    """What tells an answerable question from another; empty where there is no evidence at all.

    - score: of the best sentence, see `EvidenceFinder.find`.
    - across: 1 where that sentence is in another language than the question, else 0.
    - lead: the square root of what the best passage scores above the next one of another document
      that is no version of it. A paragraph that answers stands out; those that are merely about
      the subject stand together.
      0 where the best sentence is of another document than the best passage.
      Where all are of one document, others score less than the last of them. Missing where there
      is one passage alone, or versions of one document alone.
    - agreement: of the two legs on the passage of that sentence, 1 / (rank by meaning * rank by
      words); 1 where both found it first, 0 where one did not find it. Another version of its
      document is no other passage. Missing across languages, where words can't meet.
    - lacking: 1 where that sentence lacks what an answer would hold (a time or an amount asked
      for, a number or the "not" of the question), else 0; see `expected_answer.lacks`.
    - misses: 1 where a price, a length of time or an address is asked for that neither it nor its
      neighbours name. Missing elsewhere.
    - fits: how far that sentence names a value of the kind asked for. Missing where it doesn't, or
      none is asked for; see `wanted`.
    - named: the share of the question's own values that it names. Missing where there are none.
    - defines: 1 where a definition was asked for and that sentence gives it. Missing elsewhere.
    - continues: 1 where the question leans on a conversation that cited the document of that
      sentence. Missing elsewhere.

    Args:
        cited: Passages that the conversation cited, by id, where the question leans on it.
    """
    if not extracts:
        return {}
    best = extracts[0].passage
    across = best.chunk.language != query.language
    found = {"score": extracts[0].score, "across": float(across)}
    found["lacking"] = float(_lacking(query, extracts[0]))
    if _misses(query, extracts[0]):
        found["lacking"], found["misses"] = 1.0, 1.0
    if extracts[0].defines:
        found["defines"] = 1.0
    if extracts[0].fit:
        found["fits"] = extracts[0].fit
    if extracts[0].named is not None:
        found["named"] = extracts[0].named
    if best.chunk.document_id in {id_.rpartition(":")[0] for id_ in cited}:
        found["continues"] = 1.0
    if not across:
        found["agreement"] = _agreement(best, passages)
    ranked = sorted(passages, key=lambda passage: -passage.score)
    first = ranked[0]
    other = next((p for p in ranked if not same_voice(first, p)), None)
    if other is None and len({p.chunk.document_id for p in ranked}) == 1 < len(ranked):
        other = ranked[-1]
    if other is not None:
        leads = same_voice(first, best)
        found["lead"] = math.sqrt(first.score - other.score) if leads else 0.0
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


def _lacking(query: Query, best: Extract) -> bool:
    passage = best.passage
    chunk = passage.chunk
    under = (*chunk.heading_path, best.lead)
    around = (*under, passage.title, file_name(passage.uri), _with_neighbours(best))
    spoken = chunk.language or query.language
    return lacks(
        query.text,
        query.language,
        best.text,
        "\n".join(around),
        spoken,
        given=" ".join(query.subject),
        under="\n".join(under),
    )


def _misses(query: Query, best: Extract) -> bool:
    """Whether what is asked for is a price, a time, an address, and it names none, nor do its
    neighbours.
    """
    wanted = Wanted.of(query.text, query.language, " ".join(query.subject))
    spoken = best.passage.chunk.language or query.language
    return wanted.misses(f"{best.lead}\n{best.text}", spoken) and wanted.misses(
        _with_neighbours(best), spoken
    )


def _with_neighbours(extract: Extract) -> str:
    """The sentence with the one before it and the one behind it, of the same passage."""
    text, language = extract.passage.chunk.text, extract.passage.chunk.language
    spans = sentences(text, language)
    before = [start for start, end in spans if end <= extract.start]
    after = [end for start, end in spans if start >= extract.end]
    return text[before[-1] if before else extract.start : after[0] if after else extract.end]


def _agreement(passage: Passage, passages: Sequence[Passage]) -> float:
    ranks = [_rank(leg, passage, passages) for leg in ("dense_rank", "lexical_rank")]
    return 1 / (ranks[0] * ranks[1]) if all(ranks) else 0.0


def _rank(leg: str, passage: Passage, passages: Sequence[Passage]) -> float:
    """Its rank by one leg, versions of its document being one voice with it; 0: it has none."""
    own = passage.score_parts.get(leg, 0.0)
    return own - sum(
        0 < other.score_parts.get(leg, 0.0) < own and same_voice(passage, other)
        for other in passages
        if other.chunk.document_id != passage.chunk.document_id
    )
