"""What the service sends is what its description says, field for field."""

import copy
from collections.abc import Callable
from typing import Any

import httpx
import jsonschema
import pytest

from tests.api.conftest import Product

LAW = "Informationsfreiheitsgesetz-Auszug.eml"
QUESTION = {"question": "Quelle est la température maximale de chauffage d'un logement ?"}

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
    "a refusal": ("get /v1/documents/{document_id}", lambda c, p: c.get("/v1/documents/none")),
}


@pytest.mark.parametrize("sent", SENT)
def test_a_body_is_what_the_description_says(product: Product, sent: str) -> None:
    operation, call = SENT[sent]

    with product.client("admin") as client:
        page = client.get("/openapi.json").json()
        response = call(client, product)

    jsonschema.validate(response.json(), _schema(page, operation, response.status_code))


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


def _schema(page: dict[str, Any], operation: str, status: int) -> dict[str, Any]:
    """The schema of a response, by which nothing may be missing and nothing may be added."""
    method, path = operation.split(" ")
    described = page["paths"][path][method]["responses"][str(status)]
    schema: dict[str, Any] = copy.deepcopy(described["content"]["application/json"]["schema"])
    schema["components"] = copy.deepcopy(page["components"])
    for one in schema["components"]["schemas"].values():
        if "properties" in one:
            one["required"] = list(one["properties"])
            one["additionalProperties"] = False
    return schema
