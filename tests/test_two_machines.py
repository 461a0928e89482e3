"""Two machines, a data folder each: what one takes in the other answers from, shows and erases."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sovereign_rag.access import local_owner
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.privacy.erase import Erased, Eraser
from sovereign_rag.privacy.find import Asked
from sovereign_rag.settings import (
    AuditSettings,
    CatalogSettings,
    ContentSettings,
    Settings,
    StoreSettings,
)
from sovereign_rag.wiring import Application, open_service
from tests.faults import engine_on_tcp

BUCKET = "shared"
OWNER = local_owner()
EVERYONE = frozenset({"everyone"})

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def storage() -> Iterator[tuple[str, Any]]:
    """The address of an S3-speaking server on loopback with an empty bucket, and a client of it."""
    from minio import Minio
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        client = Minio(
            endpoint=f"{host}:{port}",
            access_key="admin",
            secret_key="secret-key",
            secure=False,
            region="us-east-1",
        )
        client.make_bucket(bucket_name=BUCKET)
        yield f"http://{host}:{port}", client
    finally:
        server.stop()


@pytest.fixture
def machines(
    storage: tuple[str, Any],
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path: Path,
) -> Iterator[list[Application]]:
    """Two of them over one catalog, one bucket and one engine."""
    content = ContentSettings(
        url=f"s3://{BUCKET}",
        endpoint=storage[0],
        access_key="admin",
        secret_key=SecretStr("secret-key"),
    )
    with engine_on_tcp(tmp_path / "engine") as port:
        shared = {
            "catalog": CatalogSettings(url=SecretStr(f"sqlite:///{tmp_path}/catalog.sqlite3")),
            "store": StoreSettings(url=f"http://127.0.0.1:{port}", read_timeout_s=60, timeout_s=60),
            "content": content,
        }
        first = product_settings(**shared, audit=AuditSettings(writer="a"))
        second = product_settings(**shared, audit=AuditSettings(writer="b"))
        with (
            open_service(first, embedder=embedder) as a,
            open_service(second, embedder=embedder) as b,
        ):
            yield [a, b]


def test_what_one_machine_took_in_the_other_answers_from_shows_and_erases(
    machines: list[Application], storage: tuple[str, Any], tmp_path: Path
) -> None:
    here, there = machines
    letter = tmp_path / "canteen.md"
    letter.write_text("# Canteen\n\nThe canteen opens at half past eleven.\n")
    here.ingestion.ingest([letter], OWNER, readers=EVERYONE)
    (document,) = there.documents.list(OWNER)

    answer = there.answers.answer(AnswerRequest("When does the canteen open?", OWNER))
    original = there.content.original(document.content_hash).read_bytes()
    again = there.ingestion.ingest([letter], OWNER)
    there.documents.delete(document.id, OWNER)

    assert "half past eleven" in answer.statements[0].text
    assert answer.statements[0].citations
    assert original == letter.read_bytes()
    assert [task.state.value for task in again.tasks] == ["unchanged"]
    assert here.searching.search("When does the canteen open?", OWNER) == []
    stored = [
        item.object_name for item in storage[1].list_objects(bucket_name=BUCKET, recursive=True)
    ]
    assert [name.split("/")[0] for name in stored] == ["erased"]
    assert all(machine.audit.verify().ok for machine in machines)
    assert set(here.catalog.audit_heads.writers()) <= {"a", "b"}


def test_an_erasure_names_the_record_of_the_other_machine_which_is_erased_there(
    machines: list[Application], tmp_path: Path
) -> None:
    here, there = machines
    letter = tmp_path / "letter.md"
    letter.write_text("# Letter\n\nJean Dupont was treated for a broken wrist.\n")
    here.ingestion.ingest([letter], OWNER, readers=EVERYONE)
    for machine in machines:
        machine.searching.search("What was Jean Dupont treated for?", OWNER)
    asked = Asked("default", texts=["Jean Dupont"])

    def erase(machine: Application) -> Erased:
        eraser = Eraser(machine)
        return eraser.erase(eraser.finder.plan(asked), OWNER)

    def recorded(machine: Application) -> bool:
        files = (machine.settings.data_dir / "audit").glob("*")
        return any(b"Jean Dupont" in file.read_bytes() for file in files if file.is_file())

    while len(here.catalog.audit_heads.writers()) < 2:  # each is noted within a second
        time.sleep(0.05)
    first = erase(here)
    after_first = (recorded(here), recorded(there))
    second = erase(there)

    assert any("the record that b writes" in place for place in first.facts["not_looked_at"])
    assert len(first.facts["documents"]) == 1
    assert after_first == (False, True)
    assert second.facts["records"] > 0
    assert not recorded(there)
    assert all(machine.audit.verify().ok for machine in machines)
