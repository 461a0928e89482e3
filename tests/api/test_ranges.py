"""Lists and searches are narrowed by ranges of a custom field: a number or a day."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from sovereign_rag.access import Principal
from sovereign_rag.app import create_app
from sovereign_rag.errors import BadInput
from sovereign_rag.http.filters import Filtered
from sovereign_rag.metadata import FieldValue, Stated
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.catalog.conftest import stored

ANA = Principal("ana")
SAID: dict[str, dict[str, FieldValue]] = {  # by file name
    "a.pdf": {"amount": 9.0, "due": "2024-01-31", "team": "9"},
    "b.pdf": {"amount": 10.5, "due": "2024-02-01", "team": "it"},
    "c.pdf": {"amount": -3.0, "due": "2023-12-31"},
    "d.pdf": {"amount": 100.0},
    "e.pdf": {},
}


@pytest.fixture(scope="module")
def application(product_settings: Callable[..., Settings]) -> Iterator[Application]:
    kinds = {"amount": "number", "due": "date", "team": "keyword"}
    with open_service(product_settings(metadata={"fields": kinds})) as application:
        for name, fields in SAID.items():
            made = stored(f"file:///{name}", title=name)
            application.catalog.documents.publish(made)
            application.catalog.follow_ups.state("default", made.id, Stated(fields=fields))
        yield application


@pytest.fixture(scope="module")
def client(application: Application) -> Iterator[httpx.Client]:
    _, secret = application.catalog.keys.create("a", "ana")
    headers = {"Authorization": f"Bearer {secret}"}
    with (
        serving(create_app(application)) as url,
        httpx.Client(base_url=url, headers=headers, timeout=60) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"field_from": "amount:9"}, "a b d"),
        ({"field_from": "amount:9", "field_to": "amount:10.5"}, "a b"),
        ({"field_to": "amount:-1"}, "c"),
        ({"field_from": "due:2024-01-31"}, "a b"),
        ({"field_to": "due:2024-01-31"}, "a c"),
        ({"field_from": ["due:2024-01-01", "amount:10"]}, "b"),
        ({"field_from": "amount:1000"}, ""),
    ],
)
def test_a_list_holds_what_lies_in_the_range(
    client: httpx.Client, asked: dict[str, str | list[str]], names: str
) -> None:
    body = client.get("/v1/documents", params=asked).raise_for_status().json()

    assert {one["name"][0] for one in body["documents"]} == set(names.split())
    assert body["total"] == len(names.split())


@pytest.mark.parametrize(
    ("fields", "facts"),
    [
        ({"amount": {"from": 9, "to": 11}}, {"field.amount=9.0", "field.amount=10.5"}),
        ({"due": {"to": "2023-12-31"}}, {"field.due=2023-12-31"}),
        ({"team": ["it"]}, {"field.team=it"}),
    ],
)
def test_a_search_is_narrowed_to_the_values_in_the_range(
    application: Application, fields: dict[str, object], facts: set[str]
) -> None:
    asked = Filtered.model_validate({"fields": fields})

    (narrowed,) = asked.search_filter(application, ANA).facts
    elsewhere = asked.search_filter(application, Principal("ana", tenant="other")).facts

    assert narrowed == facts
    assert elsewhere == (frozenset(facts if "team" in fields else ()),)


@pytest.mark.parametrize(
    "asked",
    [
        {"field_from": "team:a"},
        {"field_from": "amount:much"},
        {"field_from": "due:31.1.2024"},
        {"field_to": "colour:1"},
        {"field_from": ["amount:1", "amount:2"]},
    ],
)
def test_a_range_that_is_none_is_refused(
    client: httpx.Client, asked: dict[str, str | list[str]]
) -> None:
    assert client.get("/v1/documents", params=asked).status_code == 400
    assert client.get("/v1/documents", params={"field": "team:it"}).json()["total"] == 1


@pytest.mark.parametrize("field", [{"team": {"from": 1}}, {"amount": {}}, {"x": {"to": 1}}])
def test_a_search_by_a_range_that_is_none_is_refused(
    application: Application, field: dict[str, object]
) -> None:
    with pytest.raises(BadInput):
        Filtered.model_validate({"fields": field}).search_filter(application, ANA)
