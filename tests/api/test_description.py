"""What the service sends is what its description says, field for field.

`WRITE_EXAMPLES=1 python -m pytest tests/api/test_description.py` makes the examples of answers anew
from what is sent; review the difference.
"""

import copy
import os
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from sovereign_rag.access import local_owner
from tests.api.conftest import Product
from tests.api.examples import FILE as EXAMPLES
from tests.api.examples import keep

OPERATION_IDS = Path(__file__).with_name("operation_ids.txt")
LAW = "Informationsfreiheitsgesetz-Auszug.eml"
QUESTION = {"question": "Quelle est la température maximale de chauffage d'un logement ?"}
CHAT = {
    "model": "sovereign-rag",
    "messages": [{"role": "user", "content": QUESTION["question"]}],
}

Call = Callable[[httpx.Client, Product], httpx.Response]
SENT: dict[str, tuple[str, Call]] = {
    "an answer": ("post /v1/answers", lambda c, p: c.post("/v1/answers", json=QUESTION)),
    "an answer that was not found": (
        "post /v1/answers",
        lambda c, p: c.post("/v1/answers", json={"question": "Who won the cup in 1987?"}),
    ),
    "a search": ("post /v1/search", lambda c, p: c.post("/v1/search", json={"query": "heating"})),
    "counts": ("post /v1/search/facets", lambda c, p: c.post("/v1/search/facets", json={})),
    "documents": ("get /v1/documents", lambda c, p: c.get("/v1/documents")),
    "a document": (
        "get /v1/documents/{document_id}",
        lambda c, p: c.get(f"/v1/documents/{p.documents[LAW]}"),
    ),
    "a document with other readers": (
        "patch /v1/documents/{document_id}",
        lambda c, p: c.patch(f"/v1/documents/{p.documents[LAW]}", json={"readers": ["everyone"]}),
    ),
    "several documents with other readers": (
        "post /v1/documents/edit",
        lambda c, p: c.post(
            "/v1/documents/edit", json={"documents": [p.documents[LAW]], "readers": ["everyone"]}
        ),
    ),
    "why somebody reads it": (
        "get /v1/access/explain",
        lambda c, p: c.get(
            "/v1/access/explain", params={"user": "ana", "document": p.documents[LAW]}
        ),
    ),
    "all pages": (
        "get /v1/documents/{document_id}/pages",
        lambda c, p: c.get(f"/v1/documents/{p.documents[LAW]}/pages"),
    ),
    "a document read again": (
        "post /v1/documents/{document_id}/reread",
        lambda c, p: c.post(f"/v1/documents/{p.documents[LAW]}/reread"),
    ),
    "chunks": (
        "get /v1/documents/{document_id}/chunks",
        lambda c, p: c.get(f"/v1/documents/{p.documents[LAW]}/chunks"),
    ),
    "a document to take along": (
        "get /v1/documents/{document_id}/export",
        lambda c, p: c.get(f"/v1/documents/{p.documents[LAW]}/export"),
    ),
    "a page": (
        "get /v1/documents/{document_id}/pages/{number}",
        lambda c, p: c.get(f"/v1/documents/{p.documents[LAW]}/pages/1"),
    ),
    "an upload": (
        "post /v1/documents",
        lambda c, p: c.post("/v1/documents", files={"file": ("described.txt", b"Described.")}),
    ),
    "jobs": ("get /v1/jobs", lambda c, p: c.get("/v1/jobs")),
    "a job": ("get /v1/jobs/{job_id}", lambda c, p: c.get(f"/v1/jobs/{_upload(c)}")),
    "a job's documents": (
        "get /v1/jobs/{job_id}/documents",
        lambda c, p: c.get(f"/v1/jobs/{_upload(c)}/documents"),
    ),
    "a cancelled job": (
        "post /v1/jobs/{job_id}/cancel",
        lambda c, p: c.post(f"/v1/jobs/{_upload(c)}/cancel"),
    ),
    "a job tried again": (
        "post /v1/jobs/{job_id}/retry",
        lambda c, p: c.post(f"/v1/jobs/{_upload(c)}/retry"),
    ),
    "life": ("get /healthz", lambda c, p: c.get("/healthz")),
    "readiness": ("get /readyz", lambda c, p: c.get("/readyz")),
    "models": ("get /v1/models", lambda c, p: c.get("/v1/models")),
    "a model": ("get /v1/models/{model}", lambda c, p: c.get("/v1/models/sovereign-rag")),
    "a completion": (
        "post /v1/chat/completions",
        lambda c, p: c.post("/v1/chat/completions", json=CHAT),
    ),
    "embeddings": (
        "post /v1/embeddings",
        lambda c, p: c.post("/v1/embeddings", json={"model": "sovereign-rag", "input": ["Tea"]}),
    ),
    "a search of a vector store": (
        "post /v1/vector_stores/{store}/search",
        lambda c, p: c.post("/v1/vector_stores/documents/search", json={"query": "heating"}),
    ),
    "a refusal by the protocol": (
        "get /v1/models/{model}",
        lambda c, p: c.get("/v1/models/none"),
    ),
    "who calls": ("get /v1/me", lambda c, p: c.get("/v1/me")),
    "usage": ("get /v1/usage", lambda c, p: c.get("/v1/usage")),
    "settings": ("get /v1/settings", lambda c, p: c.get("/v1/settings?changed=true")),
    "a changed setting": ("patch /v1/settings", lambda c, p: _changed(c)),
    "an undone setting": (
        "post /v1/settings/{name}/undo",
        lambda c, p: (_changed(c), c.post("/v1/settings/house.notice/undo"))[1],
    ),
    "messages": ("get /v1/webhooks/deliveries", lambda c, p: c.get("/v1/webhooks/deliveries")),
    "a message sent again": (
        "post /v1/webhooks/deliveries/{delivery_id}/resend",
        lambda c, p: c.post(f"/v1/webhooks/deliveries/{_ping(c)}/resend"),
    ),
    "a message to try": (
        "post /v1/webhooks/{name}/ping",
        lambda c, p: c.post("/v1/webhooks/tickets/ping"),
    ),
    "keys": ("get /v1/keys", lambda c, p: c.get("/v1/keys")),
    "a key": ("post /v1/keys", lambda c, p: c.post("/v1/keys", json={"user": "noor"})),
    "a key that gave way": (
        "post /v1/keys/{key_id}/rotate",
        lambda c, p: c.post(f"/v1/keys/{_key(c)}/rotate", json={"overlap_s": 60}),
    ),
    "a key that was ended": (
        "delete /v1/keys/{key_id}",
        lambda c, p: c.delete(f"/v1/keys/{_key(c)}"),
    ),
    "answers of the house": (
        "get /v1/curated",
        lambda c, p: _curated(c, p, lambda kept: c.get("/v1/curated")),
    ),
    "an answer of the house that was kept": (
        "post /v1/curated",
        lambda c, p: c.post("/v1/curated", json=_curated_body(p)),
    ),
    "an answer of the house": (
        "get /v1/curated/{answer_id}",
        lambda c, p: _curated(c, p, lambda kept: c.get(f"/v1/curated/{kept}")),
    ),
    "an answer of the house that was changed": (
        "put /v1/curated/{answer_id}",
        lambda c, p: _curated(
            c, p, lambda kept: c.put(f"/v1/curated/{kept}", json=_curated_body(p) | {"revision": 1})
        ),
    ),
    "an answer of the house that was checked": (
        "post /v1/curated/{answer_id}/check",
        lambda c, p: _curated(
            c, p, lambda kept: c.post(f"/v1/curated/{kept}/check", json={"due": _soon()})
        ),
    ),
    "granted roles": ("get /v1/roles", lambda c, p: c.get("/v1/roles")),
    "a role": (
        "post /v1/roles",
        lambda c, p: c.post("/v1/roles", json={"user": "noor", "role": "auditor"}),
    ),
    "a role that was taken back": (
        "delete /v1/roles/{user}/{role}",
        lambda c, p: c.delete(f"/v1/roles/{_granted(c)}/auditor"),
    ),
    "a refusal": ("get /v1/documents/{document_id}", lambda c, p: c.get("/v1/documents/none")),
}


def _ping(client: httpx.Client) -> str:
    made: str = client.post("/v1/webhooks/tickets/ping").json()["id"]
    return made


def _soon() -> str:
    return (datetime.now(UTC) + timedelta(days=30)).date().isoformat()


def _curated_body(product: Product) -> dict[str, Any]:
    pages = product.application.documents.pages(product.documents[LAW], local_owner())
    line = max(pages[0].text.splitlines(), key=len)
    return {
        "wordings": [f"Described {uuid.uuid4()}?"],
        "texts": {"de": "So."},
        "sources": [{"document": product.documents[LAW], "quote": line[:80]}],
        "due": _soon(),
    }


def _curated(
    client: httpx.Client, product: Product, call: Callable[[str], httpx.Response]
) -> httpx.Response:
    """What is answered while an answer of the house is kept."""
    kept = client.post("/v1/curated", json=_curated_body(product)).json()["id"]
    try:
        return call(kept)
    finally:
        client.delete(f"/v1/curated/{kept}")


def _changed(client: httpx.Client) -> httpx.Response:
    return client.patch("/v1/settings", json={"name": "house.notice", "value": None})


def _granted(client: httpx.Client) -> str:
    client.post("/v1/roles", json={"user": "noor", "role": "auditor"})
    return "noor"


def _key(client: httpx.Client) -> str:
    made: str = client.post("/v1/keys", json={"user": "noor"}).json()["key"]["id"]
    return made


@pytest.mark.parametrize("sent", SENT)
def test_a_body_is_what_the_description_says(product: Product, sent: str) -> None:
    operation, call = SENT[sent]

    with product.client("admin") as client:
        page = client.get("/openapi.json").json()
        response = call(client, product)

    jsonschema.validate(response.json(), _schema(page, operation, response.status_code))
    first = next(name for name, (asked, _) in SENT.items() if asked == operation)
    if "WRITE_EXAMPLES" in os.environ and sent == first:
        method, path = operation.split(" ")
        keep(page["paths"][path][method]["operationId"], response.json())


def test_every_operation_shows_an_answer_that_is_one(product: Product) -> None:
    with product.client() as client:
        page = client.get("/openapi.json").json()

    lacking, wrong = set(), {}
    for path, methods in page["paths"].items():
        for method, operation in methods.items():
            for status, answer in operation["responses"].items():
                told = answer.get("content", {}).get("application/json")
                if told is None or status >= "300":
                    continue
                if "example" not in told:
                    lacking.add(operation["operationId"])
                    continue
                schema = _schema(page, f"{method} {path}", int(status))
                for error in jsonschema.Draft202012Validator(schema).iter_errors(told["example"]):
                    wrong[operation["operationId"]] = error.message

    assert (lacking, wrong) == (set(), {})
    assert "pytest-" not in EXAMPLES.read_text("utf-8")  # no folder of a test


def test_operations_keep_their_names(product: Product) -> None:
    """Clients are generated with them: one that is renamed or goes breaks those that exist."""
    with product.client() as client:
        page = client.get("/openapi.json").json()

    names = {
        f"{operation['operationId']} {method.upper()} {path}"
        for path, methods in page["paths"].items()
        for method, operation in methods.items()
    }
    known = set(OPERATION_IDS.read_text("utf-8").splitlines())
    assert (known - names, names - known) == (set(), set()), f"say it in {OPERATION_IDS.name}"


def test_every_operation_that_sends_json_is_asked(product: Product) -> None:
    with product.client() as client:
        page = client.get("/openapi.json").json()

    described = {
        f"{method} {path}"
        for path, methods in page["paths"].items()
        for method, operation in methods.items()
        if any(
            "application/json" in answer.get("content", {})
            for status, answer in operation["responses"].items()
            if status < "300"
        )
    }
    assert described == {operation for operation, _ in SENT.values()}


@pytest.mark.parametrize("wrong", ["left out", "added", "another kind"])
def test_an_answer_that_differs_from_its_description_is_noticed(
    product: Product, wrong: str
) -> None:
    with product.client("admin") as client:
        page = client.get("/openapi.json").json()
        response = client.post("/v1/answers", json=QUESTION)
    body = response.json()
    quote = body["statements"][0]["citations"][0]
    match wrong:
        case "left out":
            del quote["verified"]
        case "added":
            quote["readers"] = ["user:ana"]
        case _:
            quote["start"] = "0"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(body, _schema(page, "post /v1/answers", response.status_code))


def _upload(client: httpx.Client) -> str:
    sent = client.post("/v1/documents", files={"file": ("described.txt", b"Described.")})
    job: str = sent.json()["job_id"]
    return job


LEFT_OUT = {"tool_calls"}  # where there is none: OpenAI's protocol has a list there, or nothing


def _schema(page: dict[str, Any], operation: str, status: int) -> dict[str, Any]:
    """The schema of a response, by which nothing may be missing and nothing may be added."""
    method, path = operation.split(" ")
    described = page["paths"][path][method]["responses"][str(status)]
    schema: dict[str, Any] = copy.deepcopy(described["content"]["application/json"]["schema"])
    schema["components"] = copy.deepcopy(page["components"])
    for one in schema["components"]["schemas"].values():
        if "properties" in one:
            one["required"] = [name for name in one["properties"] if name not in LEFT_OUT]
            one["additionalProperties"] = False
    return schema
