"""Answers of the house over HTTP, for admins."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.domain import Language
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import StrictBody, Text
from sovereign_rag.services.curated_desk import (
    MOST_SOURCES,
    MOST_WORDINGS,
    WantedAnswer,
    WantedSource,
)
from sovereign_rag.services.serialization.curated import CuratedListOut, CuratedOut

router = APIRouter(tags=["Answers of the house"])

AnswerId = Annotated[str, Path(max_length=36, description="The answer's id.")]


class SourceBody(StrictBody):
    document: str = Field(max_length=1_000, description="The document's id, or its file's name.")
    quote: str = Field(max_length=4_000, description="What it says, as it stands there.")


class CuratedBody(StrictBody):
    """An answer that the house keeps for a question."""

    wordings: list[Text] = Field(
        min_length=1, max_length=MOST_WORDINGS, description="The question, in one way or several."
    )
    texts: dict[Language, str] = Field(description="The answer, by language.")
    sources: list[SourceBody] = Field(
        min_length=1,
        max_length=MOST_SOURCES,
        description="It is given to who may read all of their documents.",
    )
    due: date = Field(description="When it is to be looked at again.")

    @property
    def wanted(self) -> WantedAnswer:
        sources = [WantedSource(source.document, source.quote) for source in self.sources]
        return WantedAnswer(self.wordings, dict(self.texts.items()), sources, self.due)


class ChangedBody(CuratedBody):
    revision: int = Field(ge=1, description="As the caller saw it.")


class CheckBody(StrictBody):
    due: date = Field(description="When it is to be looked at again.")


@router.get("/v1/curated", response_model=CuratedListOut, responses=refusals())
def list_curated(principal: CurrentPrincipal, service: CurrentService) -> Response:
    """List the answers that the caller's tenant keeps."""
    views = service.console.curated.all(principal)
    return reply(CuratedListOut(answers=[CuratedOut.of(view) for view in views]))


@router.post("/v1/curated", status_code=201, response_model=CuratedOut, responses=refusals(404))
def add_curated(
    body: CuratedBody, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Keep an answer for a question: it is given to who asks that, in these words or nearly so."""
    desk = service.console.curated
    made = desk.save(body.wanted, principal)
    return reply(CuratedOut.of(desk.one(made, principal)), status=201)


@router.get("/v1/curated/{answer_id}", response_model=CuratedOut, responses=refusals(404))
def get_curated(
    answer_id: AnswerId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Tell what an answer says, and whether its quotes stand."""
    return reply(CuratedOut.of(service.console.curated.one(answer_id, principal)))


@router.put("/v1/curated/{answer_id}", response_model=CuratedOut, responses=refusals(404))
def change_curated(
    answer_id: AnswerId, body: ChangedBody, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Put another text in the place of an answer; it counts as checked by the caller today."""
    desk = service.console.curated
    desk.save(body.wanted, principal, id_=answer_id, revision=body.revision)
    return reply(CuratedOut.of(desk.one(answer_id, principal)))


@router.post("/v1/curated/{answer_id}/check", response_model=CuratedOut, responses=refusals(404))
def check_curated(
    answer_id: AnswerId, body: CheckBody, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Say that an answer is right as it is, checked by the caller today."""
    desk = service.console.curated
    desk.confirm(answer_id, body.due, principal)
    return reply(CuratedOut.of(desk.one(answer_id, principal)))


@router.delete("/v1/curated/{answer_id}", status_code=204, responses=refusals(404))
def remove_curated(
    answer_id: AnswerId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Forget an answer; the question is searched like any other from then on."""
    service.console.curated.remove(answer_id, principal)
    return Response(status_code=204)
