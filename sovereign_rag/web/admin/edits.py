"""A document's readers, level and tags, changed for one document or for several alike."""

import json
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import HIGHEST_LEVEL, Principal, parse_readers
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.errors import (
    BadInput,
    DocumentChanged,
    Forbidden,
    RightsOfSource,
    SovereignError,
)
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.http.params import DocumentId
from sovereign_rag.http.stated import read_metadata
from sovereign_rag.metadata import Stated
from sovereign_rag.services.container import Service
from sovereign_rag.services.editing import Edit, Edited
from sovereign_rag.web.admin.documents import PAGE_OF_DOCUMENTS
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
_OTHERS_FIRST: Final = "The document was changed since this form was shown; look at it again."
_NOTHING: Final = "This is as it is already: say what is to be another."

_Curator = Annotated[Principal, Depends(entering(Part.DOCUMENTS))]
_Ids = Annotated[list[str], Form(max_length=PAGE_OF_DOCUMENTS)]
_Readers = Annotated[str, Form(max_length=20_000)]
_Level = Annotated[int | None, Form(ge=0, le=HIGHEST_LEVEL)]
_Tags = Annotated[str, Form(max_length=10_000)]
_TagsHow = Literal["keep", "add", "remove", "set"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a form says; None, or tags to "keep": that stays as it is."""

    readers: str | None = None  # labels, separated by commas; empty: nobody
    level: int | None = None
    tags: str = ""  # one a line
    tags_how: _TagsHow = "keep"

    def edit(self) -> Edit:
        """Raises BadInput: a label names no reader, or a tag can't be one."""
        readers = None if self.readers is None else parse_readers(self.readers)
        if self.tags_how == "keep":
            return Edit(readers=readers, level=self.level)
        named = _tags([tag for tag in self.tags.splitlines() if tag.strip()])

        def stated(before: Stated) -> Stated:
            now = {
                "add": named | set(before.tags),
                "remove": set(before.tags) - named,
            }.get(self.tags_how, named)
            return replace(before, tags=tuple(sorted(_tags(sorted(now)))))

        return Edit(readers=readers, level=self.level, stated=stated)


@router.get("/admin/documents/{document_id}/edit")
def edit_page(
    request: Request, document_id: DocumentId, curator: _Curator, service: CurrentService
) -> Response:
    return _form(request, document_id, curator, service)


@router.post("/admin/documents/{document_id}/edit")
def edit(
    request: Request,
    document_id: DocumentId,
    curator: _Curator,
    service: CurrentService,
    readers: _Readers = "",
    level: _Level = None,
    tags: _Tags = "",
    seen: Annotated[str, Form(max_length=64)] = "",
) -> Response:
    """Change a document; what takes it from whoever changes it is asked once more.

    A form without a level leaves readers alone, too: it is that of a source's document.
    """
    record, sources = service.console.documents.to_edit(document_id, curator)
    said = Wanted(None if level is None else readers, level, tags, "set")
    if seen != _seen(record):
        changed = DocumentChanged(_OTHERS_FIRST)
        return _form(request, document_id, curator, service, problem=("changed", changed))
    try:
        wanted = _differing(said, record)
        if wanted.edit().is_empty:
            raise BadInput(_NOTHING)
        if not sources and service.editor.loses(record, wanted.edit(), curator):
            return _confirm(request, [document_id], wanted, curator, service)
        edited = [service.editor.edit(document_id, wanted.edit(), curator)]
    except (BadInput, Forbidden, RightsOfSource) as error:
        problem = (_kind(error), error)
        return _form(request, document_id, curator, service, wanted=said, problem=problem)
    return _done(edited)


@router.post("/admin/documents/edit")
def edit_several(
    request: Request,
    curator: _Curator,
    service: CurrentService,
    document: _Ids = [],  # noqa: B006  - FastAPI copies it
    change: Annotated[list[Literal["readers", "level"]], Form(max_length=2)] = [],  # noqa: B006  - likewise
    readers: _Readers = "",
    level: _Level = None,
    tags: _Tags = "",
    tags_how: Annotated[_TagsHow, Form()] = "keep",
    do: Annotated[Literal["choose", "review", "confirmed"], Form()] = "choose",
) -> Response:
    """Ask what is to change of the chosen documents; show it; do it, all of them or none."""
    if not document:
        raise BadInput("No document was chosen. Go back, and tick those that are meant.")
    wanted = Wanted(
        readers if "readers" in change else None,
        (level or 0) if "level" in change else None,
        tags,
        tags_how,
    )
    if do == "choose":
        return _form_for_several(request, document, wanted, curator, service)
    try:
        if wanted.edit().is_empty:
            raise BadInput(_NOTHING)
        if do == "review":
            return _confirm(request, document, wanted, curator, service)
        edited = service.editor.edit_all(document, wanted.edit(), curator)
    except (BadInput, Forbidden, RightsOfSource) as error:
        problem = (_kind(error), error)
        return _form_for_several(request, document, wanted, curator, service, problem=problem)
    return _done(edited)


_Problem = tuple[str, SovereignError]


def _form(
    request: Request,
    document_id: str,
    curator: Principal,
    service: Service,
    *,
    wanted: Wanted | None = None,
    problem: _Problem | None = None,
) -> Response:
    record, sources = service.console.documents.to_edit(document_id, curator)
    return _page(
        request,
        "edit.html",
        curator,
        problem,
        document=record,
        sources=sources,
        wanted=wanted or _as_it_is(record),
        seen=_seen(record),
    )


def _form_for_several(
    request: Request,
    ids: list[str],
    wanted: Wanted,
    curator: Principal,
    service: Service,
    *,
    problem: _Problem | None = None,
) -> Response:
    named = service.console.documents.named(ids, curator)
    return _page(request, "edit_several.html", curator, problem, documents=named, wanted=wanted)


def _confirm(
    request: Request, ids: list[str], wanted: Wanted, curator: Principal, service: Service
) -> Response:
    preview = service.console.documents.preview(ids, wanted.edit(), curator)
    return _page(request, "edit_confirm.html", curator, None, preview=preview, wanted=wanted)


def _page(
    request: Request, template: str, curator: Principal, problem: _Problem | None, **context: Any
) -> Response:
    kind, error = problem or (None, None)
    response = console_page(
        request,
        template,
        Part.DOCUMENTS,
        principal=curator,
        problem=kind,
        detail=str(error),
        highest_level=HIGHEST_LEVEL,
        **context,
    )
    if error is not None:
        response.status_code = error.status
    return response


def _done(edited: list[Edited]) -> Response:
    is_settled = all(one.is_settled for one in edited)
    return back_to(Part.DOCUMENTS, "edited" if is_settled else "edited_follows")


def _as_it_is(record: DocumentRecord) -> Wanted:
    return Wanted(
        ", ".join(sorted(record.readers)), record.level, "\n".join(record.stated.tags), "set"
    )


def _differing(said: Wanted, record: DocumentRecord) -> Wanted:
    """What of a form is another than what it showed: the rest is not touched."""
    after = said.edit().of(record)
    return Wanted(
        readers=None if after.readers == record.readers else said.readers,
        level=None if after.level == record.level else said.level,
        tags=said.tags,
        tags_how="keep" if after.stated == record.stated else "set",
    )


def _seen(record: DocumentRecord) -> str:
    """A mark of the values that a form showed."""
    shown = [sorted(record.readers), record.level, list(record.stated.tags)]
    return sha256(json.dumps(shown).encode()).hexdigest()


def _tags(named: list[str]) -> set[str]:
    """Raises BadInput: one can't be a tag, or they are too many."""
    return set(read_metadata(json.dumps({"tags": named})).tags or ())


def _kind(error: SovereignError) -> str:
    """The words for a refusal, which end with the way out."""
    if isinstance(error, RightsOfSource):
        return "source"
    if isinstance(error, Forbidden):
        return "reach"
    return "nothing" if str(error) == _NOTHING else "input"
