"""What is told of the work: usage, metrics, request ids, refusals; and never a question."""

import json
import logging

import pytest

from sovereign_rag.roles import Role
from sovereign_rag.services.limits import Limiter
from sovereign_rag.settings.limits import LimitSettings
from sovereign_rag.system.logs import JsonLines, request_id_var
from tests.api.conftest import Product
from tests.cli.running import CommandLine

QUESTION = "Quelle est la température de chauffage?"


@pytest.fixture(scope="module")
def auditor(product: Product) -> dict[str, str]:
    _, secret = product.application.catalog.keys.create("olga", "olga", role=Role.AUDITOR)
    return {"Authorization": f"Bearer {secret}"}


def test_usage_counts_questions_by_person_and_holds_no_text(
    product: Product, auditor: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    _, secret = product.application.catalog.keys.create("uma", "uma")
    uma = {"Authorization": f"Bearer {secret}"}
    cli = CommandLine(product.application.settings.data_dir, capsys)

    with product.client() as client:
        for question in (QUESTION, "Wie hoch ist der Mond über Xanadu?"):
            client.post("/v1/answers", json={"question": question}, headers=uma).raise_for_status()
        told = client.get("/v1/usage", params={"by": ["person", "key"]}, headers=auditor)
        refused = client.get("/v1/usage", headers=uma)
    by_command = cli("usage", "--by", "person", "--json").json["rows"]

    (mine,) = [row for row in told.json()["rows"] if row["person"] == "user:uma"]
    assert (mine["questions"], mine["refusals"], mine["day"]) == (2, 1, None)
    assert mine["key"] in secret
    assert "chauffage" not in told.text
    assert refused.status_code == 403
    assert [row["questions"] for row in by_command if row["person"] == "user:uma"] == [2]
    actions = {record.entry.action for record in product.application.audit.read()}
    assert "usage" in actions


def test_another_tenants_usage_is_not_told(product: Product) -> None:
    with product.client("stranger") as client:
        told = client.get("/v1/usage", params={"by": "person"}).json()

    assert told["tenant"] == "elsewhere"
    assert "user:uma" not in {row["person"] for row in told["rows"]}


def test_metrics_count_operations_and_name_no_document_and_no_person(
    product: Product, auditor: dict[str, str]
) -> None:
    document = product.documents["Temperature-de-chauffage.pdf"]
    with product.client("ana") as client:
        client.get(f"/v1/documents/{document}")
        client.get("/invented/by/a/caller")
        refused = client.get("/metrics")
        told = client.get("/metrics", headers=auditor)

    assert refused.status_code == 403
    line = 'sovereign_rag_requests_total{operation="GET /v1/documents/{document_id}",status="200"}'
    assert line in told.text
    assert not any(word in told.text for word in (document, "invented", "ana"))


@pytest.mark.parametrize("given", ["check-0123456789", "no good id!", ""])
def test_a_request_has_an_id_that_its_refusal_names(product: Product, given: str) -> None:
    with product.client("ana") as client:
        response = client.get("/v1/documents/none", headers={"X-Request-ID": given})

    told = response.headers["x-request-id"]
    assert response.json()["request_id"] == told
    assert (told == given) is (given == "check-0123456789")


def test_what_somebody_may_not_do_is_on_the_record(product: Product) -> None:
    with product.client("ana") as client:
        assert client.get("/v1/keys").status_code == 403
        assert client.get("/v1/documents").status_code == 200

    refusals = [r.entry for r in product.application.audit.read() if r.entry.action == "refused"]
    assert ("user:ana", "GET /v1/keys") in {(e.principal, e.detail["operation"]) for e in refusals}
    assert ("user:ana", "GET /v1/documents") not in {
        (e.principal, e.detail["operation"]) for e in refusals
    }


def test_a_share_that_is_used_up_is_told_with_when_to_come_again(product: Product) -> None:
    application = product.application
    _, secret = application.catalog.keys.create("lia", "lia")
    lia = {"Authorization": f"Bearer {secret}"}
    before = application.oversight.limiter
    application.oversight.limiter = Limiter(LimitSettings(person_requests=("2/day",)))
    try:
        with product.client() as client:
            answers = [client.get("/v1/me", headers=lia) for _ in range(3)]
            protocol = client.get("/v1/models", headers=lia)
            others = client.get(
                "/v1/me", headers={"Authorization": f"Bearer {product.keys['ana']}"}
            )
    finally:
        application.oversight.limiter = before

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert [answer.headers.get("ratelimit-remaining") for answer in answers[:2]] == ["1", "0"]
    assert int(answers[2].headers["retry-after"]) > 0
    assert answers[2].json()["error"] == "LimitReached"
    assert (protocol.status_code, others.status_code) == (200, 200)  # a list asks for nothing


def test_a_line_of_the_log_is_one_object_with_the_requests_id() -> None:
    record = logging.makeLogRecord({"name": "sovereign_rag.x", "msg": "a\nb %s", "args": ("c",)})
    token = request_id_var.set("the-request")

    line = JsonLines().format(record)
    request_id_var.reset(token)

    assert "\n" not in line
    assert json.loads(line)["message"] == "a\nb c"
    assert json.loads(line)["request_id"] == "the-request"
