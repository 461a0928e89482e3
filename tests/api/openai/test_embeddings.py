"""Texts as vectors by OpenAI's protocol: those that the documents were embedded with."""

from typing import Any

import numpy as np
import openai
import pytest

from sovereign_rag.embedding.dense import DenseEmbedder
from tests.api.conftest import Product
from tests.api.openai.conftest import Connect

TEXTS = ["The gate opens at nine.", "Das Tor öffnet um neun Uhr."]


def test_passages_and_questions_are_embedded_as_the_documents_were(
    connect: Connect, embedder: DenseEmbedder
) -> None:
    client = connect("ana")

    passages = client.embeddings.create(model="sovereign-rag", input=TEXTS)
    question = client.embeddings.create(
        model="sovereign-rag", input=TEXTS[0], extra_body={"input_type": "query"}
    )

    ours = embedder.embed_passages(TEXTS)
    assert passages.model == embedder.model_id
    assert [one.index for one in passages.data] == [0, 1]
    for one, vector in zip(passages.data, ours, strict=True):
        assert float(np.dot(one.embedding, vector)) == pytest.approx(1, abs=1e-3)
    asked = float(np.dot(question.data[0].embedding, embedder.embed_queries(TEXTS[:1])[0]))
    assert asked == pytest.approx(1, abs=1e-3)
    assert question.data[0].embedding != passages.data[0].embedding
    assert passages.usage.prompt_tokens > 0


def test_numbers_and_base64_say_the_same(connect: Connect) -> None:
    client = connect("ana")

    numbers = client.embeddings.create(
        model="sovereign-rag", input=TEXTS[0], encoding_format="float"
    )
    packed = client.embeddings.create(model="sovereign-rag", input=TEXTS[0])  # base64, unpacked

    assert np.allclose(numbers.data[0].embedding, packed.data[0].embedding, atol=1e-3)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"input": [[1, 2, 3]]}, "token"),
        ({"input": ""}, "empty"),
        ({"input": "word " * 2_000}, "tokens"),
        ({"input": "x", "dimensions": 7}, "dimensions"),
        ({"input": "x", "extra_body": {"input_type": "poem"}}, "input_type"),
    ],
)
def test_what_can_not_be_embedded_as_asked_is_refused(
    connect: Connect, more: dict[str, Any], word: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=word):
        connect("ana").embeddings.create(model="sovereign-rag", **more)


def test_who_embeds_is_recorded_and_not_what(product: Product, connect: Connect) -> None:
    connect("ana").embeddings.create(model="sovereign-rag", input=TEXTS)

    entry = list(product.application.audit.read())[-1].entry
    assert (entry.action, entry.principal) == ("embed", "user:ana")
    assert entry.detail["texts"] == 2
    assert not any(text in str(entry.detail) for text in TEXTS)


# ---- vector stores ----------------------------------------------------------------------------


def test_a_vector_store_is_searched_within_the_caller_s_rights(
    product: Product, connect: Connect
) -> None:
    client = connect("ana")

    page = client.vector_stores.search(
        "documents", query="Dillon appointed chief executive", max_num_results=3
    )

    best = page.data[0]
    assert best.file_id == product.documents["Foot-Locker-2022-08-19-Press-Release.eml"]
    assert best.filename == "Foot-Locker-2022-08-19-Press-Release.eml"
    assert "Dillon" in best.content[0].text
    assert best.attributes is not None
    assert str(best.attributes["url"]).startswith(f"{product.url}/documents/{best.file_id}/pages/")
    scores = [one.score for one in page.data]
    assert scores[0] == max(scores) == 1.0
    assert min(scores) >= 0
    assert len(scores) <= 3


def test_filters_of_a_store_are_kept_to(product: Product, connect: Connect) -> None:
    client = connect("ana")

    page = client.vector_stores.search(
        "documents",
        query=["Dillon appointed chief executive", "Information"],
        filters={
            "type": "and",
            "filters": [
                {"type": "eq", "key": "language", "value": "de"},
                {"type": "ne", "key": "document_id", "value": "none"},
            ],
        },
    )

    law = product.documents["Informationsfreiheitsgesetz-Auszug.eml"]
    assert {one.file_id for one in page.data} == {law}


@pytest.mark.parametrize(
    "filters",
    [
        {"type": "gt", "key": "modified", "value": "2020-01-01"},
        {"type": "eq", "key": "colour", "value": "red"},
        {
            "type": "or",
            "filters": [
                {"type": "eq", "key": "language", "value": "de"},
                {"type": "eq", "key": "label", "value": "everyone"},
            ],
        },
    ],
)
def test_a_filter_that_can_not_be_kept_to_is_refused(
    connect: Connect, filters: dict[str, object]
) -> None:
    with pytest.raises(openai.BadRequestError, match="document_id with =="):
        connect("ana").vector_stores.search("documents", query="gate", filters=filters)  # type: ignore[arg-type]  # wrong on purpose


def test_there_is_one_store(connect: Connect) -> None:
    with pytest.raises(openai.NotFoundError):
        connect("ana").vector_stores.search("vs_of_somebody", query="gate")
