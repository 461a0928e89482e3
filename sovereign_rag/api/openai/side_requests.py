"""What front ends ask on the side, of a model that could write it: titles, tags, follow-ups.

They send such requests as if a person had asked. They are recognised by their form, answered
without a search or a model (a title from the conversation's own first words, else nothing), and
stand on no record: nobody asked and nothing was disclosed. Each pattern takes two signs that no
question has, so that a person may ask for "a title" all the same.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request

from sovereign_rag.api.openai.completion import Written
from sovereign_rag.api.openai.schemas import ChatBody

TASK_HEADER: Final = "x-openwebui-task"
"""Open-webui fills it in where its connection has the header `X-OpenWebUI-Task: {{TASK}}`."""

_OPEN_WEBUI: Final = re.compile(r"\A\s*###\s*Task:.*(?:<chat_history>|###\s*Output:)", re.DOTALL)
_OPEN_WEBUI_TOOLS: Final = re.compile(r"\A\s*Query: History:\s")
_LIBRECHAT: Final = (
    re.compile(r"provide a concise, 5-word-or-less title.*only return the title", re.I | re.DOTALL),
    re.compile(
        r"analyze this conversation and provide.*detected language.*title", re.I | re.DOTALL
    ),
    re.compile(r"concise title.*for a conversation that starts with.*title:", re.I | re.DOTALL),
)
_ASKED_FOR: Final = re.compile(r'JSON format:\s*\{\s*"(?P<name>\w+)"\s*:\s*(?P<list>\[)?')
_SAID_BY_USER: Final = re.compile(r'^\s*(?:USER|User|Human):\s*"*(?P<text>[^\n"]+)', re.MULTILINE)
_TITLE_WORDS: Final = 6
_TITLE_CHARACTERS: Final = 60
_UNTITLED: Final = "Conversation"


def side_answer(body: ChatBody, request: Request) -> Written | None:
    """What to answer to a request that no person made; None: a person may have asked."""
    text = next((one.text for one in reversed(body.messages) if one.role == "user"), "")
    if not (request.headers.get(TASK_HEADER, "").strip() or _is_by_a_front_end(text)):
        return None
    title = _title_of(text)
    asked = body.model_extra or {}
    if forced := _forced_function(asked):
        arguments = json.dumps(_filled(forced.get("parameters", {}), title), ensure_ascii=False)
        call = {"name": forced.get("name", ""), "arguments": arguments}
        return Written("", tool_call={"id": "call_title", "type": "function", "function": call})
    if schema := _wanted_schema(asked):
        return Written(json.dumps(_filled(schema, title), ensure_ascii=False))
    if found := _ASKED_FOR.search(text):
        value: object = [] if found["list"] else title if found["name"] == "title" else ""
        return Written(json.dumps({found["name"]: value}, ensure_ascii=False))
    return Written(title)


def _is_by_a_front_end(text: str) -> bool:
    forms = (_OPEN_WEBUI, _OPEN_WEBUI_TOOLS, *_LIBRECHAT)
    return any(form.search(text) for form in forms)


def _title_of(text: str) -> str:
    """The first words that the conversation's user said."""
    said = _SAID_BY_USER.search(text)
    words = said["text"].split()[:_TITLE_WORDS] if said else []
    return " ".join(words)[:_TITLE_CHARACTERS].strip(" .,;:") or _UNTITLED


def _forced_function(asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The function that has to be called, where one has: a front end's way to get fields."""
    if not isinstance(asked.get("tool_choice"), dict) or not isinstance(asked.get("tools"), list):
        return None
    functions = [one.get("function") for one in asked["tools"] if isinstance(one, dict)]
    return next((one for one in functions if isinstance(one, dict)), None)


def _wanted_schema(asked: Mapping[str, Any]) -> Mapping[str, Any] | None:
    wanted = asked.get("response_format")
    inner = wanted.get("json_schema") if isinstance(wanted, dict) else None
    schema = inner.get("schema") if isinstance(inner, dict) else None
    return schema if isinstance(schema, dict) else None


def _filled(schema: Mapping[str, Any], title: str) -> dict[str, object]:
    properties = schema.get("properties", {})
    names = properties if isinstance(properties, dict) else {}
    return {name: title if name == "title" else "" for name in names}
