"""What front ends ask on the side is answered without a search, and stands on no record."""

import json
from typing import Any

import httpx
import pytest

from tests.api.conftest import Product

SAID = "What is the salary band of grade seven?"
CHAT = f"<chat_history>\nUSER: {SAID}\nASSISTANT: From 61,000 euros.\n</chat_history>"


def open_webui(task: str, form: str) -> str:
    return f"### Task:\n{task}\n### Output:\nJSON format: {form}\n### Chat History:\n{CHAT}"


TITLE = open_webui("Give the chat a short title.", '{ "title": "your concise title here" }')
TAGS = open_webui("Name broad tags of the chat.", '{ "tags": ["tag1", "tag2", "tag3"] }')
FOLLOW_UPS = open_webui("Suggest what to ask next.", '{ "follow_ups": ["Question 1?"] }')
LIBRECHAT = (
    "Provide a concise, 5-word-or-less title for the conversation, using title case conventions. "
    f"Only return the title itself.\n\nConversation:\nUser: {SAID}\nAI: From 61,000 euros."
)
LIBRECHAT_FIELDS = (
    "Analyze this conversation and provide:\n1. The detected language of the conversation\n"
    f"2. A concise title in the detected language\n\nUser: {SAID}\nAI: From 61,000 euros."
)
FIELDS = {"type": "object", "properties": {"language": {}, "title": {}}}
TOOL = {"type": "function", "function": {"name": "titled", "parameters": FIELDS}}


def post(client: httpx.Client, text: str, **more: Any) -> dict[str, Any]:
    body = {"model": "sovereign-rag", "messages": [{"role": "user", "content": text}], **more}
    response = client.post("/v1/chat/completions", json=body).raise_for_status()
    answer: dict[str, Any] = response.json()
    return answer


@pytest.mark.parametrize(
    ("text", "more", "content"),
    [
        (TITLE, {}, {"title": "What is the salary band of"}),
        (TAGS, {}, {"tags": []}),
        (FOLLOW_UPS, {}, {"follow_ups": []}),
        (LIBRECHAT, {}, "What is the salary band of"),
        (
            LIBRECHAT_FIELDS,
            {"response_format": {"type": "json_schema", "json_schema": {"schema": FIELDS}}},
            {"language": "", "title": "What is the salary band of"},
        ),
    ],
)
def test_a_front_end_s_own_request_is_answered_in_its_form_and_not_recorded(
    product: Product, text: str, more: dict[str, Any], content: object
) -> None:
    before = list(product.application.audit.read())[-1].number
    with product.client("ana") as client:
        answer = post(client, text, **more)

    said = answer["choices"][0]["message"]["content"]
    assert (said if isinstance(content, str) else json.loads(said)) == content
    assert answer["usage"]["total_tokens"] == 0
    assert answer["sovereign"] is None
    assert list(product.application.audit.read(after=before)) == []


def test_fields_that_are_asked_for_by_a_function_come_as_its_call(product: Product) -> None:
    forced = {"type": "function", "function": {"name": "titled"}}
    with product.client("ana") as client:
        answer = post(client, LIBRECHAT_FIELDS, tools=[TOOL], tool_choice=forced)

    call = answer["choices"][0]["message"]["tool_calls"][0]["function"]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert call["name"] == "titled"
    assert json.loads(call["arguments"])["title"] == "What is the salary band of"


def test_a_task_that_open_webui_names_in_a_header_is_one_whatever_its_words(
    product: Product,
) -> None:
    body = {"model": "sovereign-rag", "messages": [{"role": "user", "content": SAID}]}
    before = list(product.application.audit.read())[-1].number
    with product.client("hugo") as client:
        aside = client.post(
            "/v1/chat/completions", json=body, headers={"X-OpenWebUI-Task": "tags_generation"}
        )
        asked = client.post("/v1/chat/completions", json=body, headers={"X-OpenWebUI-Task": ""})

    assert aside.json()["sovereign"] is None
    assert "74,000" in asked.text
    actions = [one.entry.action for one in product.application.audit.read(after=before)]
    assert actions == ["answer.search", "answer"]


@pytest.mark.parametrize(
    "question",
    [
        "Give me a concise title for the conversation about heating.",
        "### Task: what is the maximum temperature of a flat?",
        "Which tags does the chat history in JSON format need?",
    ],
)
def test_a_person_may_ask_about_titles_and_tasks(product: Product, question: str) -> None:
    before = list(product.application.audit.read())[-1].number
    with product.client("ana") as client:
        answer = post(client, question)

    assert answer["sovereign"] is not None
    recorded = [one.entry for one in product.application.audit.read(after=before)]
    assert recorded[-1].action == "answer"


def test_a_front_end_s_request_takes_a_key_too(product: Product) -> None:
    body = {"model": "sovereign-rag", "messages": [{"role": "user", "content": TITLE}]}
    with product.client() as client:
        response = client.post("/v1/chat/completions", json=body)

    assert response.status_code == 401
