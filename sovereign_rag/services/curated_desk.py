"""Answers of the house, as admins keep them: written, checked again, changed, removed.

Each leans on documents that whoever keeps it may read, by quotes that stand there. What one says is
shown to admins who may read all of its sources; of the others that there is one.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

from sovereign_rag.access import Principal, ReadScope, read_scope
from sovereign_rag.answering.curated import QuoteFinder
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.document_query import DocumentQuery
from sovereign_rag.catalog.records import LiveDocument
from sovereign_rag.domain import LANGUAGES, Citation
from sovereign_rag.errors import CuratedAnswerRefused, NotFound
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.storage.curated_answers import (
    MOST_ANSWERS,
    CuratedAnswer,
    CuratedAnswers,
    CuratedSource,
)

MOST_WORDINGS: Final = 20
MOST_SOURCES: Final = 10
MOST_QUESTION_CHARS: Final = 500
MOST_TEXT_CHARS: Final = 8_000
LEAST_QUOTE_CHARS: Final = 10
MOST_QUOTE_CHARS: Final = 2_000
LONGEST: Final = timedelta(days=3 * 366)
_NAMED_LIKE: Final = 20  # documents that are looked at for a name

Trouble = Literal["gone", "changed", "hidden"]
"""A source is gone or says something else; it was changed since; the asker may not read it."""


@dataclass(frozen=True, slots=True)
class WantedSource:
    """A source as somebody names it: a document by id or file name, and what it says."""

    document: str
    quote: str


@dataclass(frozen=True, slots=True)
class WantedAnswer:
    """An answer as it is to be kept."""

    wordings: Sequence[str]
    texts: Mapping[str, str]  # by language
    sources: Sequence[WantedSource]
    due: date


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source as its reader may see it now."""

    document_id: str
    title: str
    quote: str
    citation: Citation | None = None  # None: it was not looked up, or does not stand there


@dataclass(frozen=True, slots=True)
class CuratedView:
    """An answer as an admin may see it."""

    id: str
    checked: datetime
    checked_by: str
    due: date
    is_overdue: bool
    revision: int
    trouble: Trouble | None
    wordings: tuple[str, ...] = ()
    texts: Mapping[str, str] | None = None  # None: its sources are not all the asker's to read
    sources: tuple[SourceView, ...] = ()

    @property
    def name(self) -> str:
        return self.wordings[0] if self.wordings else ""


class CuratedDesk:
    """For admins; what is shown and changed is on the record before it is."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        answers: CuratedAnswers,
        audit: AuditTrail,
        operations: OperationRecorder,
        quotes: Callable[[], QuoteFinder],
    ) -> None:
        self._catalog, self._answers, self._audit = catalog, answers, audit
        self._operations, self._quotes = operations, quotes

    def all(self, asker: Principal) -> list[CuratedView]:
        """What is to be looked at again first, first. Raises AuditError."""
        views = self._views(asker)
        self._audit.append(entry("curated.list", asker, {"answers": [v.id for v in views]}))
        return views

    def to_look_at(self, asker: Principal) -> list[CuratedView]:
        """Those that are overdue, or not given any more for what became of a source."""
        return [v for v in self._views(asker) if v.is_overdue or v.trouble in ("gone", "changed")]

    def one(self, id_: str, asker: Principal) -> CuratedView:
        """An answer, its quotes looked up. Raises NotFound, AuditError."""
        view = self._visible(id_, asker)
        documents = sorted({source.document_id for source in view.sources})
        told = {"answer": id_, "documents": documents}
        self._audit.append(entry("curated.read", asker, told))
        finder, scope = self._quotes(), read_scope(asker)
        sources: list[SourceView] = []
        for source in view.sources:
            there = finder.find(source.quote, source.document_id, scope) if source.quote else None
            sources.append(replace(source, citation=there[1] if there else None))
        stands = all(source.citation for source in sources)
        return replace(view, sources=tuple(sources), trouble=view.trouble if stands else "gone")

    def save(
        self, wanted: WantedAnswer, asker: Principal, *, id_: str | None = None, revision: int = 0
    ) -> str:
        """Keep an answer, checked by `asker` today; with `id_` in the place of what is kept.

        Args:
            revision: What the asker saw of it; another one is refused.

        Returns:
            Its id.

        Raises:
            CuratedAnswerRefused: It can't be kept so, or a quote does not stand in its document.
            NotFound: There is no such answer, or its sources are not the asker's to read.
            AuditError: It can't be recorded; nothing is kept.
        """
        if id_ is not None and self._visible(id_, asker).revision != revision:
            raise CuratedAnswerRefused(
                "raced", "It was changed since this was shown. Look at it again, then save."
            )
        wordings, texts = _wordings(wanted), _texts(wanted)
        _check_due(wanted.due)
        sources = self._sources(wanted, read_scope(asker))
        answer = CuratedAnswer(
            id=id_ or str(uuid.uuid4()),
            tenant=asker.tenant,
            wordings=wordings,
            texts=texts,
            sources=sources,
            checked=datetime.now(UTC),
            checked_by=asker.label,
            due=wanted.due,
            revision=revision + 1 if id_ else 1,
        )
        self._taken(answer)
        with self._operations.begun(
            "curated.change" if id_ else "curated.add", asker, _told(answer)
        ):
            if not self._answers.put(answer):
                raise CuratedAnswerRefused(
                    "full", f"There are {MOST_ANSWERS} answers already; remove one."
                )
        return answer.id

    def confirm(self, id_: str, due: date, asker: Principal) -> None:
        """Say that an answer is right as it is, and when it is to be looked at again.

        Raises:
            CuratedAnswerRefused: A quote does not stand in its document any more.
            NotFound: There is no such answer, or its sources are not the asker's to read.
            AuditError: It can't be recorded; it stays as it is.
        """
        view = self._visible(id_, asker)
        sources = [WantedSource(source.document_id, source.quote) for source in view.sources]
        wanted = WantedAnswer(view.wordings, view.texts or {}, sources, due)
        self.save(wanted, asker, id_=id_, revision=view.revision)

    def remove(self, id_: str, asker: Principal) -> None:
        """Forget an answer, also one of which the asker may not see what it says.

        Raises:
            NotFound: There is none.
            AuditError: It can't be recorded; it stays.
        """
        with self._operations.begun("curated.remove", asker, {"answer": id_}):
            self._answers.remove(asker.tenant, id_)

    def _views(self, asker: Principal) -> list[CuratedView]:
        kept = self._answers.of_tenant(asker.tenant)
        named = sorted({id_ for answer in kept for id_ in answer.documents})
        live = self._catalog.documents.live_versions(named, read_scope(asker)) if named else {}
        there = set(self._catalog.documents.titles_of(named))
        today = datetime.now(UTC).date()
        return [_view(answer, live, there, asker, today) for answer in kept]

    def _visible(self, id_: str, asker: Principal) -> CuratedView:
        for view in self._views(asker):
            if view.id == id_ and view.texts is not None:
                return view
        raise NotFound(
            "There is no such answer of the house, or it leans on a document that you may not read."
        )

    def _sources(self, wanted: WantedAnswer, scope: ReadScope) -> tuple[CuratedSource, ...]:
        if not 0 < len(wanted.sources) <= MOST_SOURCES:
            raise CuratedAnswerRefused(
                "sources", f"An answer leans on 1 to {MOST_SOURCES} quotes of your documents."
            )
        finder, found = self._quotes(), list[CuratedSource]()
        for source in wanted.sources:
            quote = source.quote.strip()
            if not LEAST_QUOTE_CHARS <= len(quote) <= MOST_QUOTE_CHARS:
                raise CuratedAnswerRefused(
                    "quote", f"A quote has {LEAST_QUOTE_CHARS} to {MOST_QUOTE_CHARS} characters."
                )
            document = self._document(source.document.strip(), scope)
            there = finder.find(quote, document.id, scope)
            if there is None:
                raise CuratedAnswerRefused(
                    "not_there",
                    f"{document.title} does not say so in one passage: {quote!r}. Copy the words "
                    "from the document as they stand there.",
                )
            found.append(CuratedSource(document.id, document.content_hash, there[1].quote))
        return tuple(found)

    def _document(self, named: str, scope: ReadScope) -> LiveDocument:
        """A document by its id, or by the name of its file where one alone is called so."""
        live = self._catalog.documents.live_versions([named], scope) if named else {}
        if named and not live:
            query = DocumentQuery(words=named)
            page = self._catalog.lists.page(query, scope, limit=_NAMED_LIKE)
            alike = [d.id for d in page.documents if named in (d.name, d.title)]
            live = self._catalog.documents.live_versions(alike, scope) if len(alike) == 1 else {}
        if not live:
            raise CuratedAnswerRefused(
                "document",
                f"{named!r} names none of the documents that you may read, or several. Give its "
                "id, or the address of its page.",
            )
        return next(iter(live.values()))

    def _taken(self, answer: CuratedAnswer) -> None:
        """Refuse a wording that another answer has: nobody could say which one is given."""
        others = self._answers.of_tenant(answer.tenant)
        wordings = {w.casefold() for o in others if o.id != answer.id for w in o.wordings}
        for wording in answer.wordings:
            if wording.casefold() in wordings:
                raise CuratedAnswerRefused(
                    "taken", f"Another answer is kept for {wording!r}. Change that one."
                )


def _view(
    answer: CuratedAnswer,
    live: Mapping[str, LiveDocument],
    there: set[str],
    asker: Principal,
    today: date,
) -> CuratedView:
    trouble: Trouble | None = None
    gone = not answer.is_whole or not answer.documents <= there
    may_read = answer.documents <= live.keys()
    if gone:
        trouble = "gone"
        # What is gone nobody may read; whoever wrote of it knows what they wrote.
        may_read = answer.checked_by == asker.label and answer.documents & there <= live.keys()
    elif not may_read:
        trouble = "hidden"
    elif any(live[s.document_id].content_hash != s.content_hash for s in answer.sources):
        trouble = "changed"
    return CuratedView(
        id=answer.id,
        checked=answer.checked,
        checked_by=answer.checked_by,
        due=answer.due,
        is_overdue=answer.is_overdue(today),
        revision=answer.revision,
        trouble=trouble,
        wordings=answer.wordings if may_read else (),
        texts=answer.texts if may_read else None,
        sources=tuple(
            SourceView(
                source.document_id,
                live[source.document_id].title if source.document_id in live else "",
                source.quote or "",
            )
            for source in answer.sources
        )
        if may_read
        else (),
    )


def _wordings(wanted: WantedAnswer) -> tuple[str, ...]:
    said = tuple(dict.fromkeys(" ".join(w.split()) for w in wanted.wordings if w.strip()))
    if not 0 < len(said) <= MOST_WORDINGS or max(map(len, said)) > MOST_QUESTION_CHARS:
        raise CuratedAnswerRefused(
            "wordings",
            f"Give the question in 1 to {MOST_WORDINGS} wordings of at most "
            f"{MOST_QUESTION_CHARS} characters.",
        )
    return said


def _texts(wanted: WantedAnswer) -> dict[str, str]:
    texts = {
        language: text.replace("\r\n", "\n").strip()
        for language, text in wanted.texts.items()
        if text.strip()
    }
    if not texts or not texts.keys() <= set(LANGUAGES):
        raise CuratedAnswerRefused(
            "texts", f"Write the answer in one language at least, of {', '.join(LANGUAGES)}."
        )
    if max(map(len, texts.values())) > MOST_TEXT_CHARS:
        raise CuratedAnswerRefused("texts", f"An answer has at most {MOST_TEXT_CHARS} characters.")
    return texts


def _check_due(due: date) -> None:
    today = datetime.now(UTC).date()
    if not today < due <= today + LONGEST:
        raise CuratedAnswerRefused(
            "due", "The day on which it is looked at again lies ahead, within three years."
        )


def _told(answer: CuratedAnswer) -> dict[str, object]:
    """What the record holds: the question and the documents; what it says stays sealed."""
    return {
        "answer": answer.id,
        "question": answer.wordings[0],
        "wordings": len(answer.wordings),
        "languages": sorted(answer.texts),
        "documents": sorted(answer.documents),
        "due": answer.due.isoformat(),
    }
