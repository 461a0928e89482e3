"""The drill: backed up, destroyed, restored; and what was tampered with is refused."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.backup.create import BackupReport, Origin, create
from sovereign_rag.backup.envelope import Opener, Recipient
from sovereign_rag.backup.redo import redo
from sovereign_rag.backup.repository import Repository
from sovereign_rag.backup.restore import Restored, restore, verify
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput, Unauthenticated
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_chain import ChainHead
from sovereign_rag.wiring import Application, open_service

pytestmark = pytest.mark.model

OWNER, ANA, BO = local_owner(), Principal("ana"), Principal("bo")
GATE = "The gate of the yard opens at seven and closes at nine in the evening."
LANTERN = "The lantern in the cellar is lit when the gate of the yard has been closed."
QUESTION = "When does the gate of the yard open?"


@dataclass(frozen=True)
class Site:
    """A data folder with two documents, its backups, and who opens them."""

    application: Application
    backups: Repository
    key: Ed25519PrivateKey
    recipient: Recipient
    opener: Opener
    first: BackupReport

    @property
    def origin(self) -> Origin:
        return Origin(self.application.settings, self.application.catalog, self.application.audit)

    def back_up(self, *, closed: bool = True, origin: Origin | None = None) -> BackupReport:
        recipient = self.recipient if closed else None
        return create(origin or self.origin, self.backups, key=self.key, recipient=recipient)

    def restored(self, settings: Settings, name: str | None = None) -> Restored:
        public = self.key.public_key()
        return restore(settings, self.backups, name, key=public, opener=self.opener)


def certified(folder: Path, name: str) -> tuple[Path, Path]:
    """A certificate and its key, as a house's PKI makes them."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.crt", folder / f"{name}.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


@pytest.fixture(scope="module")
def site(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    (folder / "gate.txt").write_text(GATE, encoding="utf-8")
    (folder / "lantern.txt").write_text(LANTERN, encoding="utf-8")
    certificate, key = certified(folder, "rescue")
    with open_service(product_settings(), embedder=embedder) as application:
        take_in(application, folder / "gate.txt", "user:ana")
        take_in(application, folder / "lantern.txt", "everyone")
        made = Site(
            application=application,
            backups=Repository(folder / "backups"),
            key=Ed25519PrivateKey.generate(),
            recipient=Recipient.read(certificate),
            opener=Opener.read(certificate, key),
            first=BackupReport("", 0, 0, 0, False, 0, 0, 0, False, False),
        )
        yield Site(**{**made.__dict__, "first": made.back_up()})


def take_in(application: Application, path: Path, reader: str) -> None:
    application.ingestion.ingest([path], OWNER, readers=frozenset({reader}))


def found(application: Application, who: Principal) -> list[tuple[str, str, float]]:
    return [
        (passage.chunk.document_id, passage.chunk.text, round(passage.score, 6))
        for passage in application.searching.search(QUESTION, who)
    ]


def test_after_the_restore_answers_and_rights_are_the_same(
    site: Site, product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> None:
    settings = product_settings()

    done = site.restored(settings, site.first.name)

    with open_service(settings, embedder=embedder) as restored:
        for who in (ANA, BO):
            assert found(restored, who) == found(site.application, who)
        assert [len(found(restored, who)) for who in (ANA, BO)] == [2, 1]
        pages = [restored.documents.pages(d.id, OWNER) for d in restored.documents.list(OWNER)]
        assert sorted(page.text for (page,) in pages) == [GATE, LANTERN]
        assert restored.audit.verify().ok
    assert (done.documents, done.without_vectors) == (2, None)


def test_an_older_backup_does_not_bring_back_a_key_that_was_revoked_since(
    site: Site, product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> None:
    keys, operations = site.application.catalog.keys, site.application.operations
    (_, kept_secret), (revoked, secret) = (keys.create(name, "ana") for name in ("a", "b"))
    before = site.back_up()
    with operations.begun("key.revoke", OWNER, {"key": revoked.id}):
        keys.revoke(revoked.id)
    site.back_up()
    settings = product_settings()

    done = site.restored(settings, before.name)

    with open_service(settings, embedder=embedder) as restored:
        redo(restored, done.to_redo)
        assert restored.catalog.keys.principal_for(kept_secret).user == "ana"
        with pytest.raises(Unauthenticated):
            restored.catalog.keys.principal_for(secret)


class BusyRecord(AuditLog):
    """Somebody deletes a document after the catalog was copied, before the record is."""

    def __init__(self, application: Application, document_id: str) -> None:
        super().__init__(application.settings.data_dir)
        self._application, self._document, self._looks = application, document_id, 0

    def extent(self) -> tuple[list[tuple[Path, int]], ChainHead]:
        self._looks += 1
        if self._looks == 2:
            self._application.documents.delete(self._document, OWNER)
        return super().extent()


def test_what_is_deleted_while_the_backup_is_made_stays_deleted(
    site: Site,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path: Path,
) -> None:
    (tmp_path / "passing.txt").write_text("Passing through the gate.", encoding="utf-8")
    take_in(site.application, tmp_path / "passing.txt", "everyone")
    (passing,) = (d for d in site.application.documents.list(OWNER) if d.name == "passing.txt")
    busy = BusyRecord(site.application, passing.id)
    made = site.back_up(origin=Origin(site.application.settings, site.application.catalog, busy))
    settings = product_settings()

    done = site.restored(settings, made.name)

    with open_service(settings, embedder=embedder) as restored:
        assert len(restored.documents.list(OWNER)) == 3
        assert redo(restored, done.to_redo)["deleted"] == 1
        assert {d.name for d in restored.documents.list(OWNER)} == {"gate.txt", "lantern.txt"}
        assert len(found(restored, BO)) == 1


def test_a_second_backup_writes_what_is_new_alone(site: Site) -> None:
    # What was deleted before is tidied away by the engine in its own time, which changes its files.
    first, second = site.back_up(), site.back_up()
    for _ in range(5):
        if second.pieces == first.pieces:
            break
        first, second = second, site.back_up()

    assert second.pieces == first.pieces
    assert second.new_bytes < first.all_bytes / 3
    assert verify(site.backups, second.name, site.key.public_key()).damages == ()


def test_old_backups_are_forgotten_with_what_they_alone_needed(site: Site, tmp_path: Path) -> None:
    copy = Repository(tmp_path / "backups")
    shutil.copytree(site.backups.folder, copy.folder)
    names = copy.names()

    gone, freed = copy.forget(1)

    assert gone == names[:-1]
    assert freed > 0
    assert verify(copy, None, site.key.public_key()).damages == ()


def test_a_closed_backup_shows_nothing_and_opens_for_its_recipient_alone(
    site: Site, product_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    another = Opener.read(*certified(tmp_path, "another"))
    public = site.key.public_key()

    stored = b"".join(path.read_bytes() for path in site.backups.folder.rglob("pieces/??/*"))
    for opener in (None, another):
        with pytest.raises(BadInput, match="fingerprint"):
            restore(product_settings(), site.backups, None, key=public, opener=opener)

    originals = [p.parent.name for p in site.application.content.root.rglob("original")]
    assert not any((site.backups.folder / "pieces" / h[:2] / h).exists() for h in originals)
    assert b"lantern" not in stored


def piece_of(backups: Repository) -> Path:
    return next(iter(sorted(backups.folder.rglob("pieces/??/*"))))


def manifest_of(backups: Repository) -> Path:
    return backups.folder / "backups" / f"{backups.names()[-1]}.json"


def change_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def say_otherwise(path: Path) -> None:
    path.write_text(path.read_text("utf-8").replace('"documents": 2', '"documents": 1'), "utf-8")


@pytest.mark.parametrize(
    ("tamper", "is_noticed"),
    [
        (lambda backups: None, False),
        (lambda backups: change_a_byte(piece_of(backups)), True),
        (lambda backups: piece_of(backups).unlink(), True),
        (lambda backups: say_otherwise(manifest_of(backups)), True),
    ],
    ids=["whole", "a byte", "a piece that is gone", "the manifest"],
)
def test_a_backup_that_was_tampered_with_is_refused(
    tamper: Callable[[Repository], None],
    is_noticed: bool,
    site: Site,
    product_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    copy = Repository(tmp_path / "backups")
    shutil.copytree(site.backups.folder, copy.folder)
    copy.forget(1)
    settings, public = product_settings(), site.key.public_key()
    tamper(copy)

    def check() -> None:
        assert verify(copy, None, public).damages == ()
        restore(settings, copy, None, key=public, opener=site.opener)

    if not is_noticed:
        check()
        assert (settings.data_dir / "catalog.sqlite3").exists()
        return
    with pytest.raises((BadInput, AssertionError)):
        check()
    with pytest.raises(BadInput):
        restore(settings, copy, None, key=public, opener=site.opener)
    assert not (settings.data_dir / "catalog.sqlite3").exists()


def test_another_key_did_not_sign_it_and_nothing_is_restored_over_data(
    site: Site, product_settings: Callable[..., Settings]
) -> None:
    another = Ed25519PrivateKey.generate().public_key()

    with pytest.raises(BadInput, match="not signed with this key"):
        verify(site.backups, None, another)
    with pytest.raises(BadInput, match="not empty"):
        site.restored(site.application.settings)
    with pytest.raises(BadInput, match="elsewhere"):
        create(
            site.origin,
            Repository(site.application.settings.data_dir / "backups"),
            key=site.key,
            recipient=None,
        )
