"""Our retriever, embedder and language model as LlamaIndex's own types.

An integrator builds query engines, evaluators and agents on them. The rights go along: a retriever
is made for one principal and can't be given another's. What LlamaIndex then writes is not checked
against the documents, as our own answers are; the nodes carry the spans to do so.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.custom import CustomLLM
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, QueryBundle, TextNode
from llama_index.core.vector_stores.types import MetadataFilters
from numpy.typing import NDArray

from sovereign_rag.access import Principal
from sovereign_rag.answering.fence import label
from sovereign_rag.domain import Passage, SearchMode
from sovereign_rag.embedding.protocol import Embedder
from sovereign_rag.generation.protocol import CompletionRequest, LanguageModel, Message
from sovereign_rag.integrations.llama_index_asking import narrowing_of, turns_of
from sovereign_rag.services.search import SearchService


class SovereignRetriever(BaseRetriever):
    """Hybrid search within what one principal may read, each search on the audit record."""

    def __init__(
        self,
        searching: SearchService,
        principal: Principal,
        *,
        limit: int = 8,
        mode: SearchMode | None = None,
        filters: MetadataFilters | None = None,
        history: Sequence[ChatMessage] = (),
    ) -> None:
        """A retriever for one principal.

        Args:
            limit: Most passages, 1 to 100.
            mode: Which legs search; None: as the settings say.
            filters: What to leave out of what the principal may read; see `narrowing_of`.
            history: The conversation so far, for a question that leans on it.

        Raises:
            BadInput: A filter can't be kept to.
        """
        super().__init__()
        self._searching, self._principal, self._limit = searching, principal, limit
        self._mode, self._narrowing = mode, narrowing_of(filters)
        self._history = turns_of(history)

    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return await asyncio.to_thread(self._retrieve, query_bundle)

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        passages = self._searching.search(
            query_bundle.query_str,
            self._principal,
            limit=self._limit,
            mode=self._mode,
            search_filter=self._narrowing,
            history=self._history,
        )
        return [_node(passage) for passage in passages]


class SovereignEmbedding(BaseEmbedding):
    """The local embedding model, with its prefixes for questions and passages."""

    _embedder: Embedder = PrivateAttr()

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(model_name=embedder.model_id)
        self._embedder = embedder

    def _get_query_embedding(self, query: str) -> list[float]:
        return _numbers(self._embedder.embed_queries([query])[0])

    async def _aget_query_embedding(self, query: str) -> list[float]:
        return await asyncio.to_thread(self._get_query_embedding, query)

    def _get_text_embedding(self, text: str) -> list[float]:
        return _numbers(self._embedder.embed_passages([text])[0])

    def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return [_numbers(vector) for vector in self._embedder.embed_passages(texts)]

    async def _aget_text_embedding(self, text: str) -> list[float]:
        return await asyncio.to_thread(self._get_text_embedding, text)

    async def _aget_text_embeddings(self, texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(self._get_text_embeddings, texts)


class SovereignLLM(CustomLLM):
    """The local language model, for one tenant; many callers share it.

    Of LlamaIndex's further arguments `max_tokens` and `stop` count; the temperature is the
    setting's.
    """

    _language_model: LanguageModel = PrivateAttr()
    _tenant: str = PrivateAttr()
    _max_tokens: int = PrivateAttr()

    def __init__(
        self, language_model: LanguageModel, *, tenant: str, max_tokens: int = 300
    ) -> None:
        super().__init__()
        self._language_model, self._tenant, self._max_tokens = language_model, tenant, max_tokens

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            model_name=self._language_model.info.id,
            context_window=self._language_model.info.context_tokens,
            num_output=self._max_tokens,
            is_chat_model=True,
        )

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=self._write([Message("user", prompt)], kwargs))

    @llm_completion_callback()
    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        text = ""
        for piece in self._stream([Message("user", prompt)], kwargs):
            text += piece
            yield CompletionResponse(text=text, delta=piece)

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        text = self._write([_message(message) for message in messages], kwargs)
        return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, content=text))

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        text = ""
        for piece in self._stream([_message(message) for message in messages], kwargs):
            text += piece
            answer = ChatMessage(role=MessageRole.ASSISTANT, content=text)
            yield ChatResponse(message=answer, delta=piece)

    def _write(self, messages: Sequence[Message], options: Mapping[str, Any]) -> str:
        return "".join(self._stream(messages, options))

    def _stream(self, messages: Sequence[Message], options: Mapping[str, Any]) -> Iterator[str]:
        for piece in self._language_model.stream(
            CompletionRequest(
                messages,
                tenant=self._tenant,
                max_tokens=options.get("max_tokens") or self._max_tokens,
                stop=options.get("stop") or (),
            )
        ):
            if piece.text:
                yield piece.text


_FOR_MODELS = {"title", "headings"}


def _node(passage: Passage) -> NodeWithScore:
    chunk = passage.chunk
    metadata = {
        "document_id": chunk.document_id,
        "title": label(passage.title),
        "uri": passage.uri,
        "headings": " > ".join(map(label, chunk.heading_path)),
        "pages": [span.page for span in chunk.spans] if passage.paged else [],
        "spans": [[span.page, span.start, span.end] for span in chunk.spans],
        **{name: value for name, value in passage.stated.plain().items() if name != "title"},
        "language": chunk.language,
    }
    rest = sorted(metadata.keys() - _FOR_MODELS)
    node = TextNode(
        id_=passage.id,
        text=chunk.text,
        metadata=metadata,
        excluded_llm_metadata_keys=rest,
        excluded_embed_metadata_keys=rest,
    )
    return NodeWithScore(node=node, score=passage.score)


def _numbers(vector: NDArray[np.float32]) -> list[float]:
    return [float(number) for number in vector]


def _message(message: ChatMessage) -> Message:
    match message.role:
        case MessageRole.SYSTEM | MessageRole.DEVELOPER:
            return Message("system", message.content or "")
        case MessageRole.ASSISTANT | MessageRole.CHATBOT | MessageRole.MODEL:
            return Message("assistant", message.content or "")
        case _:
            return Message("user", message.content or "")
