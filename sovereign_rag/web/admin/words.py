"""The house's words: acronyms and synonyms that searches know."""

from typing import Annotated

from fastapi import APIRouter, Depends, Form
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()

_Admin = Annotated[Principal, Depends(entering(Part.WORDS))]
_Words = Annotated[str, Form(max_length=2_000)]


@router.get("/admin/words")
def words_page(request: Request, admin: _Admin, service: CurrentService) -> Response:
    words = service.console.words.all(admin)
    answers = service.console.curated.all(admin)
    return console_page(
        request, "words.html", Part.WORDS, principal=admin, words=words, answers=answers
    )


@router.post("/admin/words")
def add(
    admin: _Admin, service: CurrentService, term: _Words = "", meaning: _Words = ""
) -> Response:
    service.console.words.add(term, meaning, admin)
    return back_to(Part.WORDS, "word_added")


@router.post("/admin/words/remove")
def remove(
    admin: _Admin, service: CurrentService, term: _Words = "", meaning: _Words = ""
) -> Response:
    service.console.words.remove(term, meaning, admin)
    return back_to(Part.WORDS, "word_removed")
