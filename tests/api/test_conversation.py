"""A conversation that is not kept, over HTTP and on the page: it travels with the question."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from sovereign_rag.errors import BadInput
from sovereign_rag.retrieval.conversation import MOST_TURNS, Turn
from sovereign_rag.web.conversation import MOST_HISTORY, read_turns, written_turns
from tests.api.conftest import Product

SALARY = "What is the salary band of grade seven?"
LEANS = "And how far does it run?"


def _ask(client: httpx.Client, question: str, **more: Any) -> dict[str, Any]:
    body = {"question": question, **more}
    answer: dict[str, Any] = client.post("/v1/answers", json=body).raise_for_status().json()
    return answer


def _turn(answer: dict[str, Any]) -> dict[str, Any]:
    """A turn as a client makes one: the citations go back as they came."""
    names = {"question": "question", "answer": "answer", "citations": "citations"}
    return {name: answer[field] for name, field in names.items()}


def test_the_citations_of_an_answer_may_be_sent_back_as_they_came(product: Product) -> None:
    with product.client("hugo") as client:
        first = _ask(client, SALARY)
        second = _ask(client, LEANS, history=[_turn(first)])
        alone = _ask(client, SALARY, history=[_turn(first)])

    assert first["citations"][0]["passage_id"] in {p["id"] for p in first["passages"]}
    assert second["follow_up"] == {
        "question": f"{SALARY} {LEANS}",
        "by": "rules",
        "prompt_version": None,
    }
    assert first["citations"][0]["passage_id"] in {p["id"] for p in second["passages"]}
    assert (second["turns_dropped"], alone["follow_up"]) == (0, None)


def test_citations_of_somebody_else_open_nothing(product: Product) -> None:
    with product.client("hugo") as client:
        turn = _turn(_ask(client, SALARY))
    with product.client("ana") as client:
        stolen = _ask(client, LEANS, history=[turn])

    assert product.documents["salaries.md"] not in json.dumps(stolen)


def test_a_long_conversation_is_taken_and_cut_and_said_to_be(product: Product) -> None:
    history = [{"question": f"What is band {n}?"} for n in range(MOST_TURNS + 5)]
    with product.client("hugo") as client:
        answer = _ask(client, LEANS, history=history)
        found = client.post("/v1/search", json={"query": LEANS, "history": history}).json()
        whole = client.post("/v1/search", json={"query": LEANS, "history": history[5:]}).json()
        beyond = client.post(
            "/v1/answers", json={"question": LEANS, "history": [{"question": "?"}] * 1_001}
        )

    assert (answer["turns_dropped"], found["turns_dropped"], whole["turns_dropped"]) == (5, 5, 0)
    assert "its 5 oldest questions" in answer["notice"]
    assert beyond.status_code == 400


# On the page


@contextmanager
def _nobody(product: Product) -> Iterator[httpx.Client]:
    """Somebody whose conversations are not kept: theirs would be everybody's."""
    key = product.application.catalog.keys.create("Nobody", "anonymous", groups=["hr"])[1]
    headers = {"Authorization": f"Bearer {key}", "Accept": "text/html", "Accept-Language": "en"}
    with httpx.Client(base_url=product.url, headers=headers, timeout=60) as client:
        yield client


def _conversation(page: str) -> str:
    """What the page's form carries, as a browser reads it."""
    values = re.findall(r'<input type="hidden" name="history" value="([^"]*)">', page)
    return html.unescape(values[0])


def test_the_page_carries_a_conversation_that_is_not_kept_from_question_to_question(
    product: Product,
) -> None:
    with _nobody(product) as client:
        first = client.post("/c", data={"question": SALARY}).text
        carried = {"question": LEANS, "history": _conversation(first)}
        second = client.post("/c", data=carried).text
        events = client.post("/c", data=carried, headers={"Accept": "text/event-stream"}).text
        history = client.get("/c")

    assert [turn.question for turn in read_turns(_conversation(second))] == [SALARY, LEANS]
    assert f"Understood as: {SALARY} {LEANS}" in html.unescape(second)
    assert "Understood as" not in first
    assert "Understood as" in events
    assert "event: begun" not in events
    assert history.headers["Location"] == "/"


def test_a_conversation_that_the_page_did_not_write_is_refused(product: Product) -> None:
    with _nobody(product) as client:
        refused = client.post("/c", data={"question": LEANS, "history": "[{]"})
        taken = client.post("/c", data={"question": LEANS, "history": "[]"})

    assert refused.status_code == 400
    assert taken.status_code == 200


def test_turns_are_read_as_they_were_written_and_the_oldest_go_where_they_are_too_many() -> None:
    turns = tuple(Turn(f"Question {n}?", "x" * 1_999, (f"id:{n}",)) for n in range(90))

    kept = read_turns(written_turns(turns))

    assert read_turns(written_turns(turns[:3])) == turns[:3]
    assert kept == turns[-len(kept) :]
    assert 10 < len(kept) < 90
    assert len(written_turns(turns)) <= MOST_HISTORY
    assert read_turns("") == ()
    with pytest.raises(BadInput, match="Open the page anew"):
        read_turns('{"question": "?"}')
