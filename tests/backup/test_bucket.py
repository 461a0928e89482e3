"""Contents in a bucket are backed up with the rest, and come back into a bucket or a folder."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.backup.create import BackupReport, Origin, create
from sovereign_rag.backup.repository import Repository
from sovereign_rag.backup.restore import restore, verify
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput
from sovereign_rag.settings import Settings
from sovereign_rag.storage.encryption.master_key import write_new
from sovereign_rag.wiring import open_service
from tests.buckets import content_in, new_bucket

pytestmark = pytest.mark.model

OWNER, BO = local_owner(), Principal("bo")
GATE = "The gate of the yard opens at seven and closes at nine in the evening."
QUESTION = "When does the gate of the yard open?"
BUCKET = "backed-up"


@pytest.fixture(scope="module")
def bucket(storage: str) -> Iterator[tuple[Any, str]]:
    """The bucket, and the address of its server."""
    with new_bucket(storage, BUCKET) as client:
        yield client, storage


def of(bucket: tuple[Any, str], prefix: str) -> dict[str, str]:
    """The section `content` of the settings."""
    return content_in(bucket[1], f"s3://{BUCKET}/{prefix}")


def objects_in(bucket: tuple[Any, str], prefix: str) -> set[str]:
    listed = bucket[0].list_objects(bucket_name=BUCKET, prefix=f"{prefix}/", recursive=True)
    return {item.object_name.removeprefix(f"{prefix}/") for item in listed}


@pytest.fixture(scope="module")
def backed_up(
    bucket: tuple[Any, str],
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Repository, Ed25519PrivateKey, BackupReport, Path, set[str]]:
    """One document, encrypted, in the bucket; its backup, and the bucket's names."""
    folder, key = tmp_path_factory.mktemp("site"), Ed25519PrivateKey.generate()
    write_new(folder / "master.key")
    (folder / "gate.txt").write_text(GATE, encoding="utf-8")
    encryption = {"key_file": folder / "master.key"}
    settings = product_settings(content=of(bucket, "rag"), encryption=encryption)
    with open_service(settings, embedder=embedder) as application:
        everyone = frozenset({"everyone"})
        application.ingestion.ingest([folder / "gate.txt"], OWNER, readers=everyone)
        backups = Repository(folder / "backups")
        origin = Origin(settings, application.catalog, application.audit)
        report = create(origin, backups, key=key, recipient=None)
    return backups, key, report, folder / "master.key", objects_in(bucket, "rag")


@pytest.mark.parametrize("into_a_bucket", [True, False])
def test_what_lay_in_a_bucket_is_answered_from_after_a_restore(
    backed_up: tuple[Repository, Ed25519PrivateKey, BackupReport, Path, set[str]],
    into_a_bucket: bool,
    bucket: tuple[Any, str],
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
) -> None:
    backups, key, report, master_key, names = backed_up
    sections: dict[str, Any] = {"content": of(bucket, "again")} if into_a_bucket else {}
    settings = product_settings(encryption={"key_file": master_key}, **sections)

    restore(settings, backups, report.name, key=key.public_key(), opener=None)

    assert (report.documents, report.contents) == (1, 1)
    assert any(name.startswith("keys/") for name in names)
    if into_a_bucket:
        assert objects_in(bucket, "again") == names
        assert not [path for path in settings.data_dir.rglob("content/*/*") if path.is_file()]
    with open_service(settings, embedder=embedder) as restored:
        (document,) = restored.documents.list(OWNER)
        (page,) = restored.documents.pages(document.id, BO)
        assert page.text == GATE
        assert restored.contents.original(document.id, BO)[1].read_bytes() == GATE.encode()
        assert [p.chunk.text for p in restored.searching.search(QUESTION, BO)] == [GATE]


def test_nothing_is_restored_over_a_bucket_and_what_is_damaged_is_missed(
    backed_up: tuple[Repository, Ed25519PrivateKey, BackupReport, Path, set[str]],
    bucket: tuple[Any, str],
    product_settings: Callable[..., Settings],
) -> None:
    backups, key, report, _, names = backed_up
    public = key.public_key()

    assert verify(backups, report.name, public).damages == ()
    settings = product_settings(content=of(bucket, "rag"))
    with pytest.raises(BadInput, match="not empty"):
        restore(settings, backups, report.name, key=public, opener=None)
    assert objects_in(bucket, "rag") == names
