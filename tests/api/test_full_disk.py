"""A full disk under the data folder: who asks is told so, nothing goes out that is not on record,
and with room again the next request works.

The disk is full for this process: files may not grow beyond what the audit log has by then.
"""

import json
import resource
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.roles import Role
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving

NOTICE = "# Notice\n\nThe notice period for employees is three months.\n"
QUESTION = {"question": "What is the notice period?", "kind": "extracts", "language": "en"}


@pytest.fixture(scope="module")
def application(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Application]:
    notice = tmp_path_factory.mktemp("documents") / "notice.md"
    notice.write_text(NOTICE, encoding="utf-8")
    with open_service(product_settings(parse={"workers": 1}), embedder=embedder) as application:
        application.ingestion.ingest([notice], local_owner(), readers=frozenset({"everyone"}))
        yield application


@pytest.fixture(scope="module")
def client(application: Application) -> Iterator[httpx.Client]:
    _, key = application.catalog.keys.create("Ana", "ana")
    with (
        serving(create_app(application)) as url,
        httpx.Client(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=120
        ) as client,
    ):
        # What is opened or unpacked at the first use is there by now.
        assert client.post("/v1/answers", json=QUESTION).status_code == 200
        assert client.post("/v1/search", json={"query": "notice period"}).status_code == 200
        yield client


def audit_bytes(application: Application) -> int:
    return sum(file.stat().st_size for file in application.audit.folder.glob("*.jsonl"))


def outgrow_the_catalog(application: Application, client: httpx.Client) -> None:
    """Have the record be longer than what the catalog writes beside it: the limit is for both."""
    for _ in range(25):
        client.post("/v1/answers", json=QUESTION)
    with closing(sqlite3.connect(application.audit.folder.parent / "catalog.sqlite3")) as catalog:
        catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")


@contextmanager
def full_beyond(size: int) -> Iterator[None]:
    """No file of this process grows beyond `size` bytes; `write` fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/answers", QUESTION),
        ("/v1/answers", {**QUESTION, "stream": True}),
        ("/v1/search", {"query": "notice period"}),
    ],
    ids=["answer", "streamed answer", "search"],
)
def test_who_asks_while_the_disk_is_full_is_told_so_and_served_when_there_is_room_again(
    application: Application, client: httpx.Client, path: str, body: dict[str, object]
) -> None:
    before = audit_bytes(application)

    with full_beyond(before + 1):
        refused = client.post(path, json=body)
        after_refusal = audit_bytes(application)
    served = client.post(path, json=body)

    assert refused.status_code == 503
    assert refused.json()["error"] == "AuditError"
    assert "free disk space" in refused.json()["detail"]
    assert "three months" not in refused.text
    assert after_refusal == before
    assert served.status_code == 200
    assert "three months" in served.text
    assert application.audit.verify().problem is None


def test_an_answer_whose_own_record_does_not_fit_any_more_is_not_released(
    application: Application, client: httpx.Client
) -> None:
    start = audit_bytes(application)
    client.post("/v1/answers", json=QUESTION)
    both = audit_bytes(application) - start
    outgrow_the_catalog(application, client)

    with full_beyond(audit_bytes(application) + both - 100):
        refused = client.post("/v1/answers", json=QUESTION)
    records = [record.entry.action for record in application.audit.read()]
    served = client.post("/v1/answers", json=QUESTION)

    assert records[-1] == "answer.search"  # what was looked at is on record, and nothing more
    assert (refused.status_code, refused.json()["error"]) == (503, "AuditError")
    assert "three months" not in refused.text
    assert served.json()["statements"]
    assert application.audit.verify().problem is None


def test_a_stream_whose_answer_can_not_be_recorded_ends_with_the_error(
    application: Application, client: httpx.Client
) -> None:
    streamed = {**QUESTION, "stream": True}
    client.post("/v1/answers", json=streamed)
    file = max(application.audit.folder.glob("*.jsonl"))
    found, answered = (len(line) for line in file.read_bytes().splitlines()[-2:])
    outgrow_the_catalog(application, client)

    with full_beyond(audit_bytes(application) + found + answered // 2):
        lines = client.post("/v1/answers", json=streamed).text.splitlines()

    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert events[-1] == "error"
    assert "answer" not in events
    assert data[-1]["error"] == "AuditError"


def test_a_document_that_finds_no_room_is_refused_and_taken_with_room_again(
    application: Application, client: httpx.Client
) -> None:
    _, admin = application.catalog.keys.create("Admin", "adam", role=Role.ADMIN)
    headers = {"Authorization": f"Bearer {admin}"}
    text = "The canteen opens at noon. " * 20_000
    file = {"file": ("canteen.txt", text.encode(), "text/plain")}
    form = {"readers": "everyone"}

    with full_beyond(64 << 10):
        refused = client.post("/v1/documents", files=file, data=form, headers=headers)
    taken = client.post("/v1/documents", files=file, data=form, headers=headers)

    assert refused.status_code == 503
    assert refused.json()["error"] == "EnvironmentFault"
    assert "Is the disk full?" in refused.json()["detail"]
    assert taken.status_code == 202
    assert list((application.content.root / "incoming").iterdir()) == []


def test_no_room_for_temporary_files_at_the_first_question_is_told_and_the_next_one_works() -> None:
    program = (
        "import resource\n"
        "from sovereign_rag.text import language\n"
        "from sovereign_rag.errors import EnvironmentFault\n"
        "soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, hard))\n"
        "try:\n"
        "    language.detect('Wie lange ist die Frist?')\n"
        "except EnvironmentFault as error:\n"
        "    print(error)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))\n"
        "print(language.detect('Wie lange ist die Frist?'))\n"
    )

    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=300, check=True
    )

    told, after = ran.stdout.splitlines()
    assert "Free disk space" in told
    assert after == "de"
