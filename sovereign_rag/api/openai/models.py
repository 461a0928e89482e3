"""The models that are offered: ways of answering, not files of weights."""

from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from sovereign_rag.api.openai.errors import refusals
from sovereign_rag.api.openai.schemas import ModelOut, ModelsOut
from sovereign_rag.api.schemas import reply
from sovereign_rag.domain import RequestedKind
from sovereign_rag.errors import UnknownModel
from sovereign_rag.http.identity import KnownCaller

router = APIRouter(tags=["OpenAI's protocol"])

CONFIGURED: Final = "sovereign-rag"
EXTRACTS: Final = "sovereign-rag-extracts"
_KINDS: Final[dict[str, RequestedKind | None]] = {CONFIGURED: None, EXTRACTS: "extracts"}


def kind_of(model: str) -> RequestedKind | None:
    """How a model answers; None: as the service is set to. Raises UnknownModel."""
    if model not in _KINDS:
        raise UnknownModel(
            f"The model {model!r} does not exist here. There are {', '.join(_KINDS)}."
        )
    return _KINDS[model]


@router.get("/v1/models", response_model=ModelsOut, responses=refusals())
def list_models(caller: KnownCaller) -> Response:
    """List the models: the answer as the service is set to, and verbatim extracts alone."""
    return reply(ModelsOut(data=[_model(name) for name in _KINDS]))


@router.get("/v1/models/{model}", response_model=ModelOut, responses=refusals(404))
def get_model(model: str, caller: KnownCaller) -> Response:
    """Show one model."""
    kind_of(model)
    return reply(_model(model))


def _model(name: str) -> ModelOut:
    return ModelOut(id=name, created=0, owned_by="sovereign-rag")
