"""Content in a folder, or in a bucket that machines share: the same, and nothing is left of it."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.domain import PageText, ParsedDocument
from sovereign_rag.errors import EnvironmentFault, NotFound, TooLarge
from sovereign_rag.settings import ContentSettings, EncryptionSettings, Settings
from sovereign_rag.storage.content import ContentStore, Effort
from sovereign_rag.storage.encryption.master_key import write_new
from sovereign_rag.storage.shared_content import SharedContent, open_content
from tests.buckets import content_in, new_bucket

BUCKET, PREFIX = "content", "rag"
PARSED = ParsedDocument(
    media_type="text/plain",
    title=None,
    language="en",
    paged=False,
    pages=(PageText(number=1, text="The canteen opens at noon."),),
    elements=(),
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

Opener = Callable[..., ContentStore]


@pytest.fixture
def bucket(storage: str) -> Iterator[Any]:
    with new_bucket(storage, BUCKET) as client:
        yield client


@pytest.fixture
def open_machine(bucket: Any, storage: str, tmp_path: Path) -> Iterator[Opener]:
    """Opens the shared content on a machine of that name."""
    opened: list[ContentStore] = []

    def machine(
        name: str = "a", *, encryption: EncryptionSettings | None = None, **more: object
    ) -> ContentStore:
        section = {**content_in(storage, f"s3://{BUCKET}/{PREFIX}"), **more}
        settings = Settings(
            data_dir=tmp_path / name,
            content=ContentSettings.model_validate(section),
            encryption=encryption or EncryptionSettings(),
        )
        opened.append(open_content(settings))
        return opened[-1]

    yield machine
    for store in opened:
        store.close()


@pytest.fixture(params=["folder", "s3", "encrypted folder", "encrypted s3"])
def content(request: pytest.FixtureRequest, tmp_path: Path) -> ContentStore:
    encryption = EncryptionSettings()
    if "encrypted" in request.param:
        write_new(tmp_path / "master.key")
        encryption = EncryptionSettings(key_file=tmp_path / "master.key")
    if "folder" in request.param:
        return open_content(Settings(data_dir=tmp_path / "folder", encryption=encryption))
    opener: Opener = request.getfixturevalue("open_machine")
    return opener(encryption=encryption)


def everything_of(content: ContentStore, data: bytes = b"the bytes") -> str:
    """Store one content, with all that there can be of it; returns its hash."""
    content_hash, _ = content.add_stream([data], tenant="default")
    content.put_parsed(content_hash, "p1", PARSED)
    content.put_page_image(content_hash, "p1", 3, b"png")
    content.put_effort(content_hash, "v1", Effort(1.5, 2.5))
    content.vectors(content_hash, "model").path.write_bytes(b"vectors")
    content.share_vectors(content_hash, "model")
    return content_hash


def test_what_is_stored_is_there_as_it_was(content: ContentStore) -> None:
    content_hash = everything_of(content)
    again, size = content.add_stream([b"the ", b"bytes"], tenant="default")

    assert (again, size) == (content_hash, 9)
    assert content.holds(content_hash)
    assert content.original(content_hash).read_bytes() == b"the bytes"
    assert content.parsed(content_hash, "p1") == PARSED
    assert content.page_image(content_hash, "p1", 3) == b"png"
    assert content.effort(content_hash, "v1") == Effort(1.5, 2.5)
    assert content.vectors(content_hash, "model").path.read_bytes() == b"vectors"
    assert content.hashes() == [content_hash]
    assert content.age_s(content_hash) < 3_600


def test_what_was_never_stored_is_not_there(content: ContentStore) -> None:
    content_hash = everything_of(content)

    assert content.parsed(content_hash, "p2") is None
    assert content.page_image(content_hash, "p1", 4) is None
    assert content.effort(content_hash, "v2") is None
    assert not content.holds("a" * 64)
    with pytest.raises(NotFound):
        content.original("a" * 64)


def test_what_is_removed_is_gone_with_all_that_was_made_of_it_and_nothing_else(
    content: ContentStore,
) -> None:
    doomed, spared = everything_of(content), everything_of(content, b"other bytes")

    content.delete(doomed)

    assert content.hashes() == [spared]
    assert content.parsed(doomed, "p1") is None
    assert not any(doomed in str(path) for path in content.root.rglob("*"))
    assert content.parsed(spared, "p1") == PARSED


def test_bytes_beyond_the_limit_are_refused_and_not_kept(content: ContentStore) -> None:
    with pytest.raises(TooLarge):
        content.add_stream([b"12345", b"67890"], tenant="default", max_bytes=6)

    assert content.hashes() == []


def test_vectors_of_a_model_are_removed_from_every_content(content: ContentStore) -> None:
    content_hash = everything_of(content)

    content.drop_vectors("model")

    assert not content.vectors(content_hash, "model").path.exists()
    assert content.holds(content_hash)


def test_another_machine_has_what_one_stored(open_machine: Opener) -> None:
    here, there = open_machine("a"), open_machine("b")
    content_hash = everything_of(here)

    assert there.original(content_hash).read_bytes() == b"the bytes"
    assert there.parsed(content_hash, "p1") == PARSED
    assert there.page_image(content_hash, "p1", 3) == b"png"
    assert there.vectors(content_hash, "model").path.read_bytes() == b"vectors"
    assert there.hashes() == [content_hash]


@pytest.mark.parametrize("has_just_started", [False, True])
def test_the_copies_of_what_another_machine_erased_go_and_others_stay(
    open_machine: Opener, has_just_started: bool
) -> None:
    here, there = open_machine("a"), open_machine("b")
    assert isinstance(there, SharedContent)
    doomed, spared = everything_of(here), everything_of(here, b"other bytes")
    for content_hash in (doomed, spared):
        there.original(content_hash)
    if not has_just_started:
        there.tidy_copies()

    here.delete(doomed)
    there.tidy_copies()

    assert not any(doomed in str(path) for path in there.root.rglob("*"))
    assert any(spared in str(path) for path in there.root.rglob("*"))


def test_a_content_that_came_in_again_keeps_its_copies(open_machine: Opener) -> None:
    here, there = open_machine("a"), open_machine("b")
    assert isinstance(there, SharedContent)
    content_hash = everything_of(here)
    there.tidy_copies()

    here.delete(content_hash)
    assert everything_of(there) == content_hash
    there.tidy_copies()

    assert there.original(content_hash).read_bytes() == b"the bytes"


def test_bytes_that_the_storage_changed_are_refused(open_machine: Opener, bucket: Any) -> None:
    import io

    here, there = open_machine("a"), open_machine("b")
    content_hash = everything_of(here)
    key = f"{PREFIX}/{content_hash[:2]}/{content_hash}/original"
    bucket.put_object(bucket_name=BUCKET, object_name=key, data=io.BytesIO(b"evil"), length=4)

    with pytest.raises(EnvironmentFault, match="other bytes"):
        there.original(content_hash)

    assert not any(there.root.rglob("original"))


def test_a_storage_that_fails_in_the_middle_loses_nothing(
    open_machine: Opener, storage: str
) -> None:
    away = open_machine("a", endpoint="http://127.0.0.1:9", timeout_s=0.2)
    received = away.receive([b"the bytes"])

    with pytest.raises(EnvironmentFault, match=r"content\.endpoint"):
        away.keep(received, "default")
    with pytest.raises(EnvironmentFault):
        away.check()
    back = open_machine("a")
    back.keep(received, "default")

    assert back.original(received.content_hash).read_bytes() == b"the bytes"


def test_copies_that_there_is_no_room_for_go_and_come_back(open_machine: Opener) -> None:
    here = open_machine("a", cache_mib=1)
    assert isinstance(here, SharedContent)
    old, recent = (here.add_stream([os.urandom(900_000)], tenant="default")[0] for _ in range(2))
    folder = here.root / old[:2] / old
    os.utime(folder, (0, 0))

    here.tidy_copies()

    assert not folder.exists()
    assert (here.root / recent[:2] / recent / "original").exists()
    assert here.original(old).stat().st_size == 900_000


def test_a_bucket_that_keeps_older_versions_is_said_to(open_machine: Opener, bucket: Any) -> None:
    from minio.commonconfig import ENABLED
    from minio.versioningconfig import SUSPENDED, VersioningConfig

    content = open_machine()
    assert not content.keeps_what_is_erased()

    bucket.set_bucket_versioning(bucket_name=BUCKET, config=VersioningConfig(ENABLED))

    assert content.keeps_what_is_erased()
    bucket.set_bucket_versioning(bucket_name=BUCKET, config=VersioningConfig(SUSPENDED))


@pytest.mark.parametrize(
    "section",
    [
        {"url": "s3://bucket"},
        {"endpoint": "http://minio:9000"},
        {"url": "https://bucket", "endpoint": "http://minio:9000"},
        {"url": "s3:///prefix", "endpoint": "http://minio:9000"},
    ],
)
def test_half_an_address_of_an_object_storage_is_refused(section: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"content\.url|object storage"):
        ContentSettings.model_validate(section)
