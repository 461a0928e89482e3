"""Where a command is carried out: over the data folder here, or by a service that runs.

Both give the same bodies, so a command doesn't know which of them it has.
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, cast

from sovereign_rag.access import Principal
from sovereign_rag.catalog.document_query import ALL_DOCUMENTS, DocumentQuery
from sovereign_rag.client.calls import PAGE_SIZE, Filters, Listing, Metadata
from sovereign_rag.client.client import Client
from sovereign_rag.client.events import AnswerEvent, Draft, Extract, Finished, Found
from sovereign_rag.domain import RequestedKind, SearchMode
from sovereign_rag.services.serialization.answers import (
    AnswerOut,
    FacetsOut,
    PassageOut,
    StatementOut,
)
from sovereign_rag.services.serialization.documents import DocumentOut, EditedOut, PageOut
from sovereign_rag.services.serialization.jobs import JobOut, JobProgressOut, TaskOut

if TYPE_CHECKING:
    from sovereign_rag.retrieval.conversation import Turn
    from sovereign_rag.services.container import Service
    from sovereign_rag.store.protocol import SearchFilter

_LOOK_EVERY_S: Final = 1.0


class Target(Protocol):
    """What commands ask for; errors are those of `sovereign_rag.errors` everywhere."""

    def stream(
        self,
        question: str,
        *,
        kind: RequestedKind | None,
        mode: SearchMode | None,
        within: "SearchFilter",
        history: Sequence[AnswerOut],
    ) -> Iterator[AnswerEvent]: ...

    def search(
        self, query: str, *, limit: int, mode: SearchMode | None, within: "SearchFilter"
    ) -> Sequence[PassageOut]: ...

    def facets(self, within: "SearchFilter") -> Mapping[str, Mapping[str, int]]: ...

    def documents(self, query: DocumentQuery = ALL_DOCUMENTS) -> Iterator[DocumentOut]: ...

    def document(self, document_id: str) -> DocumentOut: ...

    def pages(self, document_id: str) -> Sequence[PageOut]: ...

    def edit_document(
        self,
        document_id: str,
        *,
        readers: Sequence[str] | None = None,
        level: int | None = None,
        metadata: Metadata | None = None,
    ) -> EditedOut: ...

    def delete_document(self, document_id: str) -> None: ...

    def jobs(self, *, limit: int) -> Sequence[JobOut]: ...

    def job(self, job_id: str) -> JobProgressOut: ...

    def job_documents(self, job_id: str, *, states: Sequence[str] = ()) -> Iterator[TaskOut]: ...

    def follow_job(self, job_id: str) -> Iterator[JobProgressOut]: ...

    def cancel_job(self, job_id: str) -> JobOut: ...

    def retry_job(self, job_id: str) -> JobOut: ...


class LocalTarget:
    """The product over the data folder, opened in this process, on behalf of `principal`."""

    def __init__(self, service: "Service", principal: Principal) -> None:
        self._service, self._principal = service, principal

    def stream(
        self,
        question: str,
        *,
        kind: RequestedKind | None,
        mode: SearchMode | None,
        within: "SearchFilter",
        history: Sequence[AnswerOut],
    ) -> Iterator[AnswerEvent]:
        from sovereign_rag.answering import events
        from sovereign_rag.answering.request import AnswerRequest

        asked = AnswerRequest(
            question,
            self._principal,
            kind=kind,
            mode=mode,
            search_filter=within,
            history=[_turn(answer) for answer in history],
        )
        for event in self._service.answers.stream(asked):
            match event:
                case events.Found(passages):
                    yield Found(tuple(map(PassageOut.of, passages)))
                case events.Quoted(statement):
                    yield Extract(StatementOut.of(statement))
                case events.DraftToken(text):
                    yield Draft(text)
                case events.Done(answer):
                    yield Finished(AnswerOut.of(answer))

    def search(
        self, query: str, *, limit: int, mode: SearchMode | None, within: "SearchFilter"
    ) -> Sequence[PassageOut]:
        found = self._service.searching.search(
            query, self._principal, limit=limit, mode=mode, search_filter=within
        )
        return [PassageOut.of(passage) for passage in found]

    def facets(self, within: "SearchFilter") -> Mapping[str, Mapping[str, int]]:
        return FacetsOut.of(
            self._service.searching.facets(self._principal, search_filter=within)
        ).plain()

    def documents(self, query: DocumentQuery = ALL_DOCUMENTS) -> Iterator[DocumentOut]:
        parser, after = self._service.rereading.parser, None
        while True:
            page = self._service.documents.find(
                query, self._principal, limit=PAGE_SIZE, after=after
            )
            for record in page.documents:
                yield DocumentOut.of(record, self._principal, parser=parser)
            if (after := page.following) is None:
                return

    def document(self, document_id: str) -> DocumentOut:
        record = self._service.documents.get(document_id, self._principal)
        return DocumentOut.of(record, self._principal, parser=self._service.rereading.parser)

    def pages(self, document_id: str) -> Sequence[PageOut]:
        documents = self._service.documents
        has_image = documents.has_image(documents.get(document_id, self._principal))
        pages = documents.pages(document_id, self._principal)
        return [PageOut.of(page, has_image=has_image) for page in pages]

    def edit_document(
        self,
        document_id: str,
        *,
        readers: Sequence[str] | None = None,
        level: int | None = None,
        metadata: Metadata | None = None,
    ) -> EditedOut:
        from sovereign_rag.http.stated import read_metadata
        from sovereign_rag.services.editing import Edit

        stated = None
        if metadata is not None:
            stated = partial(
                read_metadata(json.dumps(metadata)).over,
                kinds=self._service.settings.metadata.fields,
            )
        labels = None if readers is None else frozenset(readers)
        said = Edit(readers=labels, level=level, stated=stated)
        edited = self._service.editor.edit(document_id, said, self._principal)
        return EditedOut.of(edited, self._principal, parser=self._service.rereading.parser)

    def delete_document(self, document_id: str) -> None:
        self._service.documents.delete(document_id, self._principal)

    def jobs(self, *, limit: int) -> Sequence[JobOut]:
        return [JobOut.of(job) for job in self._service.jobs.list(self._principal, limit=limit)]

    def job(self, job_id: str) -> JobProgressOut:
        return JobProgressOut.of(self._service.jobs.progress(job_id, self._principal))

    def job_documents(self, job_id: str, *, states: Sequence[str] = ()) -> Iterator[TaskOut]:
        from sovereign_rag.catalog.records import TaskState

        wanted, after = [TaskState(state) for state in states] or None, None
        while True:
            tasks, after = self._service.jobs.documents(
                job_id, self._principal, after=after, limit=PAGE_SIZE, states=wanted
            )
            yield from map(TaskOut.of, tasks)
            if after is None:
                return

    def follow_job(self, job_id: str) -> Iterator[JobProgressOut]:
        progress = self._service.jobs.progress(job_id, self._principal)
        yield JobProgressOut.of(progress)
        while progress.job.finished is None:
            time.sleep(_LOOK_EVERY_S)
            progress = self._service.jobs.progress_again(job_id, self._principal)
            yield JobProgressOut.of(progress)

    def cancel_job(self, job_id: str) -> JobOut:
        return JobOut.of(self._service.jobs.cancel(job_id, self._principal))

    def retry_job(self, job_id: str) -> JobOut:
        return JobOut.of(self._service.jobs.retry(job_id, self._principal))


class ServiceTarget:
    """A service that runs; whose eyes it looks through, its key says."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.document, self.pages = client.document, client.pages
        self.edit_document, self.delete_document = client.edit_document, client.delete_document
        self.jobs, self.job, self.job_documents = client.jobs, client.job, client.job_documents
        self.follow_job = client.follow_job
        self.cancel_job, self.retry_job = client.cancel_job, client.retry_job

    def stream(
        self,
        question: str,
        *,
        kind: RequestedKind | None,
        mode: SearchMode | None,
        within: "SearchFilter",
        history: Sequence[AnswerOut],
    ) -> Iterator[AnswerEvent]:
        return self._client.stream(
            question, kind=kind, mode=mode, history=history, **_filters(within)
        )

    def search(
        self, query: str, *, limit: int, mode: SearchMode | None, within: "SearchFilter"
    ) -> Sequence[PassageOut]:
        return self._client.search(query, limit=limit, mode=mode, **_filters(within)).passages

    def facets(self, within: "SearchFilter") -> Mapping[str, Mapping[str, int]]:
        return self._client.facets(**_filters(within)).plain()

    def documents(self, query: DocumentQuery = ALL_DOCUMENTS) -> Iterator[DocumentOut]:
        return self._client.documents(**_listing(query))


def _filters(within: "SearchFilter") -> Filters:
    """What a filter says, as a request says it; what is open is left out."""
    given = {field.name: getattr(within, field.name) for field in fields(within)}
    said = {name: value for name, value in given.items() if value}
    return cast(
        Filters,
        {
            name: sorted(value) if isinstance(value, frozenset) else value
            for name, value in said.items()
            if name in Filters.__annotations__
        },
    )


def _listing(query: DocumentQuery) -> Listing:
    """What a query says, as a request says it; what is open is left out."""
    sets = ("statuses", "media_types", "languages", "sources", "labels")
    said: dict[str, object] = {
        name: sorted(value) for name in sets if (value := getattr(query, name)) is not None
    }
    said |= {"date_from": query.date_from, "date_to": query.date_before, "q": query.words}
    said["sort"] = f"{'-' * query.descending}{query.order}"
    return cast(Listing, {name: value for name, value in said.items() if value})


def _turn(answer: AnswerOut) -> "Turn":
    from sovereign_rag.retrieval.conversation import Turn

    cited = dict.fromkeys(citation.passage_id for citation in answer.citations)
    return Turn(answer.question, answer.answer, tuple(cited))
