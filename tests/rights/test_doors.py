"""Through each door what the rule shows, and no more, for any person, words and choice.

RIGHTS_EXAMPLES sets how many are tried at each door; a few in an ordinary run.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_index.core.vector_stores.types import FilterOperator, MetadataFilter, MetadataFilters

from sovereign_rag.access import Principal
from sovereign_rag.client import Client
from sovereign_rag.errors import NotFound
from sovereign_rag.integrations.llama_index import SovereignRetriever
from tests.rights.oracle import EXAMPLES, Paper, often, principals
from tests.rights.site import NOWHERE, TLS, Site, assert_hidden, ids

at_each_door = settings(often, max_examples=EXAMPLES if "RIGHTS_EXAMPLES" in os.environ else 5)
MOST = 50  # more than there are


@dataclass(frozen=True)
class Asking:
    """Somebody who asks something, perhaps of a few documents alone."""

    asker: Principal
    words: str
    among: frozenset[int] | None  # numbers of papers; None: of all

    def at(self, site: Site) -> tuple[list[str] | None, list[Paper], list[Paper]]:
        """The ids that are asked for, what the rule shows of them, and what it hides of all."""
        shown, hidden = site.seen_by(self.asker)
        if self.among is None:
            return None, shown, hidden
        chosen = [site.papers[n] for n in sorted(self.among)]
        return [one.id for one in chosen], [one for one in shown if one in chosen], hidden


askings = st.builds(
    Asking,
    asker=principals,
    words=st.sampled_from(["common notice gate", "notice that says when a gate opens", "o'clock"]),
    among=st.none() | st.frozensets(st.integers(0, 13), min_size=1),
)


def chosen(documents: list[str] | None) -> dict[str, Any]:
    return {} if documents is None else {"documents": documents}


def tool(site: Site, asker: Principal, name: str, arguments: Mapping[str, object]) -> Any:
    """What a tool of the Model Context Protocol gives."""
    params = {"name": name, "arguments": arguments}
    response = site.client(asker).post(
        "/mcp",
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        headers={"Accept": "application/json, text/event-stream"},
    )
    return response.raise_for_status().json()["result"]


@at_each_door
@given(asking=askings)
def test_the_json_api_shows_what_the_rule_shows(site: Site, asking: Asking) -> None:
    documents, shown, hidden = asking.at(site)
    client, body = site.client(asking.asker), chosen(documents)

    found = client.post("/v1/search", json={"query": asking.words, "limit": MOST, **body})
    listed = client.get("/v1/documents", params={"limit": 500})
    answered = client.post("/v1/answers", json={"question": asking.words, **body})

    passages = found.raise_for_status().json()["passages"]
    assert {one["document_id"] for one in passages} == ids(shown)
    all_shown = {one["document_id"] for one in listed.raise_for_status().json()["documents"]}
    assert all_shown == ids(site.papers) - ids(hidden)
    for response in (found, listed, answered):
        assert_hidden(hidden, response.raise_for_status().text)


@at_each_door
@given(asking=askings)
def test_openai_s_protocol_shows_what_the_rule_shows(site: Site, asking: Asking) -> None:
    documents, shown, hidden = asking.at(site)
    client = site.client(asking.asker)
    messages = [{"role": "user", "content": asking.words}]
    chat = {"model": "sovereign-rag-extracts", "messages": messages}
    only = {"filters": {"type": "in", "key": "document_id", "value": documents}}

    found = client.post(
        "/v1/vector_stores/documents/search",
        json={"query": asking.words, "max_num_results": MOST, **(only if documents else {})},
    )
    answers = (
        client.post("/v1/chat/completions", json={**chat, **chosen(documents)}),
        client.post("/v1/chat/completions", json={**chat, "stream": True, "metadata": {}}),
    )

    assert {one["file_id"] for one in found.raise_for_status().json()["data"]} == ids(shown)
    for told in (found, *answers):
        assert_hidden(hidden, told.raise_for_status().text)


@at_each_door
@given(asking=askings)
def test_the_model_context_protocol_shows_what_the_rule_shows(site: Site, asking: Asking) -> None:
    documents, shown, hidden = asking.at(site)
    asker = asking.asker

    found = tool(site, asker, "search", {"query": asking.words, "limit": MOST, **chosen(documents)})
    listed = tool(site, asker, "list_documents", {"limit": 500})
    answered = tool(site, asker, "ask", {"question": asking.words, **chosen(documents)})
    missing = tool(site, asker, "fetch", {"id": NOWHERE})

    results = found["structuredContent"]["results"]
    assert {one["document_id"] for one in results} == ids(shown)
    all_shown = {one["document_id"] for one in listed["structuredContent"]["documents"]}
    assert all_shown == ids(site.papers) - ids(hidden)
    for given_ in (found, listed, answered):
        assert_hidden(hidden, json.dumps(given_))
    for paper in hidden[:1]:
        refused = tool(site, asker, "fetch", {"id": paper.id})
        assert json.dumps(refused).replace(paper.id, NOWHERE) == json.dumps(missing)
    for paper in shown[:1]:
        fetched = tool(site, asker, "fetch", {"id": paper.id})
        assert "gate opens" in fetched["structuredContent"]["text"]


@at_each_door
@given(asking=askings)
def test_the_python_client_shows_what_the_rule_shows(site: Site, asking: Asking) -> None:
    documents, shown, hidden = asking.at(site)
    with Client(site.url, site.key(asking.asker), verify=TLS) as client:
        found = client.search(asking.words, limit=MOST, **chosen(documents))
        listed = list(client.documents())
        answered = client.ask(asking.words, **chosen(documents))

        for paper in hidden[:1]:
            with pytest.raises(NotFound):
                client.page(paper.id, 1)
        for paper in shown[:1]:
            assert "gate opens" in client.page(paper.id, 1).text

    assert {one.document_id for one in found.passages} == ids(shown)
    assert {one.document_id for one in listed} == ids(site.papers) - ids(hidden)
    for told in (found, *listed, answered):
        assert_hidden(hidden, told.model_dump_json())


@at_each_door
@given(asking=askings)
def test_the_page_shows_what_the_rule_shows(site: Site, asking: Asking) -> None:
    documents, shown, hidden = asking.at(site)
    browser, only = site.browser(asking.asker), {"doc": documents or []}

    found = browser.get("/search", params={"q": asking.words, **only})
    listed = browser.get("/documents")
    first = browser.get("/")
    answered = browser.post("/c", data={"question": asking.words, **only}, follow_redirects=True)

    told = found.raise_for_status().text
    assert {paper.id for paper in shown if f"/documents/{paper.id}" in told} == ids(shown)
    for response in (found, listed, first, answered):
        assert_hidden(hidden, response.raise_for_status().text, documents)
    for paper in hidden[:1]:
        assert browser.get(f"/documents/{paper.id}/pages/1").status_code == 404
    for paper in shown[:1]:
        assert "gate opens" in browser.get(f"/documents/{paper.id}/pages/1").text


@at_each_door
@given(asking=askings)
def test_llamaindex_s_retriever_shows_what_the_rule_shows(site: Site, asking: Asking) -> None:
    documents, shown, _ = asking.at(site)
    only = [MetadataFilter(key="document_id", value=documents, operator=FilterOperator.IN)]
    retriever = SovereignRetriever(
        site.application.searching,
        asking.asker,
        limit=MOST,
        filters=None if documents is None else MetadataFilters(filters=only),
    )

    nodes = retriever.retrieve(asking.words)

    assert {one.node.metadata["document_id"] for one in nodes} == ids(shown)
