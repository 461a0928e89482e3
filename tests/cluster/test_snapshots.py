"""Each node's snapshot of a collection, and the collection put back from them when it is gone."""

from collections.abc import Callable
from pathlib import Path

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.backup.create import Origin, create
from sovereign_rag.backup.repository import Repository
from sovereign_rag.backup.restore import restore
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import Settings
from sovereign_rag.store.snapshots import NodeSnapshots
from sovereign_rag.wiring import Application, open_service
from tests.cluster.conftest import Nodes

OWNER, ANA, BO = local_owner(), Principal("ana"), Principal("bo")
FEW = 20


def found(application: Application, who: Principal) -> list[tuple[str, float]]:
    passages = application.searching.search("Which code word has the office?", who, limit=FEW)
    return sorted((each.chunk.document_id, round(each.score, 5)) for each in passages)


def test_after_a_restore_every_node_holds_what_it_held_and_answers_and_rights_are_the_same(
    application: Application,
    nodes: Nodes,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path: Path,
) -> None:
    for number in range(FEW):
        note = tmp_path / "notes" / f"note-{number}.txt"
        note.parent.mkdir(exist_ok=True)
        note.write_text(f"The code word of office {number} is heron {number * 7}.", "utf-8")
        reader = frozenset({"user:ana" if number % 2 else "everyone"})
        application.ingestion.ingest([note], OWNER, readers=reader)
    before = [found(application, who) for who in (ANA, BO)]
    backups = Repository(tmp_path / "backups")
    origin = Origin(application.settings, application.catalog, application.audit)
    settings = product_settings(store=application.settings.store)

    made = create(origin, backups, key=None, recipient=None)
    application.indexes.collections.drop(application.store.collection)
    done = restore(settings, backups, None, key=None, opener=None)

    assert (made.without_vectors, made.snapshots) == (None, len(nodes.numbers))
    assert done.without_vectors is None
    NodeSnapshots(settings.store).require_whole(application.store.collection)
    with open_service(settings, embedder=embedder) as restored:
        assert [found(restored, who) for who in (ANA, BO)] == before
        assert all(
            restored.store.versions(each.tenant, each.id) == {each.version: each.chunks}
            for each in restored.documents.list(OWNER, limit=FEW)
        )
