"""What can be asked of a service, each as a request and the way to read its response.

Both clients make their calls here, so that neither knows what the other doesn't.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Generic, TypedDict, TypeVar
from urllib.parse import quote

import httpx

from sovereign_rag.domain import Language, RequestedKind, SearchMode
from sovereign_rag.services.serialization.answers import AnswerOut, FacetsOut, SearchOut
from sovereign_rag.services.serialization.body import Body
from sovereign_rag.services.serialization.documents import (
    ChunksOut,
    DocumentOut,
    DocumentsOut,
    EditedOut,
    ExportedOut,
    PageOut,
    PagesOut,
)
from sovereign_rag.services.serialization.jobs import (
    JobDocumentsOut,
    JobOut,
    JobProgressOut,
    JobsOut,
)

T = TypeVar("T")
B = TypeVar("B", bound=Body)

PAGE_SIZE: Final = 500  # of lists, in entries
CHUNKS_AT_ONCE: Final = 200


class Filters(TypedDict, total=False):
    """What a question leaves out of what its asker may read; each one given must hold."""

    documents: Sequence[str]  # ids
    exclude_documents: Sequence[str]
    languages: Sequence[Language]
    media_types: Sequence[str]
    sources: Sequence[str]  # URIs of documents, or of folders that they lie in
    labels: Sequence[str]  # of the asker's own: "group:hr"
    tags: Sequence[str]
    authors: Sequence[str]
    fields: Mapping[str, object]  # {"team": ["it"], "amount": {"from": 10, "to": 20}}
    modified_from: datetime
    modified_before: datetime


class Listing(TypedDict, total=False):
    """Which documents a list holds, and its order; each condition given must hold."""

    q: str  # words of the title or the file name
    statuses: Sequence[str]  # indexed, partial, failed
    sources: Sequence[str]  # URIs of documents, or of folders that they lie in
    media_types: Sequence[str]
    languages: Sequence[Language]
    labels: Sequence[str]  # of the asker's own: "group:hr"
    tags: Sequence[str]
    authors: Sequence[str]
    fields: Sequence[str]  # values of custom fields: "department:finance"
    fields_from: Sequence[str]  # of a number or a day: "amount:10", "due:2024-01-31"
    fields_to: Sequence[str]
    date_from: date | datetime
    date_to: date | datetime  # with that day; or before that time
    sort: str  # id, title, date, updated; a minus in front: the last one first


class Metadata(TypedDict, total=False):
    """What is said of a document; None takes back what was said."""

    title: str | None
    address: str | None  # http or https
    author: str | None
    date: datetime | None
    tags: Sequence[str] | None
    fields: Mapping[str, str | float | bool | None] | None  # by the names of the settings
    language: str | None  # fr, or a BCP 47 tag: pt-BR


_PARAMETERS: Final = {
    "statuses": "status",
    "sources": "source",
    "media_types": "type",
    "languages": "language",
    "labels": "label",
    "tags": "tag",
    "authors": "author",
    "fields": "field",
    "fields_from": "field_from",
    "fields_to": "field_to",
    "date_from": "from",
    "date_to": "to",
}


@dataclass(frozen=True)
class Call(Generic[T]):
    """A request, and what is made of its response."""

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    json: Mapping[str, Any] | None = None
    params: Mapping[str, str | int | list[str]] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] | None = None
    files: tuple[Path, ...] = ()  # opened anew at each try

    def arguments(self, opened: ExitStack) -> dict[str, Any]:
        """As httpx takes them; `opened` closes the files."""
        given: dict[str, Any] = {"params": dict(self.params), "headers": dict(self.headers)}
        if self.json is not None:
            given["json"] = self.json
        if self.data is not None:
            given["data"] = self.data
        if self.files:
            given["files"] = [
                ("file", (path.name, opened.enter_context(path.open("rb")))) for path in self.files
            ]
        return given


def ask(
    question: str,
    *,
    language: Language | None,
    kind: RequestedKind | None,
    mode: SearchMode | None,
    history: Sequence[AnswerOut],
    filters: Filters,
) -> Call[AnswerOut]:
    body = {"question": question, "language": language, "kind": kind, "mode": mode}
    return Call("POST", "/v1/answers", _as(AnswerOut), json=_asked(body, history, filters))


def streamed(asked: Call[AnswerOut]) -> Call[AnswerOut]:
    """The same question, answered as it comes."""
    return Call(
        asked.method, asked.path, asked.read, asked.json, headers={"Accept": "text/event-stream"}
    )


def search(
    query: str,
    *,
    limit: int,
    mode: SearchMode | None,
    history: Sequence[AnswerOut],
    filters: Filters,
) -> Call[SearchOut]:
    body = {"query": query, "limit": limit, "mode": mode}
    return Call("POST", "/v1/search", _as(SearchOut), json=_asked(body, history, filters))


def facets(filters: Filters) -> Call[FacetsOut]:
    return Call("POST", "/v1/search/facets", _as(FacetsOut), json=_plain(filters))


def documents(after: str | None, listing: Listing, limit: int = PAGE_SIZE) -> Call[DocumentsOut]:
    params: dict[str, str | int | list[str]] = {"limit": limit, **_listing(listing)}
    if after is not None:
        params["after"] = after
    return Call("GET", "/v1/documents", _as(DocumentsOut), params=params)


def document(document_id: str) -> Call[DocumentOut]:
    return Call("GET", _document(document_id), _as(DocumentOut))


def page(document_id: str, number: int) -> Call[PageOut]:
    return Call("GET", f"{_document(document_id)}/pages/{number}", _as(PageOut))


def chunks(document_id: str, after: int | None) -> Call[ChunksOut]:
    params: dict[str, str | int | list[str]] = {"limit": CHUNKS_AT_ONCE}
    if after is not None:
        params["after"] = after
    return Call("GET", f"{_document(document_id)}/chunks", _as(ChunksOut), params=params)


def original(document_id: str) -> Call[bytes]:
    return Call("GET", f"{_document(document_id)}/original", lambda response: response.content)


def export(document_id: str) -> Call[ExportedOut]:
    return Call("GET", f"{_document(document_id)}/export", _as(ExportedOut))


def pages(document_id: str) -> Call[PagesOut]:
    return Call("GET", f"{_document(document_id)}/pages", _as(PagesOut))


def page_image(document_id: str, number: int, *, start: int | None, end: int | None) -> Call[bytes]:
    params: dict[str, str | int | list[str]] = {}
    if start is not None and end is not None:
        params = {"start": start, "end": end}
    path = f"{_document(document_id)}/pages/{number}/image"
    return Call("GET", path, lambda response: response.content, params=params)


def edit_document(
    document_id: str,
    *,
    readers: Sequence[str] | None,
    level: int | None,
    metadata: Metadata | None,
    if_match: str | None,
) -> Call[EditedOut]:
    said = {
        "readers": None if readers is None else list(readers),
        "level": level,
        "metadata": None if metadata is None else _said(metadata),
    }
    return Call(
        "PATCH",
        _document(document_id),
        _as(EditedOut),
        json={name: value for name, value in said.items() if value is not None},
        headers={} if if_match is None else {"If-Match": f'"{if_match}"'},
    )


def delete_document(document_id: str) -> Call[None]:
    return Call("DELETE", _document(document_id), lambda response: None)


def reread_document(document_id: str) -> Call[JobOut]:
    return Call("POST", f"{_document(document_id)}/reread", _as(JobOut))


def upload(
    files: Iterable[Path],
    *,
    readers: Sequence[str] | None,
    level: int | None,
    password: str | None,
    metadata: Metadata | None,
    idempotency_key: str | None,
    own_id: str | None,
    replace: bool,
    if_match: str | None,
) -> Call[JobOut]:
    fields = {
        "readers": None if readers is None else ",".join(readers),
        "level": None if level is None else str(level),
        "password": password,
        "metadata": None if metadata is None else json.dumps(_said(metadata)),
        "id": own_id,
        "replace": None if replace else "false",
    }
    condition = {} if if_match is None else {"If-Match": f'"{if_match}"'}
    return Call(
        "POST",
        "/v1/documents",
        _as(JobOut),
        headers={"Idempotency-Key": idempotency_key or str(uuid.uuid4()), **condition},
        data={name: value for name, value in fields.items() if value is not None},
        files=tuple(files),
    )


def jobs(limit: int) -> Call[JobsOut]:
    return Call("GET", "/v1/jobs", _as(JobsOut), params={"limit": limit})


def job(job_id: str) -> Call[JobProgressOut]:
    return Call("GET", _job(job_id), _as(JobProgressOut))


def job_documents(
    job_id: str, *, states: Sequence[str], after: int | None
) -> Call[JobDocumentsOut]:
    params: dict[str, str | int | list[str]] = {"limit": PAGE_SIZE, "state": list(states)}
    if after is not None:
        params["after"] = after
    return Call("GET", f"{_job(job_id)}/documents", _as(JobDocumentsOut), params=params)


def job_events(job_id: str) -> Call[JobProgressOut]:
    return Call("GET", f"{_job(job_id)}/events", _as(JobProgressOut))


def cancel_job(job_id: str) -> Call[JobOut]:
    return Call("POST", f"{_job(job_id)}/cancel", _as(JobOut))


def retry_job(job_id: str) -> Call[JobOut]:
    return Call("POST", f"{_job(job_id)}/retry", _as(JobOut))


def _document(document_id: str) -> str:
    return f"/v1/documents/{quote(document_id, safe='')}"


def _job(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _as(body: type[B]) -> Callable[[httpx.Response], B]:
    return lambda response: body.model_validate_json(response.content)


def _asked(
    body: Mapping[str, object], history: Sequence[AnswerOut], filters: Filters
) -> dict[str, Any]:
    turns = [
        {
            "question": turn.question,
            "answer": turn.answer,
            "citations": [{"passage_id": cited.passage_id} for cited in turn.citations],
        }
        for turn in history
    ]
    asked = {name: value for name, value in body.items() if value is not None}
    return {**asked, **_plain(filters), **({"history": turns} if turns else {})}


def _plain(filters: Filters) -> dict[str, Any]:
    return {
        name: value.isoformat()
        if isinstance(value, datetime)
        else dict(value)
        if isinstance(value, Mapping)
        else list(map(str, value))
        for name, value in filters.items()
        if isinstance(value, datetime | Mapping | Sequence)
    }


def _said(metadata: Metadata) -> dict[str, Any]:
    return {
        name: value.isoformat()
        if isinstance(value, datetime)
        else dict(value)
        if isinstance(value, Mapping)
        else list(value)
        if isinstance(value, Sequence) and not isinstance(value, str)
        else value
        for name, value in metadata.items()
    }


def _listing(listing: Listing) -> dict[str, str | int | list[str]]:
    """As the address says it; what is open is left out."""
    return {
        _PARAMETERS.get(name, name): value.isoformat()
        if isinstance(value, date)
        else value
        if isinstance(value, str)
        else list(map(str, value))
        for name, value in listing.items()
        if isinstance(value, str | date | Sequence)
    }
