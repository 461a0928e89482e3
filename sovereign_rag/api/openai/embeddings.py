"""Texts as vectors, by that protocol."""

import base64
import threading
from typing import Any

import numpy as np
from fastapi import APIRouter
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.api.openai.errors import refusals
from sovereign_rag.api.openai.models import CONFIGURED
from sovereign_rag.api.openai.schemas import (
    EmbeddingOut,
    EmbeddingsBody,
    EmbeddingsOut,
    EmbeddingUsageOut,
)
from sovereign_rag.api.schemas import reply
from sovereign_rag.errors import BadInput, UnknownModel
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.params import AnswerSlots
from sovereign_rag.http.streaming import at_once
from sovereign_rag.services.container import Service
from sovereign_rag.services.embedding import Embedded, TextRole

router = APIRouter(tags=["OpenAI's protocol"])


@router.post("/v1/embeddings", response_model=EmbeddingsOut, responses=refusals(404, 429))
async def embed(
    body: EmbeddingsBody,
    request: Request,
    principal: CurrentPrincipal,
    service: CurrentService,
    slots: AnswerSlots,
) -> Response:
    """Embed texts by the model of the index in use, named `sovereign-rag` or by its own name.

    `input_type` says whether they are questions (`query`) or what questions are held against
    (`passage`, the default). A text beyond the model's window is refused, none is cut.
    """
    texts, role, cancel = _texts(body), _role(body), threading.Event()

    def work() -> tuple[str, Embedded]:
        _check(body, service)
        done = service.embeddings.embed(texts, principal, role=role, cancel=cancel)
        return service.embeddings.model_id, done

    model, done = await at_once(work, request, cancel=cancel, slots=slots)
    data = [
        EmbeddingOut(index=index, embedding=_written(vector, body.encoding_format))
        for index, vector in enumerate(done.vectors)
    ]
    usage = EmbeddingUsageOut(prompt_tokens=done.tokens, total_tokens=done.tokens)
    return reply(EmbeddingsOut(data=data, model=model, usage=usage))


def _texts(body: EmbeddingsBody) -> list[str]:
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not all(isinstance(text, str) for text in texts):
        raise BadInput(
            "input: numbers of tokens are another model's; send text. In LangChain: "
            "OpenAIEmbeddings(check_embedding_ctx_length=False)."
        )
    return [str(text) for text in texts]


def _role(body: EmbeddingsBody) -> TextRole:
    return "query" if body.input_type in {"query", "search_query"} else "passage"


def _check(body: EmbeddingsBody, service: Service) -> None:
    if body.model not in {CONFIGURED, service.embeddings.model_id}:
        raise UnknownModel(
            f"The model {body.model!r} does not exist here. Texts are embedded by {CONFIGURED!r}, "
            f"which is {service.embeddings.model_id!r}."
        )
    if body.dimensions not in {None, service.embeddings.dimension}:
        raise BadInput(
            f"dimensions: the model makes {service.embeddings.dimension} numbers, got "
            f"{body.dimensions}."
        )


def _written(vector: NDArray[np.float32], form: str) -> Any:
    if form == "base64":
        return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
    return [float(number) for number in vector]
