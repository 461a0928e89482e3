"""Whatever the description of the API allows to be sent, no answer is one that it does not name.

Schemathesis makes the requests, valid ones and others, and follows what one answer leads to. Few of
each by default; `OPERATION_EXAMPLES=200 python -m pytest tests/api/test_every_operation.py` is the
long run.
"""

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import status_code_conformance

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.roles import Role
from sovereign_rag.settings import AnswerSettings, ServerSettings, Settings
from sovereign_rag.wiring import open_service
from tests.api.conftest import Product, serving

EXAMPLES = int(os.environ.get("OPERATION_EXAMPLES", "3"))
CHECKS = [not_a_server_error, status_code_conformance]
ENDLESS = "/v1/jobs/{job_id}/events"  # of a job that nobody works off
ENDING = ("/v1/keys/{key_id}", "/v1/keys/{key_id}/rotate")  # would end the key that asks
KEYS = ("plain", "admin")
RUN = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=EXAMPLES < 10,
    suppress_health_check=list(HealthCheck),
    stateful_step_count=4,
)


@pytest.fixture(scope="module")
def served(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[BaseSchema, dict[str, str]]]:
    """The description of a service of its own, since what is there may be deleted; and keys."""
    letter = tmp_path_factory.mktemp("documents") / "canteen.md"
    letter.write_text("# Canteen\n\nThe canteen opens at half past eleven.\n", encoding="utf-8")
    small = ServerSettings(max_upload_mib=1, max_question_chars=500)
    made = product_settings(answer=AnswerSettings(kind="extracts"), server=small)
    with open_service(made, embedder=embedder) as application:
        application.ingestion.ingest([letter], local_owner(), readers=frozenset({"everyone"}))
        make = application.catalog.keys.create
        keys = {"plain": make("Ana", "ana")[1], "admin": make("Adam", "adam", role=Role.ADMIN)[1]}
        with serving(create_app(application)) as url:
            yield schemathesis.openapi.from_url(f"{url}/openapi.json"), keys


@pytest.mark.parametrize("who", KEYS)
def test_every_operation_answers_with_a_status_that_is_described(
    served: tuple[BaseSchema, dict[str, str]], who: str
) -> None:
    schema, keys = served
    asked = set[str]()

    for found in schema.get_all_operations():
        assert isinstance(found, Ok), "a part of the description makes no sense"
        ask(found.ok(), keys[who])
        asked.add(found.ok().label)

    assert len(asked) > 15


def ask(operation: Any, key: str) -> None:
    @RUN
    @given(case=operation.as_strategy())
    def each(case: Any) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        case.call_and_validate(checks=CHECKS, headers=headers, timeout=300)

    each()


@pytest.mark.parametrize("who", KEYS)
def test_what_one_answer_leads_to_does_too(
    served: tuple[BaseSchema, dict[str, str]], who: str
) -> None:
    schema, keys = served

    class Caller(schema.exclude(path=[ENDLESS, *ENDING]).as_state_machine()):  # type: ignore[misc]  # made of the description
        def get_call_kwargs(self, case: Any) -> dict[str, Any]:
            return {"headers": {"Authorization": f"Bearer {keys[who]}"}, "timeout": 300}

        def validate_response(self, response: Any, case: Any, **_: Any) -> None:
            case.validate_response(response, checks=CHECKS)

    Caller.run(settings=RUN)


def test_the_page_of_every_part_is_closed_unless_the_settings_open_it(
    served: tuple[BaseSchema, dict[str, str]], product: Product
) -> None:
    address = served[0].location or ""
    closed = httpx.get(address.replace("/openapi.json", "/design"))
    with product.client() as client:
        opened = client.get("/design")

    assert (closed.status_code, opened.status_code) == (404, 200)
