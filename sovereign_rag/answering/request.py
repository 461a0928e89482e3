"""What somebody asks, as every door hands it in."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from sovereign_rag.access import Principal
from sovereign_rag.domain import RequestedKind, SearchMode
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.store.protocol import NO_FILTER, SearchFilter


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """A question, whose it is, and how it is to be answered."""

    question: str
    principal: Principal
    language: str | None = None
    """Of the answer, ISO 639-1; None: the question's."""
    reads: str | None = None
    """A language that the asker is known to read, the page's: taken for the question's where its
    few words don't tell."""
    kind: RequestedKind | None = None
    """Composed of extracts or written by the model; None: as the settings say."""
    mode: SearchMode | None = None
    """Which legs search; None: as the settings say."""
    search_filter: SearchFilter = NO_FILTER
    """Leaves out some of what the principal may read; adds nothing."""
    history: Sequence[Turn] = ()
    """What was asked before, oldest first; for a question that leans on it. Where it is too long
    the oldest turns are dropped, and the answer says so."""
    cancel: threading.Event | None = None
    """Set it to stop the model's writing; the answer is made of what is there."""
