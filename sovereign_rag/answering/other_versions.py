"""What other versions of a quoted document say in the same place, where they say otherwise.

The newest version answers (see `retrieval.versions`); that another one says 25 days where this one
says 27 is what a reader wants to see beside it, with the folder and the date.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from sovereign_rag.answering.citations import StoredPages, cite
from sovereign_rag.answering.extracts import Extract
from sovereign_rag.answering.injection import speaks_to_a_model
from sovereign_rag.domain import OtherVersion, Passage
from sovereign_rag.retrieval.versions import Edition, is_version
from sovereign_rag.text.sentences import sentences

_MOST: Final = 4
_ALIKE: Final = 0.3  # share of the words that both sentences hold, from which they say one thing
_WORD: Final = re.compile(r"[^\W\d_]+")


def other_versions(
    quoted: Sequence[Extract], passages: Sequence[Passage], pages: StoredPages
) -> tuple[OtherVersion, ...]:
    """Of each document one quote, the newest first, at most four.

    Args:
        quoted: The sentence that answers, of each question.
        passages: All that were found: nothing else is looked at, so nobody sees a version that
            they may not read.
    """
    found: dict[str, Passage] = {}
    quotes: dict[str, tuple[int, int]] = {}
    for extract in quoted:
        for passage in passages:
            if passage.uri in found or not is_version(extract.passage, passage):
                continue
            span = _same_place(extract.text, passage)
            if span is not None:
                found[passage.uri], quotes[passage.uri] = passage, span
    newest = sorted(found.values(), key=lambda passage: Edition.of(passage.uri), reverse=True)
    return tuple(
        OtherVersion(cite(passage, *quotes[passage.uri], pages), passage.modified)
        for passage in newest[:_MOST]
    )


def _same_place(quoted: str, passage: Passage) -> tuple[int, int] | None:
    """The sentence that says the same of something else; None: it says the same, or nothing."""
    likeness = sorted(_likeness(quoted, passage), reverse=True)
    if not likeness or likeness[0][0] < _ALIKE:
        return None
    _, start, end = likeness[0]
    return None if _plain(passage.chunk.text[start:end]) == _plain(quoted) else (start, end)


def _likeness(quoted: str, passage: Passage) -> Iterator[tuple[float, int, int]]:
    text, own = passage.chunk.text, _words(quoted)
    for start, end in sentences(text, passage.chunk.language):
        said = _words(text[start:end])
        if own | said and not speaks_to_a_model(text[start:end]):
            yield len(own & said) / len(own | said), start, end


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.casefold()))


def _plain(text: str) -> str:
    return " ".join(re.findall(r"\w+(?:[.,]\d+)*|[€$£%]", text.casefold()))
