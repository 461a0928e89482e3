"""Carries the tools out: arguments in, a body out, by the same services as every door."""

import re
import threading
from typing import Final

from pydantic import BaseModel, ValidationError

from sovereign_rag.access import Principal
from sovereign_rag.answering.fence import harmless, label
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.catalog.document_query import ALL_DOCUMENTS
from sovereign_rag.domain import Passage
from sovereign_rag.errors import BadInput
from sovereign_rag.http.cited_text import cited_text, source_link
from sovereign_rag.http.errors import validation_error
from sovereign_rag.http.params import check_length
from sovereign_rag.http.permissions import TOOLS as TOOL_NEEDS
from sovereign_rag.http.permissions import require
from sovereign_rag.http.sources import QuoteSource, page_url
from sovereign_rag.mcp.tools import (
    MARK,
    TAKES,
    AnsweredOut,
    AskArguments,
    FetchArguments,
    FetchedMetadataOut,
    FetchedOut,
    FoundOut,
    ListArguments,
    SearchArguments,
    SearchResultsOut,
    SourceOut,
)
from sovereign_rag.services.container import Service
from sovereign_rag.services.excerpts import PagePlace
from sovereign_rag.services.serialization.body import Body
from sovereign_rag.services.serialization.documents import DocumentsOut

_MOST_CHARACTERS: Final = 50_000  # of a text that is fetched: what a model's window takes easily
_PLACE: Final = re.compile(r"(?P<document>[\w-]+)(?:/(?P<page>\d{1,7})(?:@(?P<offset>\d{1,9}))?)?")


class ToolDesk:
    """The tools over one service; whose rights count is said at each call."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def call(
        self, name: str, given: object, principal: Principal, base: str, cancel: threading.Event
    ) -> Body:
        """Carry a tool out as `principal`.

        Args:
            base: What links begin with; "": documents are named by their own addresses.
            cancel: Set when nobody waits any more.

        Raises:
            BadInput: There is no such tool, or it does not take these arguments.
            Forbidden: It is not open to `principal`.
            SovereignError: As its service says.
        """
        if name not in TAKES:
            raise BadInput(f"There is no tool {name!r}. There are {', '.join(TAKES)}.")
        require(principal, TOOL_NEEDS[name])
        arguments = _arguments(TAKES[name], given)
        match arguments:
            case SearchArguments():
                return self._search(arguments, principal, base)
            case FetchArguments():
                return self._fetch(arguments, principal, base)
            case AskArguments():
                return self._ask(arguments, principal, base, cancel)
            case ListArguments():
                return self._list(arguments, principal)
        raise AssertionError("every tool has its arguments")

    def _search(self, asked: SearchArguments, principal: Principal, base: str) -> SearchResultsOut:
        check_length(asked.query, self._service)
        passages = self._service.searching.search(
            asked.query,
            principal,
            limit=asked.limit,
            search_filter=asked.search_filter(self._service, principal),
        )
        return SearchResultsOut(results=[_found(passage, base) for passage in passages])

    def _fetch(self, asked: FetchArguments, principal: Principal, base: str) -> FetchedOut:
        place = _PLACE.fullmatch(asked.id)
        if place is None:
            raise BadInput(f"{asked.id!r} is no id of a document or of a passage.")
        record, excerpt = self._service.documents.excerpt(
            place["document"],
            principal,
            place=PagePlace(int(place["page"] or 1), int(place["offset"] or 0)),
            most=_MOST_CHARACTERS,
        )
        return FetchedOut(
            id=asked.id,
            title=label(record.title),
            text=fenced(excerpt.text),
            url=base + page_url(record.id, excerpt.first_page) if base else record.uri,
            metadata=FetchedMetadataOut(
                document_id=record.id,
                uri=record.uri,
                media_type=record.media_type,
                language=record.language,
                pages=record.pages,
                first_page=excerpt.first_page,
                last_page=excerpt.last_page,
                next=excerpt.next and f"{record.id}/{excerpt.next.page}@{excerpt.next.offset}",
            ),
        )

    def _ask(
        self, asked: AskArguments, principal: Principal, base: str, cancel: threading.Event
    ) -> AnsweredOut:
        check_length(asked.question, self._service)
        answer = self._service.answers.answer(
            AnswerRequest(
                asked.question,
                principal,
                language=asked.language,
                kind=asked.kind,
                search_filter=asked.search_filter(self._service, principal),
                cancel=cancel,
            )
        )
        shown = cited_text(answer, base)
        return AnsweredOut(
            text=fenced(shown.text),
            kind=answer.kind,
            certainty=answer.certainty,
            confidence=round(answer.confidence, 3),
            verdicts=[statement.verdict for statement in answer.statements],
            sources=[_source(source, base) for source in shown.sources],
            language=answer.language,
            model=answer.model,
        )

    def _list(self, asked: ListArguments, principal: Principal) -> DocumentsOut:
        page = self._service.documents.find(
            ALL_DOCUMENTS, principal, limit=asked.limit, after=asked.after
        )
        return DocumentsOut.of(page, principal, parser=self._service.rereading.parser)


def fenced(text: str) -> str:
    """A document's text between marks that nothing in it can close."""
    return f"<{MARK}>\n{harmless(text, MARK)}\n</{MARK}>"


def _arguments(model: type[BaseModel], given: object) -> BaseModel:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        located = [{**one, "loc": ("arguments", *one["loc"])} for one in error.errors()]
        raise validation_error(located) from None


def _found(passage: Passage, base: str) -> FoundOut:
    chunk, span = passage.chunk, passage.chunk.spans[0]
    address = page_url(chunk.document_id, span.page, span.start, span.end)
    return FoundOut(
        id=f"{chunk.document_id}/{span.page}@{span.start}",
        title=label(passage.title),
        url=base + address if base else passage.uri,
        text=fenced(chunk.embedded_text),
        document_id=chunk.document_id,
        page=span.page if passage.paged else None,
        language=chunk.language,
        score=round(passage.score, 6),
    )


def _source(source: QuoteSource, base: str) -> SourceOut:
    citation = source.citation
    return SourceOut(
        number=source.number,
        title=label(citation.title),
        page=citation.page,
        url=source_link(source, base),
        document_id=citation.document_id,
        quote=fenced(citation.quote),
        verified=citation.verified,
        verdict=citation.verdict,
    )
