"""LlamaIndex's chat class for OpenAI's protocol, unmodified, in a process of its own.

It asks for an `openai` older than the other tests have: see tests/older_openai.txt.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

from tests.api.conftest import Product

HEATING: Final = "Quelle est la température maximale de chauffage d'un logement ?"
SALARY: Final = "What is the salary band of grade seven?"
OLDER: Final = Path(sys.prefix) / "older_openai"
PROGRAM: Final = """
import asyncio, json, sys
import openai
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

url, asked, withheld, *keys = sys.argv[1:]

def chat(key, **more):
    return OpenAILike(model="sovereign-rag", api_base=f"{url}/v1", api_key=key, max_retries=0,
                      is_chat_model=True, **more)

def refusal(key):
    try:
        chat(key).chat([ChatMessage(role="user", content=asked)])
    except openai.AuthenticationError as error:
        return error.code

ana, hugo = map(chat, keys)
question = [
    ChatMessage(role="system", content="Be brief."), ChatMessage(role="user", content=asked)
]
answer = ana.chat(question)
pieces = list(ana.stream_chat(question))
german = chat(keys[0], additional_kwargs={"extra_body": {"languages": ["de"]}})
follow_up = hugo.chat([
    ChatMessage(role="user", content=withheld),
    ChatMessage(role="assistant", content="From 61,000 to 74,000 euros."),
    ChatMessage(role="user", content="And of the others?"),
])
print(json.dumps({
    "package": openai.__version__,
    "answer": answer.message.content,
    "raw": answer.raw.model_dump(),
    "deltas": [piece.delta for piece in pieces],
    "streamed": pieces[-1].message.content,
    "awaited": asyncio.run(chat(keys[0]).achat(question)).message.content,
    "completed": ana.complete(asked).text,
    "filtered": german.chat(question).message.content,
    "follow_up": follow_up.raw.model_extra["sovereign"]["follow_up"]["question"],
    "withheld": [one.chat([ChatMessage(role="user", content=withheld)]).message.content
                 for one in (ana, hugo)],
    "refusal": refusal("srag_nobody"),
}))
"""


@pytest.fixture(scope="module")
def told(product: Product) -> Any:
    """What the class gave somebody of finance and somebody of hr."""
    if not (OLDER / "llama_index").is_dir():
        pytest.skip("tools/setup.sh dev installs the class, by the hashes of its packages")
    keys = [product.keys[who] for who in ("ana", "hugo")]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, product.url, HEATING, SALARY, *keys],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        env={**os.environ, "PYTHONPATH": str(OLDER)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_llama_index_asks_and_has_marks_with_their_places(product: Product, told: Any) -> None:
    text, annotations = told["answer"], told["raw"]["choices"][0]["message"]["annotations"]

    assert told["package"].startswith("2.")
    assert "19" in text
    assert annotations
    for annotation in annotations:
        place = annotation["url_citation"]
        assert text[place["start_index"] : place["end_index"]].startswith("[")
        assert place["url"].startswith(f"{product.url}/documents/")
        assert place["url"] in text
    assert told["raw"]["sovereign"]["citations"][0]["verified"]
    assert told["awaited"] == told["completed"] == text


def test_llama_index_streams_the_same_text(told: Any) -> None:
    assert "".join(delta or "" for delta in told["deltas"]) == told["streamed"] == told["answer"]
    assert len(told["deltas"]) > 1


def test_llama_index_sends_filters_and_earlier_turns_along(told: Any) -> None:
    assert "19" not in told["filtered"]
    assert "grade seven" in told["follow_up"]


def test_llama_index_is_answered_within_the_rights_of_its_key(told: Any) -> None:
    assert ["74,000" in text for text in told["withheld"]] == [False, True]
    assert told["refusal"] == "invalid_api_key"
