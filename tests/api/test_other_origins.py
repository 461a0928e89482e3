"""Pages of other origins ask the API where the admin names them; generated clients keep names."""

from collections import Counter
from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from sovereign_rag.app import create_app
from sovereign_rag.settings import ServerSettings, Settings
from sovereign_rag.wiring import Application
from tests.api.conftest import Product

NAMED, OTHER = "https://app.example.org", "https://elsewhere.example.org"


@pytest.mark.parametrize(
    ("named", "origin", "is_let_in"),
    [((NAMED,), NAMED, True), ((NAMED,), OTHER, False), ((), NAMED, False)],
)
def test_a_page_of_another_origin_is_let_in_where_it_is_named(
    product_settings: Callable[..., Settings], named: tuple[str, ...], origin: str, is_let_in: bool
) -> None:
    application = Application(product_settings(server=ServerSettings(cors_origins=named)))
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    with TestClient(create_app(application), base_url="http://localhost") as client:
        before = client.options("/v1/documents/x", headers=asked)
        answer = client.get("/healthz", headers={"Origin": origin})
    application.close()

    allowed = "access-control-allow-origin"
    assert (before.headers.get(allowed) == origin) is is_let_in
    assert (answer.headers.get(allowed) == origin) is is_let_in
    assert "access-control-allow-credentials" not in before.headers


@pytest.mark.parametrize("wrong", ["*", "app.example.org", "https://app.example.org/path"])
def test_an_origin_that_is_none_is_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match="cors_origins"):
        ServerSettings(cors_origins=(wrong,))


def test_each_operation_has_a_short_name_of_its_own(product: Product) -> None:
    described = create_app(product.application).openapi()["paths"]
    names = Counter(
        operation["operationId"] for methods in described.values() for operation in methods.values()
    )

    assert {name for name, times in names.items() if times > 1} == set()
    assert {"ask", "search", "upload", "list_documents", "edit_document"} <= names.keys()
