"""Programs that others wrote: packages of JavaScript, and the examples as they stand."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.conftest import Product

HEATING = "Quelle est la température maximale de chauffage d'un logement ?"
SALARY = "What is the salary band of grade seven?"
JAVASCRIPT = Path(__file__).resolve().parents[1] / "javascript"


def ran(*command: str) -> str:
    quiet = {**os.environ, "HAYSTACK_TELEMETRY_ENABLED": "False"}
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=240, check=False, env=quiet
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def javascript(product: Product) -> Any:
    """Runs a script of tests/javascript as somebody; gives what it printed."""
    if shutil.which("node") is None or not (JAVASCRIPT / "node_modules").is_dir():
        pytest.skip("tools/setup.sh installs the packages of JavaScript where npm is")

    def run(script: str, who: str, question: str) -> Any:
        return json.loads(
            ran("node", str(JAVASCRIPT / script), product.url, product.keys[who], question)
        )

    return run


def test_openai_s_javascript_package_asks_streams_embeds_and_searches(javascript: Any) -> None:
    told = javascript("openai_client.mjs", "ana", HEATING)

    message = told["answer"]["choices"][0]["message"]
    place = message["annotations"][0]["url_citation"]
    assert told["models"] == ["sovereign-rag", "sovereign-rag-extracts"]
    assert message["content"][place["start_index"] : place["end_index"]] == "[1]"
    assert told["streamed"] == message["content"]
    assert told["usage"]["total_tokens"] == 0
    assert told["dimension"] == 384
    assert "Temperature-de-chauffage.pdf" in told["found"]
    assert told["refusal"] == {"status": 404, "code": "model_not_found"}


@pytest.mark.parametrize(("who", "knows"), [("hugo", True), ("ana", False)])
def test_the_protocol_s_javascript_library_calls_the_tools_within_the_caller_s_rights(
    javascript: Any, who: str, knows: bool
) -> None:
    told = javascript("mcp_client.mjs", who, SALARY)

    assert told["tools"] == ["search", "fetch", "ask", "list_documents"]
    assert ("74,000" in json.dumps(told)) is knows
    assert told["fetched"]["metadata"]["document_id"] == told["found"]["results"][0]["document_id"]


@pytest.mark.parametrize("example", ["openai_client.py", "mcp_client.py"])
def test_an_example_runs_as_it_stands(
    product: Product, repository: Path, tmp_path: Path, example: str
) -> None:
    key = tmp_path / "ana.key"
    key.write_text(product.keys["ana"], encoding="utf-8")

    printed = ran(
        sys.executable, str(repository / "examples" / example), product.url, str(key), HEATING
    )

    assert "19" in printed
    assert "[1]" in printed
    assert f"{product.url}/documents/" in printed


@pytest.mark.parametrize(
    ("example", "who", "knows"),
    [
        ("langchain_retriever.py", "hugo", True),
        ("langchain_retriever.py", "ana", False),
        ("haystack_retriever.py", "hugo", True),
    ],
)
def test_a_retriever_finds_what_its_key_may_read_and_reaches_the_service_alone(
    product: Product, repository: Path, tmp_path: Path, example: str, who: str, knows: bool
) -> None:
    key = tmp_path / "its.key"
    key.write_text(product.keys[who], encoding="utf-8")
    program = repository / "examples" / example
    guarded = (
        "import runpy, sys\n"
        "def refuse(event, args):\n"
        "    if event == 'socket.getaddrinfo' and args[0] not in ('127.0.0.1', b'127.0.0.1'):\n"
        "        raise OSError(f'it looked up {args[0]}')\n"
        "    if event == 'socket.connect' and args[1][0] != '127.0.0.1':\n"
        "        raise OSError(f'it reached for {args[1]}')\n"
        "sys.addaudithook(refuse)\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )

    printed = ran(sys.executable, "-c", guarded, str(program), product.url, str(key), SALARY)

    assert ("74,000" in printed) is knows
