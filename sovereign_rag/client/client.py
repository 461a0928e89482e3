"""The client that blocks."""

import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
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


class Client:
    """A service, asked by a program that waits for each answer.

    Every method raises the error of `sovereign_rag.errors` that the service refused with, and
    EnvironmentFault where it can't be reached. A busy service is asked again when it says.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        timeout_s: float = 120.0,
        retries: int = 3,
        verify: ssl.SSLContext | bool = True,
        headers: Mapping[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """
        Args:
            url: Of the service, e.g. https://rag.example.org.
            key: An API key; without one the service has to allow anonymous callers.
            timeout_s: How long a response may keep silent.
            retries: How often a busy service is asked again.
            verify: For a certificate of the house, `ssl.create_default_context(cafile=...)`.
            headers: Sent with each request, such as what a proxy asks for.
            transport: Another way to the service than TCP, such as a Unix socket.

        Raises:
            BadInput: `url` is no address.
        """
        self._url, self._retries = url, retries
        self._http = httpx.Client(
            **connection(url, key, timeout_s, headers or {}), verify=verify, transport=transport
        )

    def ask(
        self,
        question: str,
        *,
        language: Language | None = None,
        kind: RequestedKind | None = None,
        mode: SearchMode | None = None,
        history: Sequence[AnswerOut] = (),
        **filters: Unpack[Filters],
    ) -> AnswerOut:
        """An answer with its quotes, or an honest "not found" (`abstained`).

        Args:
            language: Of the answer; None: the question's.
            kind: extracts or generated; None: what the service is set to.
            mode: Which legs search; None: as the service is set.
            history: The answers before it, oldest first, for a question that leans on them.
            filters: What to leave out of what the key may read.
        """
        return self._run(
            calls.ask(
                question, language=language, kind=kind, mode=mode, history=history, filters=filters
            )
        )

    def stream(
        self,
        question: str,
        *,
        language: Language | None = None,
        kind: RequestedKind | None = None,
        mode: SearchMode | None = None,
        history: Sequence[AnswerOut] = (),
        **filters: Unpack[Filters],
    ) -> Iterator[AnswerEvent]:
        """As `ask`, event by event; the last one is `Finished`. To stop, close the iterator."""
        call = calls.ask(
            question, language=language, kind=kind, mode=mode, history=history, filters=filters
        )
        for name, data in self._events(calls.streamed(call)):
            event = answer_event(name, data)
            if event is not None:
                yield event

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        mode: SearchMode | None = None,
        history: Sequence[AnswerOut] = (),
        **filters: Unpack[Filters],
    ) -> SearchOut:
        """Passages, best first."""
        return self._run(
            calls.search(query, limit=limit, mode=mode, history=history, filters=filters)
        )

    def facets(self, **filters: Unpack[Filters]) -> FacetsOut:
        """How many passages there are, by language and media type."""
        return self._run(calls.facets(filters))

    def documents(self, **listing: Unpack[Listing]) -> Iterator[DocumentOut]:
        """All documents that the key may read, or those that `listing` is about, in its order."""
        after: str | None = None
        while True:
            page = self._run(calls.documents(after, listing))
            yield from page.documents
            if (after := page.next) is None:
                return

    def count_documents(self, **listing: Unpack[Listing]) -> int:
        """How many there are of them."""
        return (self._run(calls.documents(None, listing, limit=1))).total

    def document(self, document_id: str) -> DocumentOut:
        """One document. Raises NotFound, also for one that the key may not read."""
        return self._run(calls.document(document_id))

    def chunks(self, document_id: str) -> Iterator[ChunkOut]:
        """What of a document is embedded and found, in its order."""
        after: int | None = None
        while True:
            page = self._run(calls.chunks(document_id, after))
            yield from page.chunks
            if (after := page.next) is None:
                return

    def original(self, document_id: str) -> bytes:
        """The file that a document was taken in from."""
        return self._run(calls.original(document_id))

    def export(self, document_id: str) -> ExportedOut:
        """What is known of a document, with all of its text."""
        return self._run(calls.export(document_id))

    def page(self, document_id: str, number: int) -> PageOut:
        """The stored text of a page, from 1: what every quote is checked against."""
        return self._run(calls.page(document_id, number))

    def pages(self, document_id: str) -> list[PageOut]:
        """All pages of a document."""
        return self._run(calls.pages(document_id)).pages

    def page_image(
        self, document_id: str, number: int, *, start: int | None = None, end: int | None = None
    ) -> bytes:
        """A page as PNG, with characters `start` to `end` of its text marked on it."""
        return self._run(calls.page_image(document_id, number, start=start, end=end))

    def edit_document(
        self,
        document_id: str,
        *,
        readers: Sequence[str] | None = None,
        level: int | None = None,
        metadata: Metadata | None = None,
        if_match: str | None = None,
    ) -> EditedOut:
        """Change who may read a document, and what is said of it. Takes an admin's key.

        Nothing is read again.

        Args:
            readers: "group:hr", "user:ana" or "everyone"; empty: nobody but the owner of the
                data folder; None: as they are.
            level: The clearance that reading takes; None: as it is.
            metadata: What is said of it; what is left out stays as it was said.
            if_match: Only as long as this is the document's sha256; else `DocumentChanged`.
        """
        return self._run(
            calls.edit_document(
                document_id, readers=readers, level=level, metadata=metadata, if_match=if_match
            )
        )

    def delete_document(self, document_id: str) -> None:
        """Delete a document for good. Takes an admin's key."""
        self._run(calls.delete_document(document_id))

    def reread_document(self, document_id: str) -> JobOut:
        """Read a document again, as the parser of today does. Takes an admin's key."""
        return self._run(calls.reread_document(document_id))

    def upload(
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
        """Hand files in; `wait` tells when they are searchable. Takes an admin's key.

        Args:
            readers: "group:hr", "user:ana" or "everyone"; None: the key's user alone.
            level: The clearance that reading takes; None: 0.
            password: Of a locked file, which is then the only one.
            metadata: What is said of them; None: what was said of a document before stays.
            idempotency_key: The same key again gives the same job.
            own_id: Your id of the document, which is then the only file; the same again replaces
                it, whatever the file is called.
            replace: False: a document that is there already is refused with `DocumentChanged`.
            if_match: Only as long as this is the document's sha256; else `DocumentChanged`.
        """
        return self._run(
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

    def jobs(self, *, limit: int = 50) -> list[JobOut]:
        """The latest jobs, newest first."""
        return self._run(calls.jobs(limit)).jobs

    def job(self, job_id: str) -> JobProgressOut:
        """How far a job is."""
        return self._run(calls.job(job_id))

    def job_documents(self, job_id: str, *, states: Sequence[str] = ()) -> Iterator[TaskOut]:
        """A job's documents and what became of each; `states` leaves out all others."""
        after: int | None = None
        while True:
            page = self._run(calls.job_documents(job_id, states=states, after=after))
            yield from page.documents
            if (after := page.next) is None:
                return

    def follow_job(self, job_id: str) -> Iterator[JobProgressOut]:
        """A job's progress as it changes, until it has ended."""
        for name, data in self._events(calls.job_events(job_id)):
            progress = job_event(name, data)
            if progress is not None:
                yield progress

    def wait(self, job_id: str) -> JobProgressOut:
        """Wait until a job has ended."""
        progress = self.job(job_id)
        while progress.finished is None:
            for now in self.follow_job(job_id):  # again, where a proxy cut the stream
                progress = now
        return progress

    def cancel_job(self, job_id: str) -> JobOut:
        """Stop a job; what is in stays in."""
        return self._run(calls.cancel_job(job_id))

    def retry_job(self, job_id: str) -> JobOut:
        """Let what failed or was cancelled wait again."""
        return self._run(calls.retry_job(job_id))

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self, call: Call[T]) -> T:
        with self._sent(call) as response:
            response.read()
            raise_refusal(response)
            return call.read(response)

    def _events(self, call: Call[T]) -> Iterator[tuple[str, str]]:
        with self._sent(call) as response:
            if not response.is_success:
                response.read()
            raise_refusal(response)
            reader = EventReader()
            for line in response.iter_lines():
                yield from reader.feed(line)

    @contextmanager
    def _sent(self, call: Call[T]) -> Iterator[httpx.Response]:
        """The response whose body is still to be read, after as many tries as are worth it."""
        try:
            with ExitStack() as opened:
                for tried in range(self._retries + 1):
                    opened.close()  # the files and the response of the try before
                    request = self._http.build_request(
                        call.method, call.path, **call.arguments(opened)
                    )
                    response = self._http.send(request, stream=True)
                    opened.callback(response.close)
                    pause_s = wait_before_retry(response, tried)
                    if pause_s is None or tried == self._retries:
                        break
                    time.sleep(pause_s)
                yield response
        except httpx.HTTPError as error:
            raise unreachable(self._url, error) from error
