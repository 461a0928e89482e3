"""A question about the documents themselves -> an answer from the catalog: a step of an answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.citations import StoredPages
from sovereign_rag.answering.corpus import CorpusDesk
from sovereign_rag.answering.events import Found
from sovereign_rag.answering.made import Made, Steps
from sovereign_rag.answering.record import search_entry
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.answering.turn import turn_at_the_cores
from sovereign_rag.domain import Passage
from sovereign_rag.storage.audit import AuditTrail
from sovereign_rag.system.admission import Admission
from sovereign_rag.system.stopwatch import Stopwatch


@dataclass(frozen=True, slots=True)
class FromTheCatalog:
    """Lists, counts and sums up documents that the asker may read."""

    desk: CorpusDesk
    audit: AuditTrail
    pages: Callable[[Sequence[Passage], ReadScope], StoredPages]
    """Gives the stored text behind passages."""
    admission: Admission

    def make(
        self, request: AnswerRequest, language: str, scope: ReadScope, clock: Stopwatch
    ) -> Steps:
        """What is asked about documents is answered; anything else is left to the next step."""
        asked = self.desk.understand(request.question, language)
        if asked is None:
            return Made()
        with turn_at_the_cores(self.admission, request, clock), clock("search"):
            found = self.desk.answer(
                asked,
                language,
                scope,
                lambda passages: self.pages(passages, scope),
                request.search_filter,
            )
        if found is None:
            return Made()
        self.audit.append(search_entry(request.question, request.principal, found.passages))
        yield Found(found.passages)
        return Made(found.draft, found.passages)
