"""The owner of a data folder asks the service that runs over it, by a socket that is theirs."""

import os
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn

from sovereign_rag.app import create_app
from sovereign_rag.http.protocol import timed_protocol
from sovereign_rag.services import owner_door
from tests.api.conftest import Product
from tests.api.test_answers import HEATING_QUESTION, SALARY_QUESTION
from tests.cli.running import CommandLine

KNOCK = """
import os, socket, sys
os.setuid(int(sys.argv[2]))
line = socket.socket(socket.AF_UNIX)
line.settimeout(20)
line.connect(sys.argv[1])
try:
    line.sendall(b"GET /healthz HTTP/1.1\\r\\nHost: localhost\\r\\n\\r\\n")
    print(line.recv(100).decode())
except ConnectionError:
    print()
"""


@contextmanager
def served(product: Product, data_dir: Path) -> Iterator[Path]:
    """The product behind the door of a data folder that holds nothing else; gives the socket."""
    with owner_door.opened(data_dir) as door:
        assert door is not None
        listener, started = door, threading.Event()

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[object] | None = None) -> None:  # type: ignore[override]  # as uvicorn has it
                await super().startup([listener])
                started.set()

        config = uvicorn.Config(
            create_app(product.application), http=timed_protocol(30), log_level="error"
        )
        server = Server(config)
        thread = threading.Thread(target=server.run)
        thread.start()
        assert started.wait(30), "the server did not start"
        try:
            yield owner_door.door_path(data_dir)
        finally:
            server.should_exit = True
            thread.join(30)


@pytest.fixture
def cli(
    product: Product, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[CommandLine]:
    with served(product, tmp_path / "data"):
        yield CommandLine(tmp_path / "data", capsys)


def test_a_question_is_answered_by_the_service_that_runs(
    product: Product, cli: CommandLine
) -> None:
    answer = cli("ask", HEATING_QUESTION, "--json").json
    secret = cli("search", SALARY_QUESTION, "--json").json["passages"][0]["text"]

    with product.client("ana") as client:
        body = client.post("/v1/answers", json={"question": HEATING_QUESTION}).json()
    assert answer["answer"] == body["answer"]
    assert "grade seven" in secret  # the owner reads everything
    assert not (cli.data_dir / "catalog.db").exists()  # nothing was opened here


def test_the_owner_looks_through_somebodys_eyes(cli: CommandLine) -> None:
    as_hugo = cli("search", SALARY_QUESTION, "--as", "user:hugo", "--groups", "hr", "--json")
    as_ana = cli("search", SALARY_QUESTION, "--as", "user:ana", "--json")

    assert "grade seven" in as_hugo.json["passages"][0]["text"]
    assert all("grade seven" not in passage["text"] for passage in as_ana.json["passages"])


@pytest.mark.parametrize("view", ["{}", '{"user": "hugo", "groups": ["hr"]}'])
def test_what_the_door_takes_is_worth_nothing_elsewhere(product: Product, view: str) -> None:
    query, header = {"query": SALARY_QUESTION}, {owner_door.AS_HEADER: view}

    with product.client() as nobody, product.client("ana") as ana:
        refused = nobody.post("/v1/search", json=query, headers=header)
        found = ana.post("/v1/search", json=query, headers=header)

    assert refused.status_code == 401
    assert "grade seven" not in found.text


def test_a_view_that_makes_no_sense_is_refused(product: Product, tmp_path: Path) -> None:
    with (
        served(product, tmp_path / "data") as socket,
        httpx.Client(transport=httpx.HTTPTransport(uds=str(socket))) as owner,
    ):
        url, query = "http://localhost/v1/search", {"query": "heating"}
        wrong = owner.post(url, json=query, headers={owner_door.AS_HEADER: '{"owner": true}'})
        plain = owner.post(url, json=query)

    assert wrong.status_code == 400
    assert plain.status_code == 200


def test_the_door_is_its_owners_alone(product: Product, tmp_path: Path) -> None:
    with served(product, tmp_path / "data") as socket:
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (socket, socket.parent)]

        assert modes == [0o600, 0o700]
        assert "200 OK" in _knock(socket)
    assert not socket.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_account_gets_no_answer_even_where_it_can_connect(product: Product) -> None:
    with tempfile.TemporaryDirectory() as folder, served(product, Path(folder)) as socket:
        for path in (Path(folder), socket.parent, socket):
            path.chmod(0o777)

        answers = _knock(socket, user=65_534), _knock(socket)

    assert answers[0] == ""
    assert "200 OK" in answers[1]


def test_a_second_service_leaves_the_door_to_the_first(product: Product, tmp_path: Path) -> None:
    with served(product, tmp_path / "data") as socket:
        with owner_door.opened(tmp_path / "data") as second:
            assert second is None
        assert "200 OK" in _knock(socket)
    with owner_door.opened(tmp_path / "data") as next_one:
        assert next_one is not None


def _knock(socket: Path, user: int | None = None) -> str:
    """What a process of an account is answered."""
    account = os.geteuid() if user is None else user
    done = subprocess.run(
        [sys.executable, "-c", KNOCK, str(socket), str(account)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()
