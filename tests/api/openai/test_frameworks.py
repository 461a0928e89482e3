"""Frameworks speak OpenAI's protocol by their own classes, unmodified: LangChain, LlamaIndex."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import openai
import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from pydantic import SecretStr

from sovereign_rag.embedding.dense import DenseEmbedder
from tests.api.conftest import Product

HEATING: Final = "Quelle est la température maximale de chauffage d'un logement ?"
SALARY: Final = "What is the salary band of grade seven?"
TEXTS: Final = ["Le chauffage d'un logement", "A quarterly dividend"]

Chat = Callable[..., ChatOpenAI]


@pytest.fixture
def chat(product: Product) -> Chat:
    """Makes LangChain's chat model with the key of somebody."""

    def make(who: str, **more: Any) -> ChatOpenAI:
        key = SecretStr(product.keys.get(who, who))
        return ChatOpenAI(
            base_url=f"{product.url}/v1", api_key=key, model="sovereign-rag", max_retries=0, **more
        )

    return make


def test_langchain_asks_and_has_marks_with_their_places(chat: Chat) -> None:
    answer = chat("ana").invoke([HumanMessage(HEATING)])

    assert isinstance(answer, AIMessage)
    assert "19" in answer.text
    assert "[1]" in answer.text
    assert answer.response_metadata["model_name"] == "sovereign-rag"
    assert answer.usage_metadata is not None
    assert answer.usage_metadata["total_tokens"] == 0  # quotes alone answered


def test_langchain_streams_the_same_text(chat: Chat) -> None:
    asking = chat("ana", stream_usage=True)

    pieces = list(asking.stream(HEATING))

    assert "".join(piece.text for piece in pieces) == asking.invoke(HEATING).text
    assert len(pieces) > 1


@pytest.mark.parametrize(("who", "knows"), [("hugo", True), ("ana", False)])
def test_langchain_is_answered_within_the_rights_of_its_key(
    chat: Chat, who: str, knows: bool
) -> None:
    assert ("74,000" in chat(who).invoke(SALARY).text) is knows


def test_langchain_s_filters_go_along_beside_the_question(chat: Chat) -> None:
    in_german = chat("ana", extra_body={"languages": ["de"]}).invoke(HEATING)
    in_french = chat("ana", extra_body={"languages": ["fr"]}).invoke(HEATING)

    assert ("19" in in_german.text, "19" in in_french.text) == (False, True)


def test_langchain_embeds_as_the_index_does(product: Product, embedder: DenseEmbedder) -> None:
    embeddings = OpenAIEmbeddings(
        openai_api_base=f"{product.url}/v1",
        openai_api_key=SecretStr(product.keys["ana"]),
        model="sovereign-rag",
        check_embedding_ctx_length=False,  # else it sends numbers of another model's tokens
    )

    found = embeddings.embed_documents(TEXTS)

    assert np.allclose(found, embedder.embed_passages(TEXTS), atol=1e-5)


def test_llama_index_embeds_as_the_index_does(product: Product, embedder: DenseEmbedder) -> None:
    embedding = OpenAILikeEmbedding(
        model_name="sovereign-rag",
        api_base=f"{product.url}/v1",
        api_key=product.keys["ana"],
        max_retries=0,
    )

    found = embedding.get_text_embedding_batch(TEXTS)

    assert np.allclose(found, embedder.embed_passages(TEXTS), atol=1e-5)


def test_langchain_tells_why_a_key_is_refused(chat: Chat) -> None:
    with pytest.raises(openai.AuthenticationError, match="The key is not valid"):
        chat("srag_nobody").invoke(HEATING)
