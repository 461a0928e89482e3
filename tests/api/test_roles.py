"""Every operation of the application, with a key of each role: who gets in is the one table."""

import re
from collections.abc import Iterable, Iterator

import pytest
from fastapi import FastAPI
from starlette.routing import BaseRoute, Route

from sovereign_rag.access import Principal
from sovereign_rag.app import create_app
from sovereign_rag.http.permissions import NEEDS, TOOLS
from sovereign_rag.mcp.tools import TAKES
from sovereign_rag.roles import SCOPES_OF, Role, Scope
from tests.api.conftest import Product

NOWHERE = "00000000-0000-4000-8000-000000000000"
NOT_OURS = {"HEAD", "OPTIONS"}
DOOR = {
    "/mcp",
    "/.well-known/oauth-protected-resource",
    "/.well-known/oauth-protected-resource/mcp",
}


@pytest.fixture(scope="module")
def app(product: Product) -> FastAPI:
    return create_app(product.application)


@pytest.fixture(scope="module")
def secrets(product: Product) -> dict[str, str]:
    """A key of each role, and one of each scope alone."""
    make = product.application.catalog.keys.create
    made = {
        role.value: make(role, f"a-{role}", role=role, curates=reach)[1]
        for role in Role
        for reach in [["group:finance"] if role is Role.CURATOR else []]
    }
    for role in (Role.ADMIN, Role.AUDITOR):
        for scope in SCOPES_OF[role]:
            made[f"only {scope}"] = make(scope, f"a-{role}", role=role, scopes=[scope])[1]
    return made


def scopes(who: str) -> frozenset[Scope]:
    role = who.removeprefix("only ")
    return frozenset({Scope(role)}) if who.startswith("only ") else SCOPES_OF[Role(role)]


def operations(routes: Iterable[BaseRoute]) -> Iterator[str]:
    for route in routes:
        if (included := getattr(route, "original_router", None)) is not None:
            yield from operations(included.routes)
        elif isinstance(route, Route) and route.path not in DOOR:
            yield from (f"{method} {route.path}" for method in (route.methods or set()) - NOT_OURS)


def test_every_operation_is_in_the_table_and_the_table_has_no_other(app: FastAPI) -> None:
    assert {*operations(app.routes), "POST /mcp"} - {"GET /openapi.json"} == set(NEEDS)
    assert set(TOOLS) == set(TAKES)


@pytest.mark.parametrize("who", [*Role, *(f"only {scope}" for scope in Scope)])
def test_an_operation_opens_to_those_whose_scopes_the_table_names(
    product: Product, secrets: dict[str, str], who: str
) -> None:
    headers = {"Authorization": f"Bearer {secrets[who]}", "Sec-Fetch-Site": "same-origin"}
    wrong = {}

    with product.client() as client:
        for operation, need in NEEDS.items():
            method, path = operation.split(" ")
            path = re.sub(r"{number}", "1", path)
            path = re.sub(r"{\w+(?::\w+)?}", NOWHERE[:12], path)
            response = client.request(method, path, headers=headers, json={})
            is_open = not need or not need.isdisjoint(scopes(who))
            if (response.status_code == 403) == is_open:
                wrong[operation] = response.text[:200]

    assert wrong == {}


@pytest.mark.parametrize(("role", "is_open"), [("reader", True), ("auditor", False)])
def test_a_tool_is_refused_as_its_operation_is(
    product: Product, secrets: dict[str, str], role: str, is_open: bool
) -> None:
    asked = {"name": "list_documents", "arguments": {}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked}
    accepts = "application/json, text/event-stream"
    headers = {"Authorization": f"Bearer {secrets[role]}", "Accept": accepts}

    with product.client() as client:
        result = client.post("/mcp", json=message, headers=headers).json()["result"]

    assert result.get("isError", False) is not is_open
    assert ("Forbidden" in result["content"][0]["text"]) is not is_open


def test_the_scopes_of_a_front_ends_key_hold_for_its_people_too() -> None:
    key = Principal("webui", front_end="webui", held_to=frozenset({Scope.ANSWER}))

    assert key.may(Scope.ANSWER)
    assert not key.may(Scope.SEARCH)
