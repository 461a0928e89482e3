"""Whether one text answers as another does: compared as SQuAD does.

Lower case, without punctuation and articles, then token by token; each language has its own
articles.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

_ARTICLES: Final[Mapping[str, frozenset[str]]] = {
    "en": frozenset({"a", "an", "the"}),
    # The elided forms l' and un' lose their apostrophe before articles are taken out.
    "fr": frozenset({"le", "la", "les", "l", "un", "une", "des", "du", "au", "aux"}),
    "de": frozenset(
        {"der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "eines"}
        | {"einer"}
    ),
    "es": frozenset({"el", "la", "los", "las", "lo", "un", "una", "unos", "unas"}),
    "it": frozenset({"il", "lo", "la", "l", "i", "gli", "le", "un", "uno", "una"}),
}
_ELIDING: Final = frozenset({"fr", "it"})
_APOSTROPHES: Final = re.compile(r"['’ʼ]")


def answer_tokens(text: str, language: str) -> list[str]:
    """What of a text counts when answers are compared.

    Source: the normalisation of SQuAD's evaluation script (Rajpurkar et al., 2016), with Unicode
    punctuation and, as MLQA's does (Lewis et al., 2020), the articles of each language.
    """
    text = unicodedata.normalize("NFKC", text).lower()
    if language in _ELIDING:
        text = _APOSTROPHES.sub(" ", text)
    # Symbols too ("$1,577" is "1577"): SQuAD takes out all of ASCII's, not only punctuation.
    kept = "".join(c for c in text if unicodedata.category(c)[0] not in "PS")
    articles = _ARTICLES.get(language, frozenset())
    return [token for token in kept.split() if token not in articles]


def token_f1(answer: str, gold: Sequence[str], language: str) -> float:
    """The best F1 over the tokens that `answer` shares with one of the gold answers, in [0, 1].

    Two texts without a single token are equal: 1. No gold answer gives 0.
    """
    tokens = answer_tokens(answer, language)
    return max((_f1(tokens, answer_tokens(right, language)) for right in gold), default=0.0)


def contains_answer(answer: str, gold: Sequence[str], language: str) -> bool:
    """Whether the tokens of one gold answer stand in `answer`, in a row.

    Whole tokens: "118" is not in "1183".
    """
    text = f" {' '.join(answer_tokens(answer, language))} "
    rights = (" ".join(answer_tokens(right, language)) for right in gold)
    return any(right and f" {right} " in text for right in rights)


def _f1(answer: Sequence[str], gold: Sequence[str]) -> float:
    if not answer or not gold:
        return float(answer == gold)
    shared = sum((Counter(answer) & Counter(gold)).values())
    return 2 * shared / (len(answer) + len(gold))
