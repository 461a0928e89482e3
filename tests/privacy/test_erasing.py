"""Erased: nothing of it is left in any file, also after the backup from before was restored."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ingest.sync.sync import SyncRequest
from sovereign_rag.access import Principal, local_owner
from sovereign_rag.backup.create import Origin, create
from sovereign_rag.backup.redo import redo
from sovereign_rag.backup.repository import Repository
from sovereign_rag.backup.restore import restore
from sovereign_rag.catalog.records import NewTask
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput, ErasedBefore, NotFound, Unauthenticated
from sovereign_rag.privacy.access_report import write_report
from sovereign_rag.privacy.erase import KIND, Erased, Eraser, write_tombstone
from sovereign_rag.privacy.find import Asked
from sovereign_rag.privacy.retention import apply
from sovereign_rag.settings import Settings
from sovereign_rag.settings.retention import RetentionRule, RetentionSettings
from sovereign_rag.storage.signed_statements import signed_statement, statement_in
from sovereign_rag.wiring import Application, open_service

pytestmark = pytest.mark.model

OWNER, ANA, BO = local_owner(), Principal("ana"), Principal("bo")
LETTER = "Jean Dupont of the night shift was treated for a broken wrist in the spring of 2024."
GATE = "The gate of the yard opens at seven and closes at nine in the evening, all year round."
SECRETS = (b"Jean Dupont of the night", b"broken wrist", b"dupont-letter.txt")


@dataclass(frozen=True)
class Site:
    application: Application
    folder: Path
    backups: Repository

    @property
    def data(self) -> Path:
        return self.application.settings.data_dir

    def back_up(self) -> str:
        settings, catalog = self.application.settings, self.application.catalog
        origin = Origin(settings, catalog, self.application.audit)
        return create(origin, self.backups, key=None, recipient=None).name

    def erase(self, **asked: object) -> Erased:
        eraser = Eraser(self.application)
        plan = eraser.finder.plan(Asked("default", **asked))  # type: ignore[arg-type]  # of tests
        return eraser.erase(plan, OWNER)


@pytest.fixture(scope="module")
def site(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "dupont-letter.txt").write_text(LETTER, encoding="utf-8")
    (folder / "gate.txt").write_text(GATE, encoding="utf-8")
    with open_service(product_settings(), embedder=embedder) as application:
        readers = frozenset({"user:ana", "user:anabel"})
        application.ingestion.ingest([folder / "dupont-letter.txt"], OWNER, readers=readers)
        application.ingestion.ingest([folder / "gate.txt"], OWNER, readers=frozenset({"everyone"}))
        application.searching.search("What was Jean Dupont of the night shift treated for?", ANA)
        yield Site(application, folder, Repository(folder / "backups"))


def files_with(folder: Path, *needles: bytes) -> set[str]:
    """What stands where: an own search, which knows nothing of the product's."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.name for path in files for needle in needles if needle in path.read_bytes()}


def test_documents_are_found_by_address_and_by_what_their_text_mentions(site: Site) -> None:
    finder = Eraser(site.application).finder

    by_text = finder.plan(Asked("default", texts=["jean  DUPONT"]))
    by_address = finder.plan(Asked("default", patterns=["*/dupont-*"]))

    assert [r.name for r in by_text.documents] == ["dupont-letter.txt"]
    assert [r.name for r in by_address.documents] == ["dupont-letter.txt"]
    for nothing in (Asked("default", texts=["Marie Curie"]), Asked("other", texts=["Dupont"])):
        with pytest.raises(NotFound):
            finder.plan(nothing)


def test_all_that_is_held_of_a_person_is_one_archive(site: Site, tmp_path: Path) -> None:
    site.application.catalog.keys.create("for bo", "bo")
    site.application.searching.search("When does the gate open?", BO)
    archive = tmp_path / "bo.zip"

    counts = write_report(site.application, "default", "bo", ["gate of the yard"], archive, OWNER)

    with ZipFile(archive) as opened:
        held = json.loads(opened.read("catalog.json"))
        acts = [json.loads(line) for line in opened.read("record.jsonl").splitlines()]
        assert len(json.loads(opened.read("mentions.json"))) == 1
    assert [key["user"] for key in held["api_keys"]] == ["bo"]
    assert "secret_hash" not in held["api_keys"][0]
    assert [act["detail"]["question"] for act in acts if act["action"] == "search"] == [
        "When does the gate open?"
    ]
    assert counts["api_keys"] == 1
    assert b"Dupont" not in archive.read_bytes()
    with pytest.raises(BadInput, match="already"):
        write_report(site.application, "default", "bo", (), archive, OWNER)


def test_an_erased_document_is_in_no_file_and_stays_erased_after_a_restore(
    site: Site, product_settings: Callable[..., Settings], embedder: DenseEmbedder, tmp_path: Path
) -> None:
    assert files_with(site.data, *SECRETS)
    yesterday, key = site.back_up(), Ed25519PrivateKey.generate()

    done = site.erase(texts=["Jean Dupont"])
    signed = signed_statement(KIND, done.facts, key)
    certificate = write_tombstone(site.backups.erased, signed, done.facts["erasure"])

    assert done.scan.is_clean
    assert files_with(site.data, *SECRETS) == set()
    assert site.application.audit.verify().ok
    told = statement_in(certificate, KIND, key.public_key(), what="The certificate")
    assert len(told["documents"]) == 1
    assert "Dupont" not in certificate.read_text("utf-8")
    certificate.write_bytes(signed.replace(b'"found": []', b'"found": [1]'))
    with pytest.raises(BadInput, match="changed since"):
        statement_in(certificate, KIND, key.public_key(), what="The certificate")
    certificate.write_bytes(signed)

    settings = product_settings()
    restored = restore(settings, site.backups, yesterday, key=None, opener=None)
    with open_service(settings, embedder=embedder) as application:
        assert len(application.documents.list(OWNER)) == 2
        assert redo(application, restored.to_redo, restored.erased)["erased"] == 1
        assert [d.name for d in application.documents.list(OWNER)] == ["gate.txt"]
        assert len(application.searching.search("When does the gate open?", BO)) == 1
        assert application.audit.verify().ok
    assert files_with(settings.data_dir, *SECRETS) == set()


def test_what_was_erased_is_not_taken_in_again_until_somebody_allows_it(site: Site) -> None:
    application, letter = site.application, site.folder / "dupont-letter.txt"
    elsewhere = site.folder / "drop"
    elsewhere.mkdir()
    (elsewhere / "copy.txt").write_text(LETTER, encoding="utf-8")
    received = application.content.receive([LETTER.encode()])
    upload = NewTask("upload:x", "x.txt", frozenset(), 0, content_hash=received.content_hash)

    def names() -> set[str]:
        return {document.name for document in application.documents.list(OWNER) if document.chunks}

    with pytest.raises(ErasedBefore, match="erased allow"):
        application.documents.submit([upload], OWNER, before_commit=lambda: None)
    application.content.drop(received)
    application.ingestion.ingest([letter], OWNER)  # the same address
    application.ingestion.ingest([elsewhere / "copy.txt"], OWNER)  # the same bytes
    synced = application.sync.sync(
        application.sync.find(str(elsewhere)), OWNER, SyncRequest(readers="everyone")
    )

    assert {"dupont-letter.txt", "copy.txt"} & names() == set()
    assert synced.job is None or "copy.txt" not in names()
    assert files_with(site.data / "content", *SECRETS) == set()
    (stone,) = application.catalog.tombstones.all("default")
    application.catalog.tombstones.lift("default", stone.sha256)
    application.ingestion.ingest([letter], OWNER)
    assert "dupont-letter.txt" in names()
    site.erase(texts=["Jean Dupont"])


def test_an_erased_person_is_a_pseudonym_everywhere(site: Site) -> None:
    catalog = site.application.catalog
    (_, secret), (_, anabels) = (catalog.keys.create("k", user) for user in ("ana", "anabel"))
    job = catalog.jobs.create("default", "user:ana", [])
    site.application.ingestion.ingest(
        [site.folder / "gate.txt"], OWNER, readers=frozenset({"user:ana", "user:anabel"})
    )

    done = site.erase(person="ana")

    assert done.scan.is_clean
    pattern = re.compile(rb"user:ana(?![\w@.-])")
    left = [p for p in site.data.rglob("*") if p.is_file() and pattern.search(p.read_bytes())]
    assert left == []
    with pytest.raises(Unauthenticated):
        catalog.keys.principal_for(secret)
    assert catalog.keys.principal_for(anabels).user == "anabel"
    assert catalog.jobs.get(job.id, "default").submitted_by == done.facts["person"]
    assert site.application.audit.verify().ok
    assert len(site.application.searching.search("When does the gate open?", ANA)) == 0
    assert (
        len(site.application.searching.search("When does the gate open?", Principal("anabel"))) == 1
    )


def test_a_timer_deletes_what_is_due_on_the_record_and_keeps_what_is_held(site: Site) -> None:
    for name in ("old.txt", "held.txt"):
        (site.folder / name).write_text(f"The lantern of {name} is lit.", encoding="utf-8")
        site.application.ingestion.ingest([site.folder / name], OWNER)
    rules = (
        RetentionRule(days=1, address="*/old.txt"),
        RetentionRule(days=1, address="*/held.txt"),
    )
    settings = RetentionSettings(rules=rules, holds=("*/held.txt",))
    now = datetime.now(UTC)

    gone = [apply(site.application, settings, OWNER, now + timedelta(days=d)) for d in (0, 2)]

    assert gone == [0, 1]
    names = {document.name for document in site.application.documents.list(OWNER)}
    assert ("old.txt" in names, "held.txt" in names) == (False, True)
    actions = [r.entry.action for r in site.application.audit.read()][-3:]
    assert actions == ["delete", "delete.done", "documents.list"]
