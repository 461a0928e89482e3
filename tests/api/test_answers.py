"""Questions over HTTP: cited answers within the asker's rights, at once or as they are made."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.conftest import Product

HEATING_QUESTION = "Quelle est la température maximale de chauffage d'un logement ?"
SALARY_QUESTION = "What is the salary band of grade seven?"
ANSWER_FIELDS = {
    "question", "answer", "kind", "abstained", "certainty", "notice", "statements", "citations",
    "passages", "ai", "language",
    "model", "models", "prompt_version", "index_version", "timings_ms", "usage", "energy",
    "follow_up", "turns_dropped", "confidence", "other_versions", "house", "level",
}  # fmt: skip


def test_every_citation_of_an_answer_stands_in_the_text_of_its_page(product: Product) -> None:
    with product.client("ana") as client:
        answer = client.post("/v1/answers", json={"question": HEATING_QUESTION}).json()
        citations = answer["citations"]
        texts = [_page(client, c["document_id"], c["page"])["text"] for c in citations]

    assert set(answer) == ANSWER_FIELDS
    assert answer["kind"] == "extracts"
    assert not answer["abstained"]
    assert "19" in answer["answer"]
    assert citations
    for citation, text in zip(citations, texts, strict=True):
        assert citation["verified"]
        assert text[citation["start"] : citation["end"]] == citation["quote"]


@pytest.mark.parametrize(
    ("headers", "extra"), [({"Accept": "text/event-stream"}, {}), ({}, {"stream": True})]
)
def test_an_answer_comes_as_events_when_asked_for(
    product: Product, headers: dict[str, str], extra: dict[str, object]
) -> None:
    body = {"question": HEATING_QUESTION, **extra}
    with (
        product.client("ana") as client,
        client.stream("POST", "/v1/answers", json=body, headers=headers) as response,
    ):
        events = list(_events(response))

    names = [name for name, _ in events]
    assert response.headers["content-type"].startswith("text/event-stream")
    assert names[0] == "found"
    assert names[-1] == "answer"
    assert set(names[1:-1]) == {"extract"}
    assert set(events[-1][1]) == ANSWER_FIELDS
    assert events[1][1] == events[-1][1]["statements"][0]


@pytest.mark.model
def test_a_model_writes_in_sight_and_what_it_wrote_is_checked(product: Product) -> None:
    body = {"question": HEATING_QUESTION, "kind": "generated", "stream": True}
    with (
        product.client("ana") as client,
        client.stream("POST", "/v1/answers", json=body) as response,
    ):
        events = list(_events(response))

    draft = "".join(data["text"] for name, data in events if name == "token")
    answer = events[-1][1]
    assert draft.strip()
    assert events[-1][0] == "answer"
    assert answer["model"]
    assert answer["kind"] in {"generated", "none"}  # a small model's draft may find no support
    assert all(statement["text"] in draft for statement in answer["statements"])


@pytest.mark.parametrize(
    ("who", "knows"), [("hugo", True), ("ana", False), ("admin", False), ("stranger", False)]
)
def test_an_answer_knows_only_what_its_asker_may_read(
    product: Product, who: str, knows: bool
) -> None:
    with product.client(who) as client:
        answer = client.post("/v1/answers", json={"question": SALARY_QUESTION}).text
        found = client.post("/v1/search", json={"query": SALARY_QUESTION}).text

    assert ("74,000" in answer) is knows
    assert ("74,000" in found) is knows


def test_a_question_without_evidence_gets_no_citation(product: Product) -> None:
    unreadable = [product.documents["salaries.md"]]
    body = {"question": "Welches Gehaltsband hat Stufe sieben?", "documents": unreadable}
    with product.client("ana") as client:
        response = client.post("/v1/answers", json=body)

    answer = response.json()
    assert response.status_code == 200
    assert answer["abstained"]
    assert answer["kind"] == "none"
    assert answer["citations"] == answer["passages"] == []
    assert answer["language"] == "de"


def test_a_search_gives_passages_with_the_parts_of_their_scores(product: Product) -> None:
    body = {"query": "Dillon appointed chief executive", "limit": 3}
    with product.client("ana") as client:
        passages = client.post("/v1/search", json=body).json()["passages"]

    assert 1 <= len(passages) <= 3
    assert "Dillon" in passages[0]["text"]
    assert passages[0]["score_parts"]
    assert (
        passages[0]["document_id"] == product.documents["Foot-Locker-2022-08-19-Press-Release.eml"]
    )


def _texts(client: httpx.Client, query: str, **search_filter: object) -> list[str]:
    response = client.post("/v1/search", json={"query": query, **search_filter})
    assert response.status_code == 200, response.text
    return [passage["text"] for passage in response.json()["passages"]]


def test_a_caller_narrows_the_search_by_what_documents_are(product: Product) -> None:
    folder = product.ingested.parent.as_uri()
    with product.client("hugo") as hr:
        everything = _texts(hr, SALARY_QUESTION)
        pdf = _texts(hr, SALARY_QUESTION, media_types=["application/pdf"])
        below = _texts(hr, SALARY_QUESTION, sources=[folder])
        elsewhere = _texts(hr, SALARY_QUESTION, sources=["file:///nowhere"])
        of_hr = _texts(hr, SALARY_QUESTION, labels=["group:hr"])
        new = _texts(hr, SALARY_QUESTION, modified_from="2020-01-01T00:00:00")
        old = _texts(hr, SALARY_QUESTION, modified_before="1990-01-01T00:00:00Z")

    assert any("grade seven" in text for text in everything)
    assert pdf
    assert all("grade seven" not in text for text in pdf)
    assert below == of_hr
    assert len(below) == 1
    assert elsewhere == old == []
    assert set(below) <= set(new)


@pytest.mark.parametrize(
    "search_filter",
    [
        {"labels": ["group:hr"]},
        {"labels": ["owner"]},
        {"labels": ["group:hr", "everyone"]},
        {"media_types": ["text/markdown", "text/plain"]},
        {"sources": ["file:///"]},
        {"modified_from": "1970-01-01T00:00:00Z"},
    ],
)
def test_no_filter_shows_what_the_caller_may_not_read(
    product: Product, search_filter: dict[str, object]
) -> None:
    with product.client("ana") as finance, product.client("hugo") as hr:
        hidden = _texts(finance, SALARY_QUESTION, **search_filter)
        shown = _texts(hr, SALARY_QUESTION, labels=["group:hr"])
        counted = finance.post("/v1/search/facets", json=search_filter).json()["media_type"]
        everything = finance.post("/v1/search/facets", json={}).json()["media_type"]

    assert all("grade seven" not in text for text in hidden)
    assert any("grade seven" in text for text in shown)
    assert counted.get("text/markdown", 0) <= everything.get("text/markdown", 0)


def test_facets_count_what_the_caller_may_read(product: Product) -> None:
    with product.client("ana") as finance, product.client("hugo") as hr:
        for_finance = finance.post("/v1/search/facets", json={}).json()
        for_hr = hr.post("/v1/search/facets", json={}).json()
        narrowed = hr.post("/v1/search/facets", json={"labels": ["group:hr"]}).json()
    _, of_nowhere = product.application.catalog.keys.create("Nora", "nora", tenant="nowhere")
    with httpx.Client(base_url=product.url, timeout=60) as stranger:
        stranger.headers["Authorization"] = f"Bearer {of_nowhere}"
        for_stranger = stranger.post("/v1/search/facets", json={}).json()

    assert for_hr["language"]["en"] == for_finance["language"]["en"] + 1
    assert sum(for_hr["media_type"].values()) == sum(for_finance["media_type"].values()) + 1
    assert narrowed["language"] == {"en": 1}
    assert for_stranger == {"language": {}, "media_type": {}, "facts": {}}


def test_a_follow_up_question_is_searched_with_what_it_is_about(product: Product) -> None:
    history = [{"question": SALARY_QUESTION, "answer": "From 61,000 to 74,000 euros a year."}]
    with product.client("hugo") as client:
        alone = client.post("/v1/search", json={"query": "And of the others?"}).json()
        whole = client.post(
            "/v1/search", json={"query": "And of the others?", "history": history}
        ).json()

    assert "grade seven" in whole["passages"][0]["text"]
    assert "grade seven" not in alone["passages"][0]["text"]


def test_a_history_shows_nothing_that_the_caller_may_not_read(product: Product) -> None:
    history = [{"question": SALARY_QUESTION}]
    with product.client("ana") as client:
        found = client.post("/v1/search", json={"query": "And others?", "history": history})
        answered = client.post("/v1/answers", json={"question": "And of it?", "history": history})

    assert "61,000" not in found.text
    assert "61,000" not in answered.text


def test_a_caller_narrows_the_search_to_a_document(product: Product) -> None:
    law = product.documents["Informationsfreiheitsgesetz-Auszug.eml"]
    body = {"query": "Dillon appointed chief executive", "documents": [law]}
    with product.client("ana") as client:
        passages = client.post("/v1/search", json=body).json()["passages"]

    assert {passage["document_id"] for passage in passages} == {law}


def test_narrowing_to_an_unreadable_document_finds_nothing(product: Product) -> None:
    body = {"query": SALARY_QUESTION, "documents": [product.documents["salaries.md"]]}
    with product.client("ana") as reader, product.client("hugo") as hr:
        hidden = reader.post("/v1/search", json=body).json()["passages"]
        shown = hr.post("/v1/search", json=body).json()["passages"]

    assert hidden == []
    assert shown != []


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "question"),
        ({"question": "   "}, "question"),
        ({"question": "x" * 501}, "501"),
        ({"question": "Who?", "language": "tlh"}, "language"),
        ({"question": "Who?", "kind": "invented"}, "kind"),
    ],
)
def test_a_question_that_can_not_be_is_refused_with_the_reason(
    product: Product, body: dict[str, str], word: str
) -> None:
    with product.client("ana") as client:
        response = client.post("/v1/answers", json=body)

    assert response.status_code == 400
    assert response.json()["error"] == "BadInput"
    assert word in response.json()["detail"]


def _page(client: httpx.Client, document_id: str, page: int | None) -> dict[str, str]:
    body: dict[str, str] = client.get(f"/v1/documents/{document_id}/pages/{page or 1}").json()
    return body


def _events(response: httpx.Response) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
