"""Over HTTP as within: no body and no refusal tells of what its caller may not read."""

from collections.abc import Callable
from typing import Any

import httpx
from hypothesis import given, settings

from sovereign_rag.access import Principal
from tests.refused import told
from tests.rights.oracle import EXAMPLES, often, principals
from tests.rights.site import NOWHERE, Site, ids

CONSOLE = (
    *("/admin", "/admin/documents", "/admin/upload", "/admin/jobs", "/admin/sources"),
    *("/admin/people", "/admin/people/readable?user=ana", "/admin/people/readable?group=hr"),
    *("/admin/keys", "/admin/quality", "/admin/audit", "/admin/audit/export"),
)
sometimes = settings(often, max_examples=max(10, EXAMPLES // 15))


def _json(response: httpx.Response) -> Any:
    return response.raise_for_status().json()


@sometimes
@given(asker=principals)
def test_search_counts_and_listings_hold_what_the_caller_may_read_and_all_of_it(
    site: Site, asker: Principal
) -> None:
    shown, _ = site.seen_by(asker)
    client = site.client(asker)

    found = _json(client.post("/v1/search", json={"query": "common notice gate", "limit": 50}))
    counted = _json(client.post("/v1/search/facets", json={}))
    listed = _json(client.get("/v1/documents", params={"limit": 500}))
    some = _json(client.get("/v1/documents", params={"limit": 1}))

    assert {passage["document_id"] for passage in found["passages"]} == ids(shown)
    assert sum(counted["media_type"].values()) == len(shown)
    assert {document["document_id"] for document in listed["documents"]} == ids(shown)
    assert len(some["documents"]) == min(1, len(shown))
    assert (some["next"] is not None) == (len(shown) > 1)


@sometimes
@given(asker=principals)
def test_no_body_names_what_its_caller_may_not_read(site: Site, asker: Principal) -> None:
    shown, hidden = site.seen_by(asker)
    client = site.client(asker)
    question = "When does the gate open?"
    cited = [{"passage_id": f"{paper.id}:0"} for paper in site.papers]
    history = [{"question": "What do the notices say?", "answer": "Much.", "citations": cited}]
    everything = {"documents": sorted(ids(site.papers))}
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
            "/c",
            data={"question": question},
            headers={"Accept": "text/html"},
            follow_redirects=True,
        ),
        "listing": lambda: client.get("/documents", headers={"Accept": "text/html"}),
        "first screen": lambda: client.get("/", headers={"Accept": "text/html"}),
        "search page": lambda: client.get(
            "/search", params={"q": "common notice gate"}, headers={"Accept": "text/html"}
        ),
    }

    bodies = {name: way().raise_for_status().text for name, way in ways.items()}

    for name, body in bodies.items():
        named = {paper.id for paper in site.papers if paper.id in body}
        assert named <= ids(shown), name
        for paper in hidden:
            assert paper.word not in body.lower(), name
    assert {paper.id for paper in shown if paper.id in bodies["narrowed search"]} == ids(shown)


@sometimes
@given(asker=principals)
def test_the_console_opens_to_admins_and_names_what_its_caller_may_read(
    site: Site, asker: Principal
) -> None:
    _, hidden = site.seen_by(asker)
    client = site.client(asker)

    for path in CONSOLE:
        answer = client.get(path, headers={"Accept": "text/html"})

        assert (answer.status_code == 403) == (not asker.is_admin), path
        for paper in hidden:
            assert f"notice-{site.papers.index(paper)}.txt" not in answer.text, path
            assert paper.id not in answer.text or "/audit" in path, path


@sometimes
@given(asker=principals)
def test_what_is_hidden_and_what_is_not_there_are_refused_alike(
    site: Site, asker: Principal
) -> None:
    shown, hidden = site.seen_by(asker)
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
        "find": lambda id_: client.get(f"/documents/{id_}/find", params={"q": "gate"}),
        "removal": lambda id_: client.delete(f"/v1/documents/{id_}"),
        "search": lambda id_: client.post("/v1/search", json={"query": "gate", "documents": [id_]}),
        "facets": lambda id_: client.post("/v1/search/facets", json={"documents": [id_]}),
    }

    missing = {name: way(NOWHERE) for name, way in ways.items()}
    for paper in hidden[:3]:
        for name, way in ways.items():
            refused = way(paper.id)
            assert refused.status_code == missing[name].status_code, name
            assert told(refused).replace(paper.id, NOWHERE) == told(missing[name]), name
            assert refused.headers.keys() == missing[name].headers.keys(), name
    for paper in shown[:1]:
        assert "gate opens" in ways["page"](paper.id).raise_for_status().text
        assert ways["search"](paper.id).json()["passages"]
    assert {missing[name].status_code for name in ("document", "page", "image")} == {404}
    assert missing["removal"].status_code == (404 if asker.is_admin else 403)


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
    _, hidden = site.seen_by(asker)

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
                assert told(response).replace(job.id, NOWHERE) == told(nothing)
