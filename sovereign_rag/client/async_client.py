"""The client for `asyncio`: the same calls, awaited."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar, Unpack

import httpx

from sovereign_rag.client import calls
from sovereign_rag.client.calls import Call, Filters, Listing, Metadata
from sovereign_rag.client.events import AnswerEvent, EventReader, answer_event, job_event
from sovereign_rag.client.responses import (
    connection,
    raise_refusal,
    unreachable,
    wait_before_retry,
)
from sovereign_rag.domain import Language, RequestedKind, SearchMode
from sovereign_rag.services.serialization.answers import AnswerOut, FacetsOut, SearchOut
from sovereign_rag.services.serialization.documents import (
    ChunkOut,
    DocumentOut,
    EditedOut,
    ExportedOut,
    PageOut,
)
from sovereign_rag.services.serialization.jobs import JobOut, JobProgressOut, TaskOut

T = TypeVar("T")


class AsyncClient:
    """As `Client`, whose methods say more, for a program with an event loop."""

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 120.0,
        retries: int = 3,
        verify: ssl.SSLContext | bool = True,
        headers: Mapping[str, str] | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """As `Client` has them."""
        self._url, self._retries = url, retries
        self._http = httpx.AsyncClient(
            **connection(url, key, timeout_s, headers or {}), verify=verify, transport=transport
        )

    async def ask(
        self,
        question: str,
        *,
        language: Language | None = None,
        kind: RequestedKind | None = None,
        mode: SearchMode | None = None,
        history: Sequence[AnswerOut] = (),
        **filters: Unpack[Filters],
    ) -> AnswerOut:
        return await self._run(
            calls.ask(
                question, language=language, kind=kind, mode=mode, history=history, filters=filters
            )
        )

    async def stream(
        self,
        question: str,
        *,
        language: Language | None = None,
        kind: RequestedKind | None = None,
        mode: SearchMode | None = None,
        history: Sequence[AnswerOut] = (),
        **filters: Unpack[Filters],
    ) -> AsyncIterator[AnswerEvent]:
        call = calls.ask(
            question, language=language, kind=kind, mode=mode, history=history, filters=filters
        )
        async for name, data in self._events(calls.streamed(call)):
            event = answer_event(name, data)
            if event is not None:
                yield event

    async def search(
        self,
        query: str,
        *,
        limit: int = 10,
        mode: SearchMode | None = None,
        history: Sequence[AnswerOut] = (),
        **filters: Unpack[Filters],
    ) -> SearchOut:
        return await self._run(
            calls.search(query, limit=limit, mode=mode, history=history, filters=filters)
        )

    async def facets(self, **filters: Unpack[Filters]) -> FacetsOut:
        return await self._run(calls.facets(filters))

    async def documents(self, **listing: Unpack[Listing]) -> AsyncIterator[DocumentOut]:
        after: str | None = None
        while True:
            page = await self._run(calls.documents(after, listing))
            for document in page.documents:
                yield document
            if (after := page.next) is None:
                return

    async def count_documents(self, **listing: Unpack[Listing]) -> int:
        return (await self._run(calls.documents(None, listing, limit=1))).total

    async def document(self, document_id: str) -> DocumentOut:
        return await self._run(calls.document(document_id))

    async def chunks(self, document_id: str) -> AsyncIterator[ChunkOut]:
        after: int | None = None
        while True:
            page = await self._run(calls.chunks(document_id, after))
            for chunk in page.chunks:
                yield chunk
            if (after := page.next) is None:
                return

    async def original(self, document_id: str) -> bytes:
        return await self._run(calls.original(document_id))

    async def export(self, document_id: str) -> ExportedOut:
        return await self._run(calls.export(document_id))

    async def page(self, document_id: str, number: int) -> PageOut:
        return await self._run(calls.page(document_id, number))

    async def pages(self, document_id: str) -> list[PageOut]:
        return (await self._run(calls.pages(document_id))).pages

    async def page_image(
        self, document_id: str, number: int, *, start: int | None = None, end: int | None = None
    ) -> bytes:
        return await self._run(calls.page_image(document_id, number, start=start, end=end))

    async def edit_document(
        self,
        document_id: str,
        *,
        readers: Sequence[str] | None = None,
        level: int | None = None,
        metadata: Metadata | None = None,
        if_match: str | None = None,
    ) -> EditedOut:
        return await self._run(
            calls.edit_document(
                document_id, readers=readers, level=level, metadata=metadata, if_match=if_match
            )
        )

    async def delete_document(self, document_id: str) -> None:
        await self._run(calls.delete_document(document_id))

    async def reread_document(self, document_id: str) -> JobOut:
        return await self._run(calls.reread_document(document_id))

    async def upload(
        self,
        *files: Path,
        readers: Sequence[str] | None = None,
        level: int | None = None,
        password: str | None = None,
        metadata: Metadata | None = None,
        idempotency_key: str | None = None,
        own_id: str | None = None,
        replace: bool = True,
        if_match: str | None = None,
    ) -> JobOut:
        return await self._run(
            calls.upload(
                files,
                readers=readers,
                level=level,
                password=password,
                metadata=metadata,
                idempotency_key=idempotency_key,
                own_id=own_id,
                replace=replace,
                if_match=if_match,
            )
        )

    async def jobs(self, *, limit: int = 50) -> list[JobOut]:
        return (await self._run(calls.jobs(limit))).jobs

    async def job(self, job_id: str) -> JobProgressOut:
        return await self._run(calls.job(job_id))

    async def job_documents(
        self, job_id: str, *, states: Sequence[str] = ()
    ) -> AsyncIterator[TaskOut]:
        after: int | None = None
        while True:
            page = await self._run(calls.job_documents(job_id, states=states, after=after))
            for task in page.documents:
                yield task
            if (after := page.next) is None:
                return

    async def follow_job(self, job_id: str) -> AsyncIterator[JobProgressOut]:
        async for name, data in self._events(calls.job_events(job_id)):
            progress = job_event(name, data)
            if progress is not None:
                yield progress

    async def wait(self, job_id: str) -> JobProgressOut:
        progress = await self.job(job_id)
        while progress.finished is None:
            async for now in self.follow_job(job_id):
                progress = now
        return progress

    async def cancel_job(self, job_id: str) -> JobOut:
        return await self._run(calls.cancel_job(job_id))

    async def retry_job(self, job_id: str) -> JobOut:
        return await self._run(calls.retry_job(job_id))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _run(self, call: Call[T]) -> T:
        async with self._sent(call) as response:
            await response.aread()
            raise_refusal(response)
            return call.read(response)

    async def _events(self, call: Call[T]) -> AsyncIterator[tuple[str, str]]:
        async with self._sent(call) as response:
            if not response.is_success:
                await response.aread()
            raise_refusal(response)
            reader = EventReader()
            async for line in response.aiter_lines():
                for event in reader.feed(line):
                    yield event

    @asynccontextmanager
    async def _sent(self, call: Call[T]) -> AsyncIterator[httpx.Response]:
        try:
            async with AsyncExitStack() as open_response:
                for tried in range(self._retries + 1):
                    await open_response.aclose()
                    with ExitStack() as files:
                        request = self._http.build_request(
                            call.method, call.path, **call.arguments(files)
                        )
                        response = await self._http.send(request, stream=True)
                    open_response.push_async_callback(response.aclose)
                    pause_s = wait_before_retry(response, tried)
                    if pause_s is None or tried == self._retries:
                        break
                    await asyncio.sleep(pause_s)
                yield response
        except httpx.HTTPError as error:
            raise unreachable(self._url, error) from error
