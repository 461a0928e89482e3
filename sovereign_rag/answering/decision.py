"""What a trusted model wrote, and what the search found -> what is shown, and how surely.

One decision, not a gate before the writer: the search's confidence, the model's own "not found",
the check of its statements and how far it agrees with the evidence that the search holds for the
best are signals of one logistic regression. `benchmarks/abstention.py --written` fits its weights;
those here are its, rounded, and so that a small model's "not found" alone does not hide what the
search is sure of: docs/quality.md tells how often that is wrong.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sovereign_rag.answering.confidence import Weight
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.question_kind import question_kind
from sovereign_rag.domain import AnswerKind, Certainty, Citation
from sovereign_rag.settings import AnswerSettings

WEIGHTS: Final[Mapping[str, Weight]] = {
    "search": Weight(1.3, 0.8),
    "said_none": Weight(0.33, -0.6),
    "supported": Weight(0.56, 0.1),
    "agrees": Weight(0.5, 2.1),
}
BIAS: Final = 1.9
"""The logit of a question with the usual signals."""

WORTH_READING: Final = 0.1
"""Least confidence of the search at which a model is asked: below, its words count for nothing."""

_FARTHEST: Final = 4.0  # of the search's logit: beyond, it is as sure as it can be
_BARE_WORDS: Final = 3
_STEM: Final = 4  # letters
_WORD: Final = re.compile(r"[^\W_]+(?:[.,:'’-][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class Decision:
    """How surely something answers, and whether that is the draft."""

    certainty: Certainty
    confidence: float  # in [0, 1]
    signals: Mapping[str, float]  # of the writing alone


def decide(
    confidence: float,
    draft: Draft,
    best: Extract | None,
    question: str,
    language: str,
    settings: AnswerSettings,
) -> Decision:
    """Whether what was found and written answers.

    Args:
        confidence: The search's, in [0, 1].
        draft: What the model wrote, checked.
        best: The likeliest sentence by the search; None: there is none.
        language: Of the answer.
    """
    found = written_signals(confidence, draft, best, question, language)
    logit = BIAS + sum(
        weight.per_unit * (found[name] - weight.usual) for name, weight in WEIGHTS.items()
    )
    sure = 1 / (1 + math.exp(-logit))
    certainty: Certainty = "none"
    if sure >= settings.min_confidence:
        certainty = "sure"
    elif sure >= settings.near_confidence:
        certainty = "near"
    return Decision(certainty, sure, found)


def written_signals(
    confidence: float, draft: Draft, best: Extract | None, question: str, language: str
) -> dict[str, float]:
    """What tells whether an answer was found, once a model has read the passages.

    - search: the logit of the search's confidence, from -4 to 4.
    - said_none: 1 where the model said that the passages hold no answer, else 0.
    - supported: the share of its statements that the passages support. 0 where the question takes
      something for granted: a draft that does so too holds its words, and so seems supported.
    - agrees: the share of what it adds to the question that the sentence holds which the search
      takes for the best; 0 for the same questions, and where it adds nothing. A model that finds no
      answer writes from a neighbouring passage, and the check finds that there.
    """
    held = min(1 - 1e-9, max(1e-9, confidence))
    logit = math.log(held / (1 - held))
    statements = draft.statements
    supported = sum(s.supported for s in statements) / len(statements) if statements else 0.0
    agrees = _share_in(draft, best, question, language) if best is not None else 0.0
    if question_kind(question, language) == "premise":
        supported, agrees = 0.0, 0.0
    return {
        "search": min(_FARTHEST, max(-_FARTHEST, logit)),
        "said_none": float(draft.kind is AnswerKind.NONE),
        "supported": supported,
        "agrees": agrees,
    }


def citations(draft: Draft) -> tuple[Citation, ...]:
    return tuple(c for statement in draft.statements for c in statement.citations)


def draws_on_another(draft: Draft, best: Extract) -> bool:
    """Whether a draft quotes nothing of the passage that the search holds for the best."""
    return all(citation.passage_id != best.passage.id for citation in citations(draft))


def quotes_say_more(draft: Draft, best: Extract | None, question: str, language: str) -> bool:
    """Whether the quotes are the better answer, though the draft is supported.

    A value that stands alone says less than the sentence or the row that it stands in, a yes or no
    in the question's own words less than what the passages say about it, and of a list that was
    asked for whole a draft that lacks some of it.
    """
    text = " ".join(statement.text for statement in draft.statements if statement.supported)
    if len(_WORD.findall(text)) <= _BARE_WORDS:
        return True
    kind = question_kind(question, language)
    if kind == "yes_no":
        return not _stems(text) - _stems(question)
    if kind != "list" or best is None or best.block is None:
        return False
    chunk, said = best.passage.chunk.text, _stems(text)
    items = [_stems(chunk[start:end]) for start, end in best.block.items]
    return any(item and not item & said for item in items)


def _share_in(draft: Draft, best: Extract, question: str, language: str) -> float:
    """The share of what a draft adds to the question that a sentence holds.

    Across languages, where words can't meet, whether it quotes the sentence's passage.
    """
    if best.passage.chunk.language != language:
        return float(not draws_on_another(draft, best))
    said = " ".join(statement.text for statement in draft.statements)
    added = _stems(said) - _stems(question)
    return len(added & _stems(f"{best.lead} {best.text}")) / len(added) if added else 0.0


def _stems(text: str) -> frozenset[str]:
    """How its longer words begin, and its numbers: enough to see whether a text adds one."""
    words = (word.casefold() for word in _WORD.findall(text))
    return frozenset(
        word if any(c.isdigit() for c in word) else word[:_STEM]
        for word in words
        if len(word) >= _STEM or any(c.isdigit() for c in word)
    )
