"""What this door takes and sends. It takes more than it heeds: clients send what they know."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from sovereign_rag.services.serialization.answers import AnswerDetailsOut
from sovereign_rag.services.serialization.body import Body


class LenientBody(BaseModel):
    """What comes in by the protocol: unknown fields are passed over."""

    model_config = ConfigDict(extra="allow", frozen=True)


class ErrorDetailOut(Body):
    message: str = Field(description="What happened, and what to do about it.")
    type: str
    param: str | None = Field(description="The field of the request that is meant.")
    code: str | None = Field(description="A stable code, such as model_not_found.")


class ErrorOut(Body):
    """Every refusal of this door."""

    error: ErrorDetailOut


# ---- models -----------------------------------------------------------------------------------


class ModelOut(Body):
    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Always 0: a model here is a way of answering.")
    owned_by: str


class ModelsOut(Body):
    object: Literal["list"] = "list"
    data: list[ModelOut]


# ---- chat -------------------------------------------------------------------------------------


class Part(LenientBody):
    """A piece of a message; of kinds other than text none can be read."""

    type: str
    text: str = ""


class MessageBody(LenientBody):
    """A message. Of the system's and of tools none changes how questions are answered."""

    role: str
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.type in TEXT_PARTS)
        return self.content or ""


TEXT_PARTS = frozenset({"text", "input_text", "output_text"})


class StreamOptions(LenientBody):
    include_usage: bool = False


class ChatBody(LenientBody):
    """A conversation: the last user's message is the question, earlier ones are its history.

    The filters, `language` and `kind` of `POST /v1/answers` may stand beside these fields
    (`extra_body` of the client packages) or, as text, in `metadata`. Sampling parameters, tools
    and everything else that the protocol has are taken and passed over.
    """

    model: str = Field(description="One of those that GET /v1/models lists.")
    messages: Annotated[list[MessageBody], Field(min_length=1, max_length=2_000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: dict[str, Any] | None = None


class UrlCitationOut(Body):
    start_index: int = Field(description="Of the mark in the content; characters, from 0.")
    end_index: int
    url: str
    title: str


class AnnotationOut(Body):
    type: Literal["url_citation"] = "url_citation"
    url_citation: UrlCitationOut


class MessageOut(Body):
    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    annotations: list[AnnotationOut]
    tool_calls: list[dict[str, Any]] | None = Field(
        None,
        description="Only where a front end asks for a title by a forced function call.",
        exclude_if=lambda calls: calls is None,  # the protocol has a list there, or nothing
    )


class ChoiceOut(Body):
    index: Literal[0] = 0
    message: MessageOut
    logprobs: None = None
    finish_reason: Literal["stop", "tool_calls"] = "stop"


class CachedTokensOut(Body):
    cached_tokens: int


class TokenUsageOut(Body):
    """Tokens of the language model; none where quotes alone answer."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokensOut


class CompletionOut(Body):
    """An answer in the protocol's form; verdicts, confidence and energy stand in `sovereign`."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChoiceOut]
    usage: TokenUsageOut
    sovereign: AnswerDetailsOut | None = Field(
        description="All that is known of the answer. Null for what front ends ask on the side."
    )


# ---- embeddings -------------------------------------------------------------------------------

InputType = Literal["query", "passage", "document", "search_query", "search_document"]


class EmbeddingsBody(LenientBody):
    """Texts to be embedded by the model that the documents were embedded with."""

    model: str
    input: (
        str
        | Annotated[list[str], Field(min_length=1, max_length=2_048)]
        | Annotated[list[int], Field(min_length=1)]
        | Annotated[list[list[int]], Field(min_length=1)]
    ) = Field(description="Text, or several; token numbers are refused: they are another model's.")
    encoding_format: Literal["float", "base64"] = "float"
    input_type: InputType | None = Field(
        None, description="query, or passage (document): the model prefixes them differently."
    )
    dimensions: int | None = None


class EmbeddingOut(Body):
    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str = Field(
        description="Numbers; or, as base64, 32-bit floats in little-endian order."
    )


class EmbeddingUsageOut(Body):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsOut(Body):
    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: EmbeddingUsageOut


# ---- vector stores ----------------------------------------------------------------------------


class ComparisonBody(LenientBody):
    """Of `key`: document_id, language, media_type, source, label, modified."""

    type: Literal["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte"]
    key: str
    value: str | int | float | bool | list[str | int | float]


class CompoundBody(LenientBody):
    type: Literal["and", "or"]
    filters: Annotated[list["ComparisonBody | CompoundBody"], Field(max_length=100)]


class RankingOptions(LenientBody):
    score_threshold: float = Field(0.0, ge=0.0, le=1.0)


class StoreSearchBody(LenientBody):
    query: str | Annotated[list[str], Field(min_length=1, max_length=16)]
    max_num_results: int = Field(10, ge=1, le=50)
    filters: ComparisonBody | CompoundBody | None = None
    ranking_options: RankingOptions | None = None


class ContentOut(Body):
    type: Literal["text"] = "text"
    text: str


class StoreResultOut(Body):
    file_id: str
    filename: str
    score: float = Field(description="From 0 to 1, relative to the best passage of this search.")
    attributes: dict[str, str | float | bool]
    content: list[ContentOut]


class StoreSearchOut(Body):
    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[StoreResultOut]
    has_more: bool
    next_page: str | None
