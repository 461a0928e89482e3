"""Over HTTP as within: no body and no refusal tells of what its caller may not read."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from hypothesis import given, settings

from sovereign_rag.access import Principal
from sovereign_rag.app import create_app
from sovereign_rag.wiring import Application
from tests.api.conftest import serving
from tests.rights.oracle import EXAMPLES, Paper, may_read, often, principals

NOWHERE = "00000000-0000-4000-8000-000000000000"
sometimes = settings(often, max_examples=max(10, EXAMPLES // 15))


@dataclass
class Site:
    """The service on a socket, and who calls it."""

    url: str
    application: Application
    papers: list[Paper]
    _clients: dict[Principal, httpx.Client] = field(default_factory=dict)

    def client(self, asker: Principal) -> httpx.Client:
        """A connection with a key of the asker's."""
        if asker not in self._clients:
            _, secret = self.application.catalog.keys.create(
                "test",
                asker.user,
                groups=asker.groups,
                tenant=asker.tenant,
                clearance=asker.clearance,
                is_admin=asker.is_admin,
            )
            headers = {"Authorization": f"Bearer {secret}"}
            self._clients[asker] = httpx.Client(base_url=self.url, headers=headers, timeout=120)
        return self._clients[asker]

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


@pytest.fixture(scope="module")
def site(product: tuple[Application, list[Paper]]) -> Iterator[Site]:
    application, papers = product
    with serving(create_app(application)) as url:
        site = Site(url, application, papers)
        yield site
        site.close()


def _ids(papers: list[Paper]) -> set[str]:
    return {paper.id for paper in papers}


def _seen(site: Site, asker: Principal) -> tuple[list[Paper], list[Paper]]:
    """What the rule shows the asker, and what it hides."""
    shown = [paper for paper in site.papers if may_read(asker, paper)]
    return shown, [paper for paper in site.papers if paper not in shown]


def _json(response: httpx.Response) -> Any:
    return response.raise_for_status().json()


@sometimes
@given(asker=principals)
def test_search_counts_and_listings_hold_what_the_caller_may_read_and_all_of_it(
    site: Site, asker: Principal
) -> None:
    shown, _ = _seen(site, asker)
    client = site.client(asker)

    found = _json(client.post("/v1/search", json={"query": "common notice gate", "limit": 50}))
    counted = _json(client.post("/v1/search/facets", json={}))
    listed = _json(client.get("/v1/documents", params={"limit": 500}))
    some = _json(client.get("/v1/documents", params={"limit": 1}))

    assert {passage["document_id"] for passage in found["passages"]} == _ids(shown)
    assert sum(counted["media_type"].values()) == len(shown)
    assert {document["document_id"] for document in listed["documents"]} == _ids(shown)
    assert len(some["documents"]) == min(1, len(shown))
    assert (some["next"] is not None) == (len(shown) > 1)


@sometimes
@given(asker=principals)
def test_no_body_names_what_its_caller_may_not_read(site: Site, asker: Principal) -> None:
    shown, hidden = _seen(site, asker)
    client = site.client(asker)
    question = "When does the gate open?"
    cited = [{"passage_id": f"{paper.id}:0"} for paper in site.papers]
    history = [{"question": "What do the notices say?", "answer": "Much.", "citations": cited}]
    everything = {"documents": sorted(_ids(site.papers))}
    ways: dict[str, Callable[[], httpx.Response]] = {
        "answer": lambda: client.post("/v1/answers", json={"question": question}),
        "conversation": lambda: client.post(
            "/v1/answers", json={"question": "And that one?", "history": history}
        ),
        "stream": lambda: client.post("/v1/answers", json={"question": question, "stream": True}),
        "narrowed search": lambda: client.post(
            "/v1/search", json={"query": "common notice gate", **everything}
        ),
        "page": lambda: client.post(
            "/", data={"question": question}, headers={"Accept": "text/html"}
        ),
        "listing": lambda: client.get("/documents", headers={"Accept": "text/html"}),
    }

    bodies = {name: way().raise_for_status().text for name, way in ways.items()}

    for name, body in bodies.items():
        named = {paper.id for paper in site.papers if paper.id in body}
        assert named <= _ids(shown), name
        for paper in hidden:
            assert f"notice-{site.papers.index(paper)}.txt" not in body, name
    assert {paper.id for paper in shown if paper.id in bodies["narrowed search"]} == _ids(shown)


@sometimes
@given(asker=principals)
def test_what_is_hidden_and_what_is_not_there_are_refused_alike(
    site: Site, asker: Principal
) -> None:
    shown, hidden = _seen(site, asker)
    client = site.client(asker)
    ways: dict[str, Callable[[str], httpx.Response]] = {
        "document": lambda id_: client.get(f"/v1/documents/{id_}"),
        "page": lambda id_: client.get(f"/v1/documents/{id_}/pages/1"),
        "no such page": lambda id_: client.get(f"/v1/documents/{id_}/pages/99"),
        "image": lambda id_: client.get(f"/v1/documents/{id_}/pages/1/image"),
        "marked image": lambda id_: client.get(
            f"/v1/documents/{id_}/pages/1/image", params={"start": 0, "end": 5}
        ),
        "viewer": lambda id_: client.get(
            f"/documents/{id_}/pages/1", headers={"Accept": "text/html"}
        ),
        "removal": lambda id_: client.delete(f"/v1/documents/{id_}"),
        "search": lambda id_: client.post("/v1/search", json={"query": "gate", "documents": [id_]}),
        "facets": lambda id_: client.post("/v1/search/facets", json={"documents": [id_]}),
    }

    missing = {name: way(NOWHERE) for name, way in ways.items()}
    for paper in hidden[:3]:
        for name, way in ways.items():
            refused = way(paper.id)
            assert refused.status_code == missing[name].status_code, name
            assert refused.text.replace(paper.id, NOWHERE) == missing[name].text, name
            assert refused.headers.keys() == missing[name].headers.keys(), name
    for paper in shown[:1]:
        assert "gate opens" in ways["page"](paper.id).raise_for_status().text
        assert ways["search"](paper.id).json()["passages"]
    assert {missing[name].status_code for name in ("document", "page", "image", "removal")} == {404}


@sometimes
@given(asker=principals)
def test_jobs_of_others_and_jobs_that_are_not_there_are_refused_alike(
    site: Site, asker: Principal
) -> None:
    client = site.client(asker)
    jobs = {
        tenant: site.application.catalog.jobs.recent(tenant, limit=100)
        for tenant in {paper.tenant for paper in site.papers}
    }
    mine = {job.id for job in jobs[asker.tenant]} if asker.is_admin else set()
    _, hidden = _seen(site, asker)

    listed = _json(client.get("/v1/jobs", params={"limit": 500}))

    assert {job["job_id"] for job in listed["jobs"]} == mine
    for job in (job for some in jobs.values() for job in some):
        for place in ("", "/documents", "/events"):
            response = client.get(f"/v1/jobs/{job.id}{place}")
            if job.id in mine:
                assert response.status_code == 200
                assert not any(paper.id in response.text for paper in hidden)
                assert not any(
                    f"notice-{site.papers.index(paper)}.txt" in response.text for paper in hidden
                )
            else:
                nothing = client.get(f"/v1/jobs/{NOWHERE}{place}")
                assert response.status_code == nothing.status_code == 404
                assert response.text.replace(job.id, NOWHERE) == nothing.text
