"""Who did what by which way in, as the audit record tells it of a running service."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from sovereign_rag.catalog.keys import key_id_of
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.http.looks import LOOK_EVERY_S
from tests.api.conftest import HEATING, Product
from tests.api.test_identity import signed_in

PARKING = b"# Parking\n\nThe yard has forty places."


def recorded_by(product: Product, act: Callable[[], object]) -> list[AuditEntry]:
    """What came on the record while `act` was done."""
    audit = product.application.audit
    before = max((record.number for record in audit.read()), default=0)
    act()
    return [record.entry for record in audit.read(after=before)]


def get(product: Product, who: str, path: str) -> Callable[[], httpx.Response]:
    def ask() -> httpx.Response:
        with product.client(who) as client:
            return client.get(path)

    return ask


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/v1/documents", "documents.list"),
        ("/v1/documents/{document}", "document"),
        ("/v1/documents/{document}/pages/1", "page"),
        ("/documents", "documents.list"),
        ("/documents/{document}/pages/1", "page"),
        ("/v1/jobs", "jobs.list"),
        ("/v1/jobs/{job}", "job"),
        ("/v1/jobs/{job}/documents", "job.documents"),
    ],
)
def test_what_is_looked_at_is_on_the_record_with_who_looked(
    product: Product, path: str, action: str
) -> None:
    document = product.documents[Path(HEATING).name]
    with product.client("admin") as client:
        job = client.post("/v1/documents", files={"file": ("parking.md", PARKING)}).json()["job_id"]
        salaries = product.documents["salaries.md"]

    recorded = recorded_by(product, get(product, "admin", path.format(document=document, job=job)))

    (entry,) = [one for one in recorded if one.action == action]
    assert entry.principal == "user:adam"
    assert entry.by == {
        "groups": [],
        "clearance": 0,
        "key": key_id_of(product.keys["admin"]),
        "address": "127.0.0.1",
    }
    if action == "documents.list":
        assert document in entry.detail["documents"]
        assert salaries not in entry.detail["documents"]


def test_a_page_of_a_list_tells_those_alone_that_it_shows(product: Product) -> None:
    def look() -> httpx.Response:
        return get(product, "admin", "/v1/documents?limit=1")()

    (entry,) = recorded_by(product, look)
    shown = look().json()

    assert entry.detail["documents"] == [shown["documents"][0]["document_id"]]
    assert shown["next"] == shown["documents"][0]["document_id"]


def test_what_was_not_found_is_not_told_as_seen(product: Product) -> None:
    salaries = product.documents["salaries.md"]

    entries = recorded_by(product, get(product, "ana", f"/v1/documents/{salaries}"))

    assert entries == []


def test_following_a_job_is_one_look(product: Product) -> None:
    with product.client("admin") as client:
        job = client.post("/v1/documents", files={"file": ("parking.md", PARKING)}).json()["job_id"]

        def follow() -> None:
            with client.stream("GET", f"/v1/jobs/{job}/events") as stream, closing(stream):
                assert next(stream.iter_lines())
                client.get("/healthz", timeout=LOOK_EVERY_S * 60)

        entries = recorded_by(product, follow)

    assert [entry.action for entry in entries] == ["job"]


def test_signing_in_and_out_is_on_the_record_with_the_key(product: Product) -> None:
    def come_and_go() -> None:
        with signed_in(product, "ana") as client:
            client.get("/v1/documents")
            client.post("/sign-out", headers={"Origin": product.url})
            client.post("/sign-out", headers={"Origin": product.url})  # of nobody any more

    entries = recorded_by(product, come_and_go)

    assert [(e.action, e.principal) for e in entries] == [
        ("sign_in", "user:ana"),
        ("documents.list", "user:ana"),
        ("sign_out", "user:ana"),
    ]
    expected = {
        "groups": ["finance"],
        "clearance": 0,
        "key": key_id_of(product.keys["ana"]),
        "address": "127.0.0.1",
    }
    assert [entry.by for entry in entries] == [expected] * 3


def test_who_signs_in_where_somebody_was_ends_that_session_on_the_record(
    product: Product,
) -> None:
    def change_places() -> None:
        with signed_in(product, "ana") as client:
            client.post(
                "/sign-in", data={"key": product.keys["hugo"]}, headers={"Origin": product.url}
            )

    entries = recorded_by(product, change_places)

    assert [(e.action, e.principal) for e in entries] == [
        ("sign_in", "user:ana"),
        ("sign_in", "user:hugo"),
        ("sign_out", "user:ana"),
    ]


def test_failed_attempts_are_on_the_record_with_their_source_and_no_secret(
    product: Product,
) -> None:
    wrong = "srag_0123456789ab_no-such-secret"
    product.application.attempts.sum_up()  # what other tests tried

    def try_all() -> None:
        with product.client() as client:
            for _ in range(3):
                client.get("/v1/documents", headers={"Authorization": f"Bearer {wrong}"})
            client.get("/v1/documents", headers={"Cookie": "srag_session=forged"})
            client.post("/sign-in", data={"key": wrong}, headers={"Origin": product.url})
            client.get("/v1/documents")  # nothing was offered, so nothing failed
        product.application.attempts.sum_up()

    entries = recorded_by(product, try_all)

    assert [(e.action, e.principal, e.by, e.detail["attempts"]) for e in entries] == [
        ("sign_in.failed", "nobody", {"address": "127.0.0.1"}, 1),
        ("sign_in.failed", "nobody", {"address": "127.0.0.1"}, 4),
    ]
    assert entries[0].detail["key"] == "0123456789ab"
    assert "no-such-secret" not in str(entries)


def test_who_comes_with_a_good_key_leaves_no_failed_attempt(product: Product) -> None:
    product.application.attempts.sum_up()

    entries = recorded_by(product, get(product, "ana", "/v1/documents"))
    product.application.attempts.sum_up()

    assert [entry.action for entry in entries] == ["documents.list"]
