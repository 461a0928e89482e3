"""A password that waits in the catalog opens for its document, on machines that have the key."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sovereign_rag.errors import BadInput, DocumentError, EnvironmentFault
from sovereign_rag.settings import ContentSettings, Settings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.password_box import KEY_NAME, MAX_PASSWORD_CHARS, Seal
from sovereign_rag.storage.sealing import Sealer
from sovereign_rag.storage.shared_content import open_content, sealing_keys_of
from tests.buckets import content_in, new_bucket

BUCKET = "sealing"
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LETTER = {"tenant": "acme", "uri": "upload:user:ana/letter.pdf"}


def test_another_machine_opens_it_with_the_same_key_and_says_the_way_out_without(
    tmp_path: Path,
) -> None:
    here, there, elsewhere = (tmp_path / name for name in ("a", "b", "c"))
    for folder in (here, there, elsewhere):
        folder.mkdir()
    sealed = Seal(Sealer(here)).close("open sesame", **LETTER)
    shutil.copy(here / KEY_NAME, there)

    assert b"sesame" not in sealed
    assert Seal(Sealer(there)).open(sealed, **LETTER) == "open sesame"
    with pytest.raises(DocumentError, match="Hand the document in again"):
        Seal(Sealer(elsewhere)).open(sealed, **LETTER)


@pytest.fixture
def bucket(storage: str) -> Iterator[Any]:
    with new_bucket(storage, BUCKET) as client:
        yield client


@pytest.fixture
def on_machine(bucket: Any, storage: str, tmp_path: Path) -> Iterator[Callable[[str], Sealer]]:
    """A sealer of a new process on a machine of that name; all share the bucket."""
    opened: list[ContentStore] = []

    def sealer(name: str) -> Sealer:
        content = ContentSettings.model_validate(content_in(storage, f"s3://{BUCKET}/rag"))
        (tmp_path / name).mkdir(exist_ok=True)
        opened.append(open_content(Settings(data_dir=tmp_path / name, content=content)))
        return Sealer(tmp_path / name, opened[-1].vault, sealing_keys_of(opened[-1]))

    yield sealer
    for store in opened:
        store.close()


def test_machines_that_share_a_bucket_open_what_each_of_them_sealed(
    on_machine: Callable[[str], Sealer], tmp_path: Path
) -> None:
    sealed = Seal(on_machine("a")).close("open sesame", **LETTER)

    assert Seal(on_machine("b")).open(sealed, **LETTER) == "open sesame"
    assert (tmp_path / "b" / KEY_NAME).read_bytes() == (tmp_path / "a" / KEY_NAME).read_bytes()


def test_machines_that_had_keys_of_their_own_before_they_shared_a_bucket_open_each_others(
    on_machine: Callable[[str], Sealer], tmp_path: Path
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        Sealer(tmp_path / name).seal(b"made", "a key", "acme")
    a, b = Seal(on_machine("a")), Seal(on_machine("b"))

    by_a, by_b = a.close("kestrel", **LETTER), b.close("osprey", **LETTER)

    assert (a.open(by_b, **LETTER), b.open(by_a, **LETTER)) == ("osprey", "kestrel")
    # Without the bucket, as after a restore of the folder: the copies are there, too.
    alone = Seal(Sealer(tmp_path / "a"))
    assert (alone.open(by_a, **LETTER), alone.open(by_b, **LETTER)) == ("kestrel", "osprey")


def test_while_the_bucket_is_away_a_machine_seals_with_the_key_it_has_and_makes_none(
    on_machine: Callable[[str], Sealer], bucket: Any, tmp_path: Path
) -> None:
    has, new = on_machine("a"), on_machine("new")
    (tmp_path / "a" / KEY_NAME).write_bytes(AESGCM.generate_key(bit_length=256))
    bucket.remove_bucket(bucket_name=BUCKET)
    try:
        sealed = Seal(has).close("open sesame", **LETTER)
        with pytest.raises(EnvironmentFault, match="object storage"):
            Seal(new).close("open sesame", **LETTER)
    finally:
        bucket.make_bucket(bucket_name=BUCKET)

    # The others have it from the next process on, or within a minute.
    assert Seal(on_machine("a")).open(sealed, **LETTER) == "open sesame"
    assert Seal(new).open(sealed, **LETTER) == "open sesame"


@pytest.mark.parametrize("other", [{"tenant": "other"}, {"uri": "upload:user:ana/other.pdf"}])
def test_it_opens_for_no_other_document(tmp_path: Path, other: dict[str, str]) -> None:
    seal = Seal(Sealer(tmp_path))
    sealed = seal.close("open sesame", **LETTER)

    assert seal.open(sealed, **LETTER) == "open sesame"
    with pytest.raises(DocumentError):
        seal.open(sealed, **{**LETTER, **other})


@pytest.mark.parametrize("password", ["", "x" * (MAX_PASSWORD_CHARS + 1)])
def test_what_no_format_takes_is_no_password(tmp_path: Path, password: str) -> None:
    with pytest.raises(BadInput):
        Seal(Sealer(tmp_path)).close(password, **LETTER)
