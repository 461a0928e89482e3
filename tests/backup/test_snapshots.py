"""A Qdrant server's vectors in a backup: its own snapshots, made, put back, and left out."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.backup.create import BackupReport, Origin, create
from sovereign_rag.backup.redo import redo
from sovereign_rag.backup.repository import Repository
from sovereign_rag.backup.restore import Restored, restore, verify
from sovereign_rag.backup.vectors import plan
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput
from sovereign_rag.privacy.erase import Eraser
from sovereign_rag.privacy.find import Asked
from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.store.connect import alias
from sovereign_rag.store.snapshots import NodeSnapshots
from sovereign_rag.wiring import Application, open_service
from tests.faults import FaultProxy, engine_on_tcp

pytestmark = pytest.mark.model

OWNER, ANA, BO = local_owner(), Principal("ana"), Principal("bo")
GATE = "The gate of the yard opens at seven and closes at nine in the evening."
LANTERN = "The lantern in the cellar is lit when the gate of the yard has been closed."
QUESTION = "When does the gate of the yard open?"
KEY = Ed25519PrivateKey.generate()


class Meddler(FaultProxy):
    """The way to a server; whatever is wanted happens when a snapshot is asked for."""

    meanwhile: Callable[[], None] | None = None

    def arrived(self, method: str, path: str) -> None:
        if self.meanwhile is not None and method == "POST" and path.endswith("/snapshots"):
            self.meanwhile()

    @property
    def snapshots(self) -> list[str]:
        return [method for method, path in self.done if "/snapshots" in path]


@dataclass(frozen=True)
class Site:
    """Two documents in two indexes over a server, which also has the index of before."""

    application: Application
    server: Meddler
    engine: Path
    gate: str  # id of the document that ana reads
    lantern: str  # and of the one for everyone

    def back_up(self, backups: Repository, *, with_vectors: bool = True) -> BackupReport:
        application = self.application
        origin = Origin(application.settings, application.catalog, application.audit)
        return create(origin, backups, key=KEY, recipient=None, with_vectors=with_vectors)

    def take_in(self, path: Path, text: str, reader: str) -> str:
        path.write_text(text, encoding="utf-8")
        self.application.ingestion.ingest([path], OWNER, readers=frozenset({reader}))
        return next(d.id for d in self.application.documents.list(OWNER) if d.name == path.name)

    def give(self, *readers: str) -> None:
        """Have these alone read the lantern's document."""
        self.application.erasure.change_readers("default", self.lantern, frozenset(readers), 0)


def over(url: str) -> StoreSettings:
    return StoreSettings(url=url, read_timeout_s=60, timeout_s=60)


def put_back(settings: Settings, backups: Repository, name: str | None = None) -> Restored:
    return restore(settings, backups, name, key=KEY.public_key(), opener=None)


def reindex(application: Application) -> None:
    with application.reindexing.lease() as lease:
        index = application.reindexing.begin(application.indexes.wanted())
        assert application.reindexing.switch(index, OWNER, lease).is_whole


@pytest.fixture(scope="module")
def opened(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    with engine_on_tcp(folder / "engine") as port:
        server = Meddler(port)
        settings = product_settings(store=over(server.url))
        with open_service(settings, embedder=embedder) as made:
            site = Site(made, server, folder / "engine", "", "")
            gate = site.take_in(folder / "gate.txt", GATE, "user:ana")
            lantern = site.take_in(folder / "lantern.txt", LANTERN, "everyone")
            reindex(made)
        with open_service(settings, embedder=embedder) as made:
            yield Site(made, server, folder / "engine", gate, lantern)
        server.close()


@pytest.fixture
def site(opened: Site) -> Iterator[Site]:
    opened.server.done.clear()
    yield opened
    opened.server.meanwhile, opened.server.fault = None, "none"
    opened.give("everyone")
    assert opened.application.erasure.wait_told([opened.lantern], within_s=60)


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Meddler]:
    """Another server, with nothing in it."""
    with engine_on_tcp(tmp_path / "other") as port:
        made = Meddler(port)
        yield made
        made.close()


@pytest.fixture
def backups(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "backups")


def found(application: Application, who: Principal) -> list[tuple[str, str, float]]:
    return [
        (passage.chunk.document_id, passage.chunk.text, round(passage.score, 6))
        for passage in application.searching.search(QUESTION, who)
    ]


def test_a_server_s_vectors_are_in_the_backup_and_come_back_with_answers_and_rights(
    site: Site,
    other: Meddler,
    backups: Repository,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
) -> None:
    settings = product_settings(store=over(other.url))

    made = site.back_up(backups)
    done = put_back(settings, backups)

    assert (made.vectors, made.snapshots, made.without_vectors) == (True, 2, None)
    assert made.snapshot_bytes > 0
    assert list((site.engine / "snapshots").iterdir()) == []  # nothing stays on the server
    assert verify(backups, None, KEY.public_key()).damages == ()
    assert done.without_vectors is None
    assert list(settings.data_dir.glob(".*")) == []
    with open_service(settings, embedder=embedder) as restored:
        assert restored.indexes.collections.exists(alias(settings))
        for who in (ANA, BO):
            assert found(restored, who) == found(site.application, who)
        assert [len(found(restored, who)) for who in (ANA, BO)] == [2, 1]
    assert [path for method, path in other.asked if method == "PUT"] == []  # nothing is made anew


def test_what_was_erased_since_stays_erased_on_the_restored_server(
    site: Site,
    other: Meddler,
    backups: Repository,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path: Path,
) -> None:
    passing = site.take_in(tmp_path / "passing.txt", "Jean passes the gate.", "user:ana")
    before = site.back_up(backups)
    eraser = Eraser(site.application)
    eraser.erase(eraser.finder.plan(Asked("default", documents=[passing])), OWNER)
    site.back_up(backups)
    settings = product_settings(store=over(other.url))

    done = put_back(settings, backups, before.name)

    assert done.without_vectors is None
    with open_service(settings, embedder=embedder) as restored:
        assert passing in {id_ for id_, _, _ in found(restored, ANA)}  # it is from before
        assert redo(restored, done.to_redo, done.erased)["erased"] == 1
        assert {id_ for id_, _, _ in found(restored, ANA)} == {site.gate, site.lantern}
        assert restored.store.versions("default", passing) == {}
        assert restored.store.versions("default", site.gate) != {}


def test_a_snapshot_from_before_shows_nobody_more_than_the_catalog_lets(
    site: Site, tmp_path: Path
) -> None:
    application, old = site.application, tmp_path / "old.snapshot"
    collection = application.store.collection
    server = NodeSnapshots(application.settings.store)
    with server.taken([collection]) as (made,):
        old.write_bytes(b"".join(server.blocks(made)))
    site.give("user:ana")
    assert application.erasure.wait_told([site.lantern], within_s=60)
    assert found(application, BO) == []

    server.give_back(0, collection, old, sha256=str(made.sha256))

    server.close()
    assert found(application, BO) == []
    assert len(found(application, ANA)) == 2


def test_snapshots_of_an_unchanged_server_are_not_made_again(
    site: Site, backups: Repository
) -> None:
    first = site.back_up(backups)
    second = site.back_up(backups)
    asked = site.server.snapshots
    site.give("user:ana")
    site.back_up(backups)

    assert asked == ["POST", "POST", "GET", "GET", "DELETE", "DELETE"]
    assert second.snapshots == 2
    assert second.new_bytes < first.new_bytes / 3
    assert site.server.snapshots == 2 * asked
    assert verify(backups, second.name, KEY.public_key()).damages == ()


def test_where_a_document_changes_meanwhile_they_are_made_anew(
    site: Site, backups: Repository
) -> None:
    def once() -> None:
        site.server.meanwhile = None
        site.give("user:ana")

    site.server.meanwhile = once
    made = site.back_up(backups)

    assert site.server.snapshots.count("POST") == 4
    assert made.snapshots == 2
    stored = {path.name for path in backups.folder.rglob("pieces/??/*")}
    assert set(backups.manifest(None, None)["pieces"]) <= stored
    sizes = sum(path.stat().st_size for path in backups.folder.rglob("pieces/??/*"))
    assert sizes < 1.5 * made.all_bytes  # nothing of the first ones stays


def test_where_documents_change_all_the_time_the_backup_does_without(
    site: Site, backups: Repository
) -> None:
    readers = iter(["user:ana", "user:bo"] * 10)
    site.server.meanwhile = lambda: site.give(next(readers))

    made = site.back_up(backups)

    assert made.vectors is False
    assert "changed all the time" in str(made.without_vectors)


def test_where_the_server_refuses_the_rest_is_restored_and_an_index_is_made_from_it(
    site: Site,
    other: Meddler,
    backups: Repository,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
) -> None:
    site.back_up(backups)
    settings = product_settings(store=over(other.url))
    other.fault, other.only = "fails", "/snapshots"

    done = put_back(settings, backups)

    other.fault = "none"
    assert "refused (status 500: Service internal error: disk)" in str(done.without_vectors)
    with open_service(settings, embedder=embedder) as restored:
        assert found(restored, ANA) == []
        reindex(restored)
    with open_service(settings, embedder=embedder) as restored:
        for who in (ANA, BO):
            assert found(restored, who) == found(site.application, who)


def test_what_can_not_come_back_is_said_and_nothing_of_a_server_is_overwritten(
    site: Site, other: Meddler, backups: Repository, product_settings: Callable[..., Settings]
) -> None:
    site.back_up(backups)
    manifest: dict[str, Any] = backups.manifest(None, None)
    two = product_settings(store=over(f"{other.url},http://127.0.0.1:1"))
    tree: list[dict[str, Any]] = [{"folder": "vectors/collections"}, {"folder": "content"}]

    with pytest.raises(BadInput, match=r"holds chunks-.* already"):
        put_back(product_settings(store=over(site.server.url)), backups)
    told = [
        plan(settings, held, tree, wanted=wanted)
        for settings, held, wanted in (
            (two, manifest, True),
            (product_settings(), manifest, True),
            (two, manifest, False),
            (two, manifest | {"snapshots": None}, True),
            (two, manifest | {"vectors": False}, True),
            (product_settings(), manifest | {"snapshots": None}, True),
        )
    ]

    assert [each.without for each in told] == [
        "The backup holds snapshots of 1 Qdrant nodes, and store.url names 2.",
        "The backup holds snapshots of a Qdrant server, and store.url names none.",
        "That was asked for.",
        "The backup holds those of the embedded engine.",
        "The backup holds none.",
        None,
    ]
    assert [each.files for each in told] == [*[tree[1:]] * 5, tree]


def test_a_server_that_makes_no_snapshots_is_backed_up_without_vectors(
    site: Site, backups: Repository
) -> None:
    site.server.fault, site.server.only = "fails", "/snapshots"

    refused = site.back_up(backups)
    asked = site.back_up(backups, with_vectors=False)

    assert refused.vectors is asked.vectors is False
    assert "refused (status 500" in str(refused.without_vectors)
    assert asked.without_vectors == "That was asked for."
