"""Jobs over HTTP and on the page: who sees them, how they are followed, cancelled and retried."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sovereign_rag.catalog.records import NewTask, TaskState
from sovereign_rag.domain import LANGUAGES
from tests.api.conftest import Product

HTML = {"Accept": "text/html"}


@pytest.fixture
def job(product: Product) -> Iterator[str]:
    """A job of the key `admin` that nobody works on, of one document that `hr` reads."""
    catalog = product.application.catalog
    tasks = [
        NewTask("upload:pay.md", "pay.md", frozenset({"group:hr"}), 0, content_hash="e" * 64),
        NewTask("upload:open.md", "open.md", frozenset({"everyone"}), 0, content_hash="f" * 64),
    ]
    made = catalog.jobs.create("default", "user:adam", tasks)
    yield made.id
    catalog.jobs.cancel(made.id, "default")


def names(body: dict[str, Any]) -> list[str]:
    return [document["name"] for document in body["documents"]]


def test_an_admin_sees_the_job_and_another_one_the_names_that_it_may_read(
    product: Product, job: str
) -> None:
    with product.client("admin") as own, product.client("other admin") as other:
        whole = own.get(f"/v1/jobs/{job}/documents").json()
        partly = other.get(f"/v1/jobs/{job}/documents").json()
        counts = other.get(f"/v1/jobs/{job}").json()
        listed = [one["job_id"] for one in other.get("/v1/jobs").json()["jobs"]]

    assert names(whole) == ["pay.md", "open.md"]
    assert names(partly) == ["open.md"]
    assert (counts["total"], counts["state"]) == (2, "waiting")
    assert job in listed


@pytest.mark.parametrize("who", ["ana", "hugo", "stranger"])
def test_to_everybody_else_there_is_no_such_job(product: Product, job: str, who: str) -> None:
    with product.client(who) as client:
        answers = [
            client.get(f"/v1/jobs/{job}"),
            client.get(f"/v1/jobs/{job}/documents"),
            client.get(f"/v1/jobs/{job}/events"),
            client.post(f"/v1/jobs/{job}/cancel"),
            client.post(f"/v1/jobs/{job}/retry"),
            client.get("/v1/jobs/there-is-none"),
        ]
        listed = client.get("/v1/jobs").json()["jobs"]

    assert {answer.status_code for answer in answers} == {404}
    assert job not in {one["job_id"] for one in listed}
    assert product.application.catalog.jobs.get(job, "default").cancelled is False


def test_whoever_sent_a_job_in_sees_and_cancels_it_without_being_an_admin(
    product: Product,
) -> None:
    task = NewTask("upload:own.md", "own.md", frozenset(), 0, content_hash="a" * 64)
    own = product.application.catalog.jobs.create("default", "user:ana", [task])

    with product.client("ana") as ana:
        listed = [one["job_id"] for one in ana.get("/v1/jobs").json()["jobs"]]
        documents = ana.get(f"/v1/jobs/{own.id}/documents").json()
        cancelled = ana.post(f"/v1/jobs/{own.id}/cancel").json()

    assert listed == [own.id]
    assert names(documents) == ["own.md"]
    assert (cancelled["state"], cancelled["counts"]) == ("cancelled", {"cancelled": 1})


def test_documents_are_filtered_by_state_and_come_in_pages(product: Product, job: str) -> None:
    catalog = product.application.catalog
    task = catalog.leases.acquire("w", lease_s=60, job_id=job)
    assert task is not None
    catalog.leases.finish(task.id, "w", TaskState.FAILED, reason="It is broken.")

    with product.client("admin") as admin:
        url = f"/v1/jobs/{job}/documents"
        failed = admin.get(url, params={"state": "failed"}).json()
        either = admin.get(url, params={"state": ["failed", "waiting"]}).json()
        first = admin.get(url, params={"limit": 1}).json()
        second = admin.get(url, params={"limit": 1, "after": first["next"]}).json()
        wrong = admin.get(url, params={"state": "asleep"})

    assert [(d["name"], d["reason"]) for d in failed["documents"]] == [(task.name, "It is broken.")]
    assert len(either["documents"]) == 2
    assert names(first) + names(second) == ["pay.md", "open.md"]
    assert wrong.status_code == 400


def test_a_job_is_followed_until_its_end(product: Product, job: str) -> None:
    catalog = product.application.catalog
    with (
        product.client("admin") as admin,
        admin.stream("GET", f"/v1/jobs/{job}/events") as response,
    ):
        states = progress_events(response)
        first = next(states)
        task = catalog.leases.acquire("w", lease_s=60, job_id=job)
        assert task is not None
        catalog.leases.advance(task.id, "w", TaskState.EMBEDDING, pages=3)
        second = next(states)
        catalog.leases.finish(task.id, "w", TaskState.INDEXED, pages=3, chunks=4)
        catalog.jobs.cancel(job, "default")
        *_, last = states

    assert response.headers["content-type"].startswith("text/event-stream")
    assert (first["state"], first["done"], first["finished"]) == ("waiting", 0, None)
    assert [one["name"] for one in second["current"]] == [task.name]
    assert (second["pages_done"], second["pages_known"]) == (0, 3)
    assert (last["pages_done"], last["state"], last["done"]) == (3, "cancelled", 2)
    assert last["finished"] is not None


def progress_events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    for line in response.iter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))


def test_a_job_that_a_fault_of_the_machine_holds_up_says_so_and_when_it_goes_on(
    product: Product, job: str
) -> None:
    catalog = product.application.catalog
    task = catalog.leases.acquire("w", lease_s=60, job_id=job)
    assert task is not None
    catalog.leases.release(task.id, "w", reason="The store is not reachable.", pause_s=30)

    with product.client("admin") as admin:
        paused = admin.get(f"/v1/jobs/{job}").json()
        page = admin.get(f"/jobs/{job}", headers={**HTML, "Accept-Language": "fr"}).text
        resumed = admin.post(f"/v1/jobs/{job}/retry").json()

    assert (paused["state"], paused["pause_reason"]) == ("paused", "The store is not reachable.")
    assert paused["retry_at"] is not None
    assert "en pause" in page
    assert "The store is not reachable." in page
    assert resumed["retry_at"] is None
    assert catalog.leases.acquire("w", lease_s=60, job_id=job) is not None


def test_what_failed_or_was_cancelled_is_tried_again(product: Product, job: str) -> None:
    with product.client("admin") as admin:
        cancelled = admin.post(f"/v1/jobs/{job}/cancel").json()
        retried = admin.post(f"/v1/jobs/{job}/retry").json()

    assert cancelled["counts"] == {"cancelled": 2}
    assert retried["counts"] == {"waiting": 2}
    assert (retried["finished"], retried["cancelled"]) == (None, False)


def test_cancelling_and_retrying_are_on_the_audit_record(product: Product, job: str) -> None:
    with product.client("admin") as admin:
        admin.post(f"/v1/jobs/{job}/cancel")
        admin.post(f"/v1/jobs/{job}/retry")

    records = [record.entry for record in product.application.audit.read()]
    recorded = [e for e in records if e.detail.get("job") == job]
    assert {"job.cancel", "job.retry"} <= {e.action for e in recorded}
    assert {e.principal for e in recorded} == {"user:adam"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_pages_show_jobs_with_progress_failures_and_buttons(
    product: Product, job: str, language: str
) -> None:
    catalog = product.application.catalog
    task = catalog.leases.acquire("w", lease_s=60, job_id=job)
    assert task is not None
    catalog.leases.finish(task.id, "w", TaskState.FAILED, reason="<b>Page 3</b> is `broken`.")
    headers = {**HTML, "Accept-Language": language}

    with product.client("admin") as admin, product.client("ana") as ana:
        listed = admin.get("/jobs", headers=headers)
        shown = admin.get(f"/jobs/{job}", headers=headers)
        filtered = admin.get(f"/jobs/{job}", params={"state": "waiting"}, headers=headers).text
        refused = ana.get(f"/jobs/{job}", headers=headers)
        ordinary = ana.get("/documents", headers=headers).text

    assert listed.status_code == shown.status_code == 200
    assert f'href="/jobs/{job}"' in listed.text
    assert "&lt;b&gt;Page 3&lt;/b&gt; is <code>broken</code>." in shown.text
    assert f'action="/jobs/{job}/cancel"' in shown.text
    assert f'action="/jobs/{job}/retry"' in shown.text
    assert filtered.count('<th scope="row">') == 1
    assert refused.status_code == 404
    assert 'href="/admin"' not in ordinary


def test_the_buttons_work_without_script_and_not_from_another_site(
    product: Product, job: str
) -> None:
    with httpx.Client(base_url=product.url, timeout=60) as browser:
        own = {"Origin": product.url, **HTML}
        browser.post("/sign-in", data={"key": product.keys["admin"]}, headers=own)
        foreign = browser.post(
            f"/jobs/{job}/cancel", headers={"Origin": "https://evil.example", **HTML}
        )
        untouched = product.application.catalog.jobs.get(job, "default").cancelled
        cancelled = browser.post(f"/jobs/{job}/cancel", headers=own)

    assert foreign.status_code == 403
    assert untouched is False
    assert cancelled.status_code == 303
    assert cancelled.headers["location"] == f"/jobs/{job}"
    assert product.application.catalog.jobs.get(job, "default").cancelled
