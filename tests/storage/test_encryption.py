"""What somebody who has the disk, but not the key, can read of it or do to it: nothing unseen."""

import os
import shutil
import signal
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sovereign_rag.domain import PageText, ParsedDocument
from sovereign_rag.embedding.vector_cache import VectorCache
from sovereign_rag.errors import DataDamaged, EnvironmentFault, KeyUnavailable
from sovereign_rag.settings import EncryptionSettings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.conversion import Conversion
from sovereign_rag.storage.encryption.cipher import BLOCK_BYTES
from sovereign_rag.storage.encryption.master_key import MasterKey, write_new
from sovereign_rag.storage.sealing import Sealer

SECRET = b"Jean Dupont was treated for a broken wrist."
TEXT = ParsedDocument("text/plain", (PageText(1, SECRET.decode()),), (), paged=False)
LARGE = SECRET * (3 * BLOCK_BYTES // len(SECRET))
VECTORS = np.eye(2, 3, dtype=np.float32)


@dataclass(frozen=True)
class Disk:
    """A folder of contents, as somebody holds it who took the disk."""

    folder: Path
    key: Path

    def opened(self, **settings: object) -> ContentStore:
        return ContentStore(self.folder, EncryptionSettings(**{"key_file": self.key, **settings}))

    def in_clear(self) -> ContentStore:
        return ContentStore(self.folder)

    def of(self, content: str, name: str) -> Path:
        return self.folder / "content" / content[:2] / content / name

    def bytes_of_all(self) -> bytes:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return b"".join(path.read_bytes() for path in files)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    write_new(tmp_path / "master.key")
    return Disk(tmp_path / "data", tmp_path / "master.key")


class Dying(ContentStore):
    """Its process is killed once it has stored so many files."""

    left = 1_000

    def store(self, content_hash: str, name: str, blocks: Iterable[bytes]) -> None:
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        super().store(content_hash, name, blocks)


def everything_of(content: ContentStore, data: bytes = SECRET, tenant: str = "default") -> str:
    hash_, _ = content.add_stream([data], tenant=tenant)
    content.put_parsed(hash_, "p1", TEXT)
    content.put_page_image(hash_, "110dpi", 1, SECRET)
    VectorCache(content.vectors(hash_, "m"), 3).add(["a", "b"], VECTORS)
    return hash_


def is_whole(content: ContentStore, hash_: str, data: bytes = SECRET) -> bool:
    kept = VectorCache(content.vectors(hash_, "m"), 3).get("a")
    return (
        content.original(hash_).read_bytes() == data
        and content.original_size(hash_) == len(data)
        and content.parsed(hash_, "p1") == TEXT
        and content.page_image(hash_, "110dpi", 1) == SECRET
        and kept is not None
        and bool((kept == VECTORS[0]).all())
    )


def test_nothing_of_a_document_is_readable_on_the_disk_and_all_of_it_with_the_key(
    disk: Disk,
) -> None:
    hash_ = everything_of(disk.opened())
    waiting = disk.opened().receive([SECRET])

    stolen = disk.bytes_of_all()

    assert SECRET not in stolen
    assert VECTORS[0].tobytes() not in stolen
    assert waiting.path.is_file()
    assert is_whole(disk.opened(), hash_)


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1, 200_000])
def test_files_of_any_size_come_back_as_they_were(disk: Disk, size: int) -> None:
    data = os.urandom(size)

    hash_, _ = disk.opened().add_stream([data[:7], data[7:]], tenant="default")

    assert disk.opened().original(hash_).read_bytes() == data
    assert disk.opened().original_size(hash_) == size


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: -(BLOCK_BYTES + 16) // 2])


def without_its_last_block(path: Path) -> None:
    data = path.read_bytes()
    whole = 38 + 2 * (BLOCK_BYTES + 16)
    path.write_bytes(data[:whole])


def with_two_blocks_swapped(path: Path) -> None:
    data, size = path.read_bytes(), BLOCK_BYTES + 16
    first, second = data[38 : 38 + size], data[38 + size : 38 + 2 * size]
    path.write_bytes(data[:38] + second + first + data[38 + 2 * size :])


def with_a_bit_turned(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[1_000] ^= 1
    path.write_bytes(data)


def in_clear_instead(path: Path) -> None:
    path.write_bytes(b"Pay the invoice to another account.")


@pytest.mark.parametrize(
    "attack",
    [cut_off, without_its_last_block, with_two_blocks_swapped, with_a_bit_turned, in_clear_instead],
)
def test_a_file_that_was_changed_on_the_disk_is_refused(
    disk: Disk, attack: Callable[[Path], None]
) -> None:
    hash_, _ = disk.opened().add_stream([LARGE], tenant="default")
    assert disk.opened().original(hash_).read_bytes() == LARGE

    attack(disk.of(hash_, "original"))

    with pytest.raises(DataDamaged, match="Restore it"):
        disk.opened().original(hash_)


def test_a_file_opens_under_its_own_name_and_content_alone(disk: Disk) -> None:
    content = disk.opened()
    salaries, menu = everything_of(content), everything_of(content, b"Soup on Monday.")
    shutil.copy(disk.of(salaries, "pages/110dpi-1.png"), disk.of(menu, "pages/110dpi-1.png"))
    shutil.copy(disk.of(menu, "original"), disk.of(menu, "p1.json.zst"))
    for key in disk.of(salaries, "keys").iterdir():  # with the way to its key
        shutil.copy(key, disk.of(menu, "keys") / key.name)

    with pytest.raises(DataDamaged):
        disk.opened().page_image(menu, "110dpi", 1)
    with pytest.raises(DataDamaged):
        disk.opened().parsed(menu, "p1")
    assert disk.opened().original(menu).read_bytes() == b"Soup on Monday."
    assert is_whole(disk.opened(), salaries)


def test_a_tenants_key_file_opens_nothing_of_another_tenants(disk: Disk) -> None:
    content = disk.opened()
    everything_of(content, tenant="acme")
    theirs = everything_of(content, b"of others", tenant="others")
    files = {path: path.read_bytes() for path in (content.root / "keys").glob("*-*.json")}
    (acme, others) = sorted(files, key=lambda path: b'"others"' in files[path])

    others.write_bytes(files[acme])

    with pytest.raises(DataDamaged, match="key file"):
        disk.opened().original(theirs)


def test_another_key_and_no_key_are_refused_and_lose_nothing(disk: Disk, tmp_path: Path) -> None:
    hash_ = everything_of(disk.opened())
    before = disk.bytes_of_all()
    write_new(tmp_path / "other.key")

    for stranger in (disk.opened(key_file=tmp_path / "other.key"), disk.in_clear()):
        for use in (
            lambda: stranger.original(hash_),  # noqa: B023  # called at once
            lambda: stranger.parsed(hash_, "p1"),  # noqa: B023  # likewise
            lambda: stranger.add_stream([b"new"], tenant="default"),  # noqa: B023  # likewise
        ):
            with pytest.raises(KeyUnavailable, match=r"encryption\.key_file"):
                use()

    assert disk.bytes_of_all() == before
    assert is_whole(disk.opened(), hash_)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda key: key.unlink(), "can't be read"),
        (lambda key: key.chmod(0o644), "chmod 600"),
        (lambda key: key.write_text("secret"), "64 hexadecimal digits"),
    ],
)
def test_a_key_that_is_missing_open_to_others_or_none_is_said(
    disk: Disk, spoil: Callable[[Path], None], said: str
) -> None:
    spoil(disk.key)

    with pytest.raises(KeyUnavailable, match=said) as refusal:
        disk.opened().receive([SECRET])

    assert "secret" not in str(refusal.value)


def test_the_key_comes_from_a_program_too_and_what_it_prints_is_never_told(disk: Disk) -> None:
    hash_ = everything_of(disk.opened())
    printed = disk.opened(key_file=None, key_command=("/bin/cat", str(disk.key)))

    assert is_whole(printed, hash_)
    for command, said in (
        (("/bin/sh", "-c", f"cat {disk.key}; exit 3"), "ended with 3"),
        (("/nowhere/token",), "No such file"),
        (("/bin/echo", "tomorrow"), "no master key"),
    ):
        with pytest.raises(KeyUnavailable, match=said) as refusal:
            disk.opened(key_file=None, key_command=command).original(hash_)
        assert disk.key.read_text().strip() not in str(refusal.value)


def test_what_two_tenants_have_opens_to_one_when_the_others_keys_are_destroyed(disk: Disk) -> None:
    content = disk.opened()
    shared, own = everything_of(content, tenant="acme"), everything_of(content, b"1", tenant="acme")
    everything_of(content, tenant="others")

    content.vault.tenant_keys.destroy("acme")

    assert is_whole(disk.opened(), shared)
    with pytest.raises(KeyUnavailable, match="destroyed"):
        disk.opened().original(own)


def test_a_key_changes_while_both_open_and_the_former_opens_nothing_afterwards(
    disk: Disk, tmp_path: Path
) -> None:
    hash_ = everything_of(disk.opened())
    new = tmp_path / "new.key"
    write_new(new)

    disk.opened().vault.tenant_keys.add_master(MasterKey.read(new))
    assert is_whole(disk.opened(), hash_)
    assert is_whole(disk.opened(key_file=new), hash_)
    disk.opened(key_file=new).vault.tenant_keys.drop_masters()

    assert is_whole(disk.opened(key_file=new), hash_)
    with pytest.raises(KeyUnavailable):
        disk.opened().original(hash_)


def test_a_change_of_keys_that_is_not_complete_locks_nobody_out(disk: Disk, tmp_path: Path) -> None:
    hash_ = everything_of(disk.opened())
    new = tmp_path / "new.key"
    write_new(new)
    disk.opened().vault.tenant_keys.add_master(MasterKey.read(new))
    later = everything_of(disk.opened(), b"of a tenant that came meanwhile", tenant="acme")

    with pytest.raises(KeyUnavailable):
        disk.opened(key_file=new).vault.tenant_keys.drop_masters()

    assert is_whole(disk.opened(), hash_)
    assert is_whole(disk.opened(), later, b"of a tenant that came meanwhile")


def test_clear_folders_are_encrypted_and_a_kill_in_the_middle_loses_nothing(disk: Disk) -> None:
    clear = disk.in_clear()
    hashes = [everything_of(clear, SECRET + bytes([n])) for n in range(4)]
    looks_encrypted = everything_of(clear, b"SRENC1" + bytes(64))
    assert SECRET in disk.bytes_of_all()

    child = os.fork()
    if child == 0:  # killed between two files of the second content
        dying = Dying(disk.folder, EncryptionSettings(key_file=disk.key))
        conversion = Conversion(dying)
        conversion.convert(hashes[0], ["default"])
        dying.left = 2
        conversion.convert(hashes[1], ["default"])
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL

    content = disk.opened()
    for number, hash_ in enumerate(hashes):
        assert is_whole(content, hash_, SECRET + bytes([number]))
    written = sum(Conversion(content).convert(h, ["default"]) for h in content.hashes())
    content.vault.tenant_keys.refuse_clear()

    assert written == 2 + 2 * 4 + 4
    assert SECRET not in disk.bytes_of_all()
    for number, hash_ in enumerate(hashes):
        assert is_whole(disk.opened(), hash_, SECRET + bytes([number]))
    assert is_whole(disk.opened(), looks_encrypted, b"SRENC1" + bytes(64))
    disk.of(hashes[0], "p1.json.zst").write_bytes(b"in clear again")
    with pytest.raises(EnvironmentFault, match="put there"):
        disk.opened().parsed(hashes[0], "p1")


def test_with_new_keys_everything_is_encrypted_anew_and_the_older_open_nothing(disk: Disk) -> None:
    content = disk.opened()
    hash_ = everything_of(content)
    former = {path.name for path in disk.of(hash_, "keys").iterdir()}
    stored = disk.of(hash_, "original").read_bytes()

    newest = content.vault.tenant_keys.renew("default")
    assert Conversion(content).convert(hash_, ["default"]) == 4
    content.vault.tenant_keys.destroy("default", but=newest.id)

    assert Conversion(content).convert(hash_, ["default"]) == 0
    assert is_whole(disk.opened(), hash_)
    assert not former & {path.name for path in disk.of(hash_, "keys").iterdir()}
    disk.of(hash_, "original").write_bytes(stored)
    with pytest.raises(DataDamaged):
        disk.opened().original(hash_)


def test_rows_are_sealed_by_their_tenants_key_and_close_with_it(disk: Disk) -> None:
    content = disk.opened()
    disk.folder.mkdir()
    before = Sealer(disk.folder).seal(SECRET, "conversation 1", "acme")
    sealer = Sealer(disk.folder, content.vault)
    sealed = sealer.seal(SECRET, "conversation 1", "acme")

    assert sealer.open(sealed, "conversation 1") == SECRET
    assert sealer.open(before, "conversation 1") == SECRET
    assert sealer.open(sealed, "conversation 2") is None
    assert (sealer.is_newest(sealed, "acme"), sealer.is_newest(before, "acme")) == (True, False)
    content.vault.tenant_keys.destroy("acme")
    assert sealer.open(sealed, "conversation 1") is None
