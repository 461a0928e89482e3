"""An installation that is encrypted while it has documents, and a tenant that is forgotten."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.backup.create import Origin, create
from sovereign_rag.backup.redo import redo
from sovereign_rag.backup.repository import Repository
from sovereign_rag.backup.restore import restore
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput, KeyUnavailable
from sovereign_rag.privacy.encryption import EncryptionDesk
from sovereign_rag.services.presence import this_process
from sovereign_rag.settings import EncryptionSettings, Settings
from sovereign_rag.storage.encryption.master_key import write_new
from sovereign_rag.wiring import Application, open_service

pytestmark = pytest.mark.model

OWNER, ANA = local_owner(), Principal("ana")
ACME = local_owner("acme")
LETTER = b"Jean Dupont of the night shift was treated for a broken wrist in the spring of 2024."
QUESTION = "What was Jean Dupont treated for?"


@dataclass(frozen=True)
class Site:
    folder: Path
    clear: Settings
    key: Path
    document: str

    @property
    def encrypted(self) -> Settings:
        section = EncryptionSettings(key_file=self.key)
        return self.clear.model_copy(update={"encryption": section})


@pytest.fixture(scope="module")
def site(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Site:
    """Two tenants with one document and a conversation each, in clear."""
    folder, settings = tmp_path_factory.mktemp("site"), product_settings()
    (folder / "letter.txt").write_bytes(LETTER)
    write_new(folder / "master.key")
    with open_service(settings, embedder=embedder) as application:
        for owner in (OWNER, ACME):
            everyone = frozenset({"everyone"})
            application.ingestion.ingest([folder / "letter.txt"], owner, readers=everyone)
        application.conversations.begin_turn(QUESTION, None, ANA)
        (document,) = application.documents.list(OWNER)
    return Site(folder, settings, folder / "master.key", document.id)


def holds(settings: Settings, words: bytes) -> bool:
    """Whether a file of contents or of the vector store has these bytes."""
    folders = (settings.data_dir / "content", settings.data_dir / "vectors")
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return any(words in path.read_bytes() for path in files)


def nothing(done: int, all_: int) -> None:
    """Progress that nobody looks at."""


def found(application: Application, who: Principal) -> list[str]:
    return [passage.chunk.text for passage in application.searching.search(QUESTION, who)]


def test_what_was_in_clear_is_encrypted_and_everything_goes_on(
    site: Site, embedder: DenseEmbedder
) -> None:
    assert holds(site.clear, b"broken wrist")
    with open_service(site.encrypted, embedder=embedder) as application:
        desk = EncryptionDesk(application)
        assert desk.state().rows_clear == 2
        running = this_process(application.settings, "worker")
        application.catalog.processes.tell(running)
        with pytest.raises(BadInput, match="Stop services"):
            desk.convert(OWNER, nothing)
        application.catalog.processes.leave(running.name)

        done = desk.convert(OWNER, nothing)

        state = desk.state()
        assert (done.contents, done.rows, done.chunks, done.removed) == (1, 2, 2, 0)
        assert (state.files_clear, state.rows_clear, state.takes_clear) == (0, 0, False)
        assert sorted(state.tenants) == ["acme", "default"]
        assert not application.sealer.path.exists()
        (listed,) = application.conversations.recent(ANA, limit=9)
        assert listed.title == QUESTION
        assert found(application, ANA) == [LETTER.decode()]
        (page,) = application.documents.pages(site.document, OWNER)
        assert page.text == LETTER.decode()
        _, original = application.contents.original(site.document, OWNER)
        assert original.read_bytes() == LETTER
    assert not holds(site.clear, b"broken wrist")
    with (
        open_service(site.clear, embedder=embedder) as application,
        pytest.raises(KeyUnavailable, match="Nothing is lost"),
    ):
        application.documents.pages(site.document, OWNER)


def test_a_tenant_is_forgotten_and_a_restore_of_before_forgets_it_again(
    site: Site,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
) -> None:
    backups = Repository(site.folder / "backups")
    with open_service(site.encrypted, embedder=embedder) as application:
        EncryptionDesk(application).convert(OWNER, nothing)
        origin = Origin(application.settings, application.catalog, application.audit)
        before = create(origin, backups, key=None, recipient=None)

        told = EncryptionDesk(application).forget("acme", OWNER)

        assert told == {"keys": 1, "documents": 1}
        assert found(application, Principal("ana", tenant="acme")) == []
        assert found(application, ANA) == [LETTER.decode()]
        (page,) = application.documents.pages(site.document, OWNER)
        assert page.text == LETTER.decode()
        create(origin, backups, key=None, recipient=None)
    assert not any(b"broken wrist" in p.read_bytes() for p in backups.folder.rglob("*.*"))
    again = product_settings().model_copy(update={"encryption": site.encrypted.encryption})
    done = restore(again, backups, before.name, key=None, opener=None)
    with open_service(again, embedder=embedder) as application:
        assert redo(application, done.to_redo, done.erased)["forgotten"] == 1
        assert list(application.content.vault.tenant_keys.tenants()) == ["default"]
        assert application.documents.list(ACME) == []
        (page,) = application.documents.pages(site.document, OWNER)
        assert page.text == LETTER.decode()
