"""Two machines, a data folder each: what one takes in the other answers from, shows and erases."""

import csv
import io
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from sovereign_rag.access import local_owner
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.app import create_app
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.privacy.erase import Eraser
from sovereign_rag.privacy.find import Asked
from sovereign_rag.privacy.follow import ErasureFollower
from sovereign_rag.roles import Role
from sovereign_rag.settings import (
    AuditSettings,
    CatalogSettings,
    ContentSettings,
    Settings,
    StoreSettings,
)
from sovereign_rag.storage.audit_all import AllRecords
from sovereign_rag.wiring import Application, open_service
from tests.api.conftest import serving
from tests.buckets import content_in, new_bucket
from tests.catalog.conftest import TEST_URL, new_database
from tests.faults import engine_on_tcp

BUCKET = "shared"
OWNER = local_owner()
EVERYONE = frozenset({"everyone"})

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def bucket(storage: str) -> Iterator[Any]:
    with new_bucket(storage, BUCKET) as client:
        yield client


@pytest.fixture
def catalog_url(tmp_path: Path) -> Iterator[str]:
    """PostgreSQL, as on real machines; where there is none here, a file of SQLite."""
    if TEST_URL is None:
        yield f"sqlite:///{tmp_path}/catalog.sqlite3"
        return
    with new_database(TEST_URL) as (_, url):
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def machines(
    bucket: Any,
    storage: str,
    catalog_url: str,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path: Path,
) -> Iterator[list[Application]]:
    """Two of them over one catalog, one bucket and one engine."""
    content = ContentSettings.model_validate(content_in(storage, f"s3://{BUCKET}"))
    with engine_on_tcp(tmp_path / "engine") as port:
        shared = {
            "catalog": CatalogSettings(url=SecretStr(catalog_url)),
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
    machines: list[Application], bucket: Any, tmp_path: Path
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
    stored = [item.object_name for item in bucket.list_objects(bucket_name=BUCKET, recursive=True)]
    assert [name.split("/")[0] for name in stored] == ["erased"]
    assert all(machine.audit.verify().ok for machine in machines)
    assert set(here.catalog.audit_heads.writers()) <= {"a", "b"}


def test_the_console_of_one_machine_shows_verifies_and_exports_the_records_of_both(
    machines: list[Application],
) -> None:
    here, there = machines
    there.searching.search("When does the canteen open?", OWNER)
    there.audit.close()  # else its record is copied within a second
    _, key = here.catalog.keys.create("Auditor", "aude", role=Role.AUDITOR)

    with serving(create_app(here)) as url, httpx.Client(base_url=url, timeout=60) as client:
        client.headers = {"Authorization": f"Bearer {key}", "Accept": "text/html"}
        page = client.get("/admin/audit?verify=1&action=search").text
        table = client.get("/admin/audit/export").text

    rows = list(csv.DictReader(io.StringIO(table)))
    assert re.search(r"<code>b</code>: The record is whole, from entry 1 to 1\.", page)
    assert '<td data-label="Machine">b</td>' in page
    assert {row["writer"] for row in rows} == {"a", "b"}
    assert [row["writer"] for row in rows if row["action"] == "search"] == ["b"]


def test_an_erasure_reaches_the_record_of_the_other_machine(
    machines: list[Application], tmp_path: Path
) -> None:
    here, there = machines
    letter = tmp_path / "dupont-letter.md"
    letter.write_text("# Letter of Jean Dupont\n\nHe was treated for a broken wrist.\n")
    here.ingestion.ingest([letter], OWNER, readers=EVERYONE)
    for machine in machines:
        machine.searching.search("What was Jean Dupont treated for?", OWNER)
        machine.documents.page((machine.documents.list(OWNER)[0]).id, 1, OWNER)
    secrets = (b"Jean Dupont", b"dupont-letter", b"broken wrist")

    def recorded(machine: Application) -> set[str]:
        for place in machine.audit.anchors.copying:
            place.catch_up()
        files = (machine.settings.data_dir / "audit").glob("*.jsonl")
        lines = [path.read_bytes() for path in files]
        copies = [
            line for _, line in here.catalog.audit_copies.lines(machine.settings.audit.writer)
        ]
        found = {"record": lines, "copy": copies}
        return {k for k, v in found.items() if any(s in line for line in v for s in secrets)}

    before = [recorded(machine) for machine in machines]
    eraser = Eraser(here)
    asked = Asked("default", texts=["Jean Dupont"])
    while here.catalog.audit_heads.writers().keys() != {"a", "b"}:
        time.sleep(0.05)  # each is noted within a second
    outstanding = eraser.erase(eraser.finder.plan(asked), OWNER)
    meanwhile = [recorded(machine) for machine in machines]
    (waiting,) = here.catalog.erasures.awaited_of("b")

    followed = ErasureFollower(there).follow()
    after = [recorded(machine) for machine in machines]
    (state,) = here.catalog.erasures.all("default")
    (mine,) = state.machines

    assert before == [{"record", "copy"}] * 2
    assert meanwhile == [set(), {"record", "copy"}]
    assert outstanding.facts["outstanding"] == ["b"]
    assert any("the data folder of b" in place for place in outstanding.facts["not_looked_at"])
    assert b"Dupont" not in waiting.words
    assert (followed, after) == (1, [set(), set()])
    assert state.outstanding == []
    assert mine.told["records"] > 0
    assert here.catalog.erasures.awaited_of("b") == []
    assert (there.settings.data_dir / "erasures" / f"{state.id}.json").is_file()
    assert all(machine.audit.verify().ok for machine in machines)
    assert all(r.ok for r in AllRecords(here.audit, here.catalog).verify().values())
