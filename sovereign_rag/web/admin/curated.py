"""Answers of the house: written, changed, checked again, removed."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.domain import LANGUAGES
from sovereign_rag.errors import CuratedAnswerRefused, NotFound
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.services.container import Service
from sovereign_rag.services.curated_desk import (
    MOST_SOURCES,
    CuratedView,
    WantedAnswer,
    WantedSource,
)
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering
from sovereign_rag.web.locale import locale_of

router = APIRouter()
PERIOD: Final = timedelta(days=182)
_SPARE: Final = 2  # rows for further sources
_PLACE: Final = re.compile(r"/documents/([^/?#\s]+)(?:/pages/(\d+)(?:\?start=(\d+)&end=(\d+))?)?")

_Admin = Annotated[Principal, Depends(entering(Part.WORDS))]
_AnswerId = Annotated[str, Path(max_length=36)]
_Long = Annotated[str, Form(max_length=40_000)]
_Day = Annotated[str, Form(max_length=10)]
_Rows = Annotated[list[str], Form(max_length=4 * MOST_SOURCES)]


def _texts(
    text_fr: _Long = "",
    text_de: _Long = "",
    text_en: _Long = "",
    text_es: _Long = "",
    text_it: _Long = "",
) -> dict[str, str]:
    """The answer by language, as far as it was written."""
    said = {"fr": text_fr, "de": text_de, "en": text_en, "es": text_es, "it": text_it}
    return {language: text for language, text in said.items() if text.strip()}


_FormTexts = Annotated[dict[str, str], Depends(_texts)]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What the form shows."""

    wordings: str = ""  # one a line
    texts: tuple[tuple[str, str], ...] = ()
    sources: tuple[WantedSource, ...] = ()
    due: str = ""

    @property
    def rows(self) -> tuple[WantedSource, ...]:
        """The sources, and rows for some more."""
        spare = min(_SPARE, MOST_SOURCES - len(self.sources))
        return self.sources + (WantedSource("", ""),) * spare


@router.get("/admin/words/answers/new")
def new_page(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    conversation: Annotated[str, Query(max_length=64)] = "",
    turn: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
) -> Response:
    """An empty form; of an answer in a conversation of the admin's own, one that holds it."""
    sheet = Sheet(due=_in_a_while().isoformat())
    if conversation and turn is not None:
        sheet = _of_turn(conversation, turn, admin, service, sheet)
    return _form(request, admin, sheet)


@router.post("/admin/words/answers")
def add(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    texts: _FormTexts,
    wordings: _Long = "",
    document: _Rows = [],  # noqa: B006  - FastAPI copies it
    quote: _Rows = [],  # noqa: B006  - FastAPI copies it
    due: _Day = "",
) -> Response:
    sheet = _said(wordings, texts, document, quote, due, admin, service)
    try:
        service.console.curated.save(_wanted(sheet), admin)
    except CuratedAnswerRefused as error:
        return _form(request, admin, sheet, problem=error)
    return back_to(Part.WORDS, "curated_kept")


@router.get("/admin/words/answers/{answer_id}")
def answer_page(
    request: Request, answer_id: _AnswerId, admin: _Admin, service: CurrentService
) -> Response:
    view = service.console.curated.one(answer_id, admin)
    return _form(request, admin, _of_view(view), view=view)


@router.post("/admin/words/answers/{answer_id}")
def change(
    request: Request,
    answer_id: _AnswerId,
    admin: _Admin,
    service: CurrentService,
    texts: _FormTexts,
    wordings: _Long = "",
    document: _Rows = [],  # noqa: B006  - FastAPI copies it
    quote: _Rows = [],  # noqa: B006  - FastAPI copies it
    due: _Day = "",
    revision: Annotated[int, Form(ge=0, le=2**31 - 1)] = 0,
) -> Response:
    sheet = _said(wordings, texts, document, quote, due, admin, service)
    try:
        service.console.curated.save(_wanted(sheet), admin, id_=answer_id, revision=revision)
    except CuratedAnswerRefused as error:
        view = service.console.curated.one(answer_id, admin)
        return _form(request, admin, sheet, view=view, problem=error)
    return back_to(Part.WORDS, "curated_kept")


@router.post("/admin/words/answers/{answer_id}/check")
def check(
    request: Request, answer_id: _AnswerId, admin: _Admin, service: CurrentService
) -> Response:
    """Right as it is, for another half a year."""
    try:
        service.console.curated.confirm(answer_id, _in_a_while(), admin)
    except CuratedAnswerRefused as error:
        view = service.console.curated.one(answer_id, admin)
        return _form(request, admin, _of_view(view), view=view, problem=error)
    return back_to(Part.WORDS, "curated_checked")


@router.post("/admin/words/answers/{answer_id}/remove")
def remove(answer_id: _AnswerId, admin: _Admin, service: CurrentService) -> Response:
    service.console.curated.remove(answer_id, admin)
    return back_to(Part.WORDS, "curated_removed")


def _form(
    request: Request,
    admin: Principal,
    sheet: Sheet,
    *,
    view: CuratedView | None = None,
    problem: CuratedAnswerRefused | None = None,
) -> Response:
    own = locale_of(request).language
    response = console_page(
        request,
        "curated.html",
        Part.WORDS,
        principal=admin,
        sheet=sheet,
        texts=dict(sheet.texts),
        view=view,
        problem=problem.problem if problem else None,
        detail=str(problem),
        spoken=sorted(LANGUAGES, key=lambda language: language != own),
        earliest=datetime.now(UTC).date() + timedelta(days=1),
    )
    if problem is not None:
        response.status_code = problem.status
    return response


def _of_view(view: CuratedView) -> Sheet:
    return Sheet(
        "\n".join(view.wordings),
        tuple((view.texts or {}).items()),
        tuple(WantedSource(source.document_id, source.quote) for source in view.sources),
        view.due.isoformat(),
    )


def _of_turn(
    conversation: str, turn: int, admin: Principal, service: Service, sheet: Sheet
) -> Sheet:
    """The question of an answer, with what it quotes."""
    kept = service.conversations.turn(conversation, turn, admin)
    answer = kept.shown.answer if kept.shown else None
    citations = answer.citations if answer else ()
    quoted = dict.fromkeys((c.document_id, c.quote) for c in citations if c.verified)
    texts = ((answer.language, answer.text),) if answer and answer.kind.is_prose else ()
    return replace(
        sheet,
        wordings=" ".join(kept.question.split()),
        texts=texts,
        sources=tuple(WantedSource(*one) for one in quoted)[:MOST_SOURCES],
    )


def _said(
    wordings: str,
    texts: dict[str, str],
    documents: list[str],
    quotes: list[str],
    due: str,
    admin: Principal,
    service: Service,
) -> Sheet:
    named = list(zip(documents, quotes, strict=False))
    sources = [_source(*one, admin, service) for one in named if any(part.strip() for part in one)]
    return Sheet(wordings, tuple(texts.items()), tuple(sources), due)


def _source(named: str, quote: str, admin: Principal, service: Service) -> WantedSource:
    """A source as it was typed; of the address of a marked quote, that quote."""
    place = _PLACE.search(named)
    if place is None:
        return WantedSource(named.strip(), quote)
    document, page, start, end = place.groups()
    if quote.strip() or page is None or start is None:
        return WantedSource(document, quote)
    try:
        text = service.documents.page(document, int(page), admin).text
    except NotFound:
        return WantedSource(document, quote)
    return WantedSource(document, text[int(start) : int(end)])


def _wanted(sheet: Sheet) -> WantedAnswer:
    try:
        due = date.fromisoformat(sheet.due)
    except ValueError as error:
        raise CuratedAnswerRefused("due", "Say on which day it is looked at again.") from error
    return WantedAnswer(sheet.wordings.splitlines(), dict(sheet.texts), sheet.sources, due)


def _in_a_while() -> date:
    return datetime.now(UTC).date() + PERIOD
