"""Clients that others' generators make of the description compile, and speak to the service."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from sovereign_rag.api.description import BODIES
from sovereign_rag.app import create_app
from tests.api.conftest import Product

SALARY = "What is the salary band of grade seven?"
GENERATORS = Path(sys.prefix) / "generators"
"""Packages that no other test sees: see tests/generators.txt."""

JAVASCRIPT = Path(__file__).resolve().parents[1] / "javascript"
PYTHON = """
import json, sys
sys.path.insert(0, sys.argv[1])
from made import AuthenticatedClient
from made.api.answers import search
from made.api.documents import get_document, list_documents
from made.api.usage import get_usage
from made.models import ErrorBody, SearchBody
url, key, question = sys.argv[2:]
with AuthenticatedClient(base_url=url, token=key) as client:
    found = search.sync(client=client, body=SearchBody(query=question, limit=3))
    listed = list_documents.sync(client=client)
    refused = get_document.sync("none", client=client)
    withheld = get_usage.sync(client=client)
assert isinstance(refused, ErrorBody) and isinstance(withheld, ErrorBody)
print(json.dumps({
    "passages": [passage.text for passage in found.passages],
    "documents": len(listed.documents),
    "refusal": refused.error,
}))
"""


@pytest.fixture(scope="module")
def description(product: Product) -> dict[str, Any]:
    return create_app(product.application).openapi()


@pytest.fixture(scope="module")
def file(description: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("description") / "openapi.json"
    path.write_text(json.dumps(description), encoding="utf-8")
    return path


def ran(*command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
        cwd=cwd,
        env=env,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_operation_has_an_example_of_what_is_sent_and_of_every_refusal(
    description: dict[str, Any],
) -> None:
    shared = {"components": description["components"]}
    lacking = set()
    for methods in description["paths"].values():
        for operation in methods.values():
            name = operation["operationId"]
            sent = operation.get("requestBody", {}).get("content", {}).get("application/json")
            bodies = [] if sent is None else [sent]
            for status, answer in operation["responses"].items():
                if status >= "400" and name != "ready":
                    bodies.append(answer.get("content", {}).get("application/json", {}))
            for body in bodies:
                if "example" not in body:
                    lacking.add(name)
                    continue
                validator = Draft202012Validator({**body["schema"], **shared})
                assert [e.message for e in validator.iter_errors(body["example"])] == [], name

    assert lacking == set()


def test_no_example_is_of_an_operation_that_is_no_more(description: dict[str, Any]) -> None:
    names = {
        o["operationId"] for methods in description["paths"].values() for o in methods.values()
    }

    assert BODIES.keys() <= names


def test_models_of_the_description_have_names_of_their_own(description: dict[str, Any]) -> None:
    """Two of one name stand there with their modules, and generators drop one of them."""
    assert [name for name in description["components"]["schemas"] if "__" in name] == []


def test_a_python_client_is_generated_and_asks_within_its_key_s_rights(
    product: Product, file: Path, tmp_path: Path
) -> None:
    if not (GENERATORS / "openapi_python_client").is_dir():
        pytest.skip("tools/setup.sh dev installs the generator, by the hashes of its packages")
    made = tmp_path / "made"
    generate = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
    beside = {**os.environ, "PYTHONPATH": str(GENERATORS)}
    ran(*generate, "--path", file, "--output-path", made, env=beside)

    told = {
        who: json.loads(
            ran(sys.executable, "-c", PYTHON, tmp_path, product.url, product.keys[who], SALARY)
        )
        for who in ("hugo", "ana")
    }

    assert "74,000" in json.dumps(told["hugo"])
    assert "74,000" not in json.dumps(told["ana"])
    assert min(one["documents"] for one in told.values()) >= 1
    assert told["ana"]["refusal"] == "NotFound"


def test_a_typescript_client_is_generated_compiles_strictly_and_asks(
    product: Product, file: Path, tmp_path: Path
) -> None:
    packages = JAVASCRIPT / "node_modules"
    if shutil.which("node") is None or not (packages / "openapi-typescript").is_dir():
        pytest.skip("tools/setup.sh installs the packages of JavaScript where npm is")
    os.symlink(packages, tmp_path / "node_modules")
    shutil.copy(JAVASCRIPT / "typed_client.ts", tmp_path)
    (tmp_path / "package.json").write_text('{"type": "module"}', encoding="utf-8")
    programs = packages / ".bin"
    generator = programs / "openapi-typescript"
    optional = "--default-non-nullable=false"  # what has a default need not be sent
    ran(generator, file, optional, "--output", tmp_path / "schema.d.ts")
    strict = ["--strict", "--module", "nodenext", "--target", "es2022"]
    ran(programs / "tsc", *strict, "--skipLibCheck", "typed_client.ts", cwd=tmp_path)

    told = json.loads(
        ran("node", tmp_path / "typed_client.js", product.url, product.keys["hugo"], SALARY)
    )

    assert "74,000" in json.dumps(told)
    assert told["documents"] >= 1
    assert told["refusal"] == "NotFound"
