"""The description that clients are generated from: scopes, refusals as they are, examples."""

import json
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from sovereign_rag.http.permissions import described_needs

Schema = dict[str, Any]

_DOCUMENT: Final = "0b1f6c1e-6f0a-5c57-9d1e-3a2f5b7c8d9e"
_QUESTION: Final = "What quarterly dividend did the Amcor board declare?"

BODIES: Final[dict[str, Any]] = {
    "ask": {"question": _QUESTION, "media_types": ["application/pdf"]},
    "search": {"query": "quarterly dividend", "limit": 5},
    "facets": {"languages": ["en"]},
    "edit_document": {"readers": ["group:hr", "user:ana"], "metadata": {"tags": ["budget"]}},
    "edit_documents": {"documents": [_DOCUMENT], "readers": ["group:hr"]},
    "delete_documents": {"documents": [_DOCUMENT]},
    "create_key": {"user": "ana", "groups": ["hr"], "expires": "2027-01-31T00:00:00Z"},
    "rotate_key": {"overlap_s": 86_400},
    "grant_role": {"user": "ana", "role": "curator", "curates": ["group:hr"]},
    "add_curated": {
        "wordings": ["When does the canteen open?"],
        "texts": {"en": "The canteen opens at half past eleven."},
        "sources": [{"document": "canteen.md", "quote": "opens at half past eleven"}],
        "due": "2027-06-30",
    },
    "change_curated": {
        "wordings": ["When does the canteen open?"],
        "texts": {"en": "The canteen opens at noon."},
        "sources": [{"document": "canteen.md", "quote": "opens at noon"}],
        "due": "2027-06-30",
        "revision": 1,
    },
    "change_setting": {"name": "history.keep_days", "value": 30},
    "check_curated": {"due": "2027-12-31"},
    "complete": {
        "model": "sovereign-rag",
        "messages": [{"role": "user", "content": _QUESTION}],
    },
    "embed": {"model": "sovereign-rag", "input": ["Quarterly dividend"], "input_type": "query"},
    "search_store": {"query": "quarterly dividend", "max_num_results": 5},
}
"""What somebody sends, by the operation's name; a test asks for one of each that takes JSON."""

REFUSALS: Final[dict[str, tuple[str, str]]] = {
    "400": ("BadInput", "limit must be from 1 to 100, got 500."),
    "401": ("Unauthenticated", "The key is not valid, or was ended. Ask an admin for another."),
    "403": ("Forbidden", "This takes the scope admin, which this caller has not."),
    "404": ("NotFound", "There is no such document."),
    "408": ("RequestTimeout", "The request did not arrive in time; send it again."),
    "409": ("KeyReused", "The Idempotency-Key came before with other files."),
    "412": ("ContentChanged", "The document has another content than If-Match says."),
    "413": ("TooLarge", "The body is larger than the service takes."),
    "429": ("Busy", "Every place is taken; come again in 5 seconds."),
    "500": ("Unexpected", "The service failed; its log says more under the request's id."),
    "503": ("StoreError", "The vector store can't be reached; try again later."),
}
"""A refusal of each status: its code, and what is said."""

_ANSWERS: Final = Path(__file__).with_name("examples.json")
_TEXT: Final = {"type": "string"}
_BYTES: Final = {"type": "string", "format": "binary"}
_OPENAI_TYPES: Final = {"401": "authentication_error", "429": "rate_limit_error"}


def described(app: FastAPI) -> Schema:
    """The description as it is: a schema's refusal is our 400, not the framework's 422."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                operation["responses"].pop("422", None)
                needed = described_needs(f"{method.upper()} {path}")
                operation["security"] = [{"key": scopes} for scopes in needed]
                _show(operation)
        _show_answers(schema)
        components = schema["components"]
        for name in ("HTTPValidationError", "ValidationError"):
            components["schemas"].pop(name, None)
        components["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = schema
    return app.openapi_schema


def _show(operation: Schema) -> None:
    """Give an operation its examples, what is sent and how it may be refused."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and operation["operationId"] in BODIES:
        body["example"] = BODIES[operation["operationId"]]
    for status, answer in operation["responses"].items():
        for kind, sent in answer.get("content", {}).items():
            # Where nothing is said generators take it for anything at all.
            sent.setdefault("schema", _TEXT if kind.startswith("text/") else _BYTES)
        content = answer.get("content", {}).get("application/json")
        if content is None or status not in REFUSALS:
            continue
        code, detail = REFUSALS[status]
        if content.get("schema", {}).get("$ref", "").endswith("/ErrorBody"):
            content["example"] = {"error": code, "detail": detail, "request_id": "9f86d081884c"}
        elif content.get("schema", {}).get("$ref", "").endswith("/ErrorOut"):
            kind = _OPENAI_TYPES.get(status, "invalid_request_error")
            told = {"message": detail, "type": kind, "param": None, "code": code}
            content["example"] = {"error": told}


def _show_answers(schema: Schema) -> None:
    """Give each operation an example of what it answers: real ones, which a test writes down."""
    answers: dict[str, Any] = json.loads(_ANSWERS.read_text("utf-8"))
    for methods in schema["paths"].values():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                content = answer.get("content", {}).get("application/json")
                if content is not None and status < "300" and operation["operationId"] in answers:
                    content["example"] = answers[operation["operationId"]]
