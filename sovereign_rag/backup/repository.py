"""A folder of backups: pieces by hash, each stored once, and a signed manifest for each backup.

    pieces/ab/abcd…                 a piece, compressed, and closed where there is a recipient
    backups/20260301T120000Z.json   the manifest: which pieces with which hashes, signed
    erased/ID.json                  what was erased since, signed: a restore erases it again
    lock                            held by whoever writes

A piece's name is the SHA-256 of its content. Where backups are closed it is an HMAC of it, by a
key that comes from the signing key: whoever has the folder alone can't even tell whether it holds
a file that they know.
"""

import hashlib
import hmac
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import zstandard
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from filelock import FileLock, Timeout

from sovereign_rag.backup.envelope import Opener, Recipient
from sovereign_rag.errors import BadInput, EnvironmentFault
from sovereign_rag.storage.audit_chain import sync_folder
from sovereign_rag.storage.signed_statements import signed_statement, statement_in

KIND: Final = "backup"

_PIECE_BYTES: Final = 4 << 20
_NAME: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Stored:
    """A piece as it lies there."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Damage:
    """What is wrong with a piece of a backup."""

    piece: str
    problem: str


class Repository:
    """One folder; one process at a time writes to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pieces, self._backups = folder / "pieces", folder / "backups"
        self.erased = folder / "erased"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Raises EnvironmentFault: somebody else writes, or the folder can't be written to."""
        try:
            for folder in (self._pieces, self._backups, self.erased):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with FileLock(self.folder / "lock", timeout=0, mode=0o600):
                yield
        except Timeout as error:
            raise EnvironmentFault(
                f"Another process writes to {self.folder}. Wait until it has ended."
            ) from error
        except OSError as error:
            raise EnvironmentFault(
                f"{self.folder} can't be written to: {error.strerror}. Nothing of what is there "
                "was changed; free space, or give this user the right to write."
            ) from error

    def names(self) -> list[str]:
        """The backups, oldest first."""
        return sorted(path.stem for path in self._backups.glob("*.json"))

    def manifest(self, name: str | None, key: Ed25519PublicKey | None) -> dict[str, Any]:
        """What a backup says of itself; None: of the newest. Raises BadInput as `statement_in`."""
        names = self.names()
        if not names:
            raise BadInput(f"There is no backup in {self.folder}.")
        chosen = name or names[-1]
        if chosen not in names:
            raise BadInput(f"{self.folder} holds no backup {chosen!r}; `backup list` names them.")
        return statement_in(self._backups / f"{chosen}.json", KIND, key, what="The backup")

    def write_manifest(
        self, name: str, facts: Mapping[str, Any], key: Ed25519PrivateKey | None
    ) -> None:
        write_whole(self._backups / f"{name}.json", signed_statement(KIND, facts, key))

    def forget(self, keep: int) -> tuple[list[str], int]:
        """Remove all backups but the newest `keep`, and pieces that none needs any more.

        Returns:
            The names of those removed, and the bytes that were freed.
        """
        names = self.names()
        gone = names[: max(0, len(names) - keep)]
        for name in gone:
            (self._backups / f"{name}.json").unlink()
        needed: set[str] = set()
        for name in self.names():
            needed.update(self.manifest(name, None)["pieces"])
        freed = 0
        for path in self._pieces.glob("??/*"):
            if path.name not in needed:
                freed += path.stat().st_size
                path.unlink()
        return gone, freed

    def read(self, name: str, stored: Stored) -> bytes:
        """A piece as it lies there, held against its hash. Raises BadInput."""
        problem, data = self._checked(name, stored)
        if problem is not None:
            raise BadInput(f"The backup is damaged: piece {name[:12]}… {problem}. {_NEXT}")
        return data

    def damages(self, pieces: Mapping[str, Sequence[Any]]) -> Iterator[Damage]:
        """Hold every piece of a manifest against its hash."""
        for name, (sha256, size) in pieces.items():
            problem, _ = self._checked(name, Stored(sha256, size))
            if problem is not None:
                yield Damage(name, problem)

    def _checked(self, name: str, stored: Stored) -> tuple[str | None, bytes]:
        if not _NAME.fullmatch(name):  # it becomes a path
            return "has no name of a piece", b""
        try:
            data = self.place(name).read_bytes()
        except OSError as error:
            return f"can't be read ({error.strerror})", b""
        if len(data) != stored.size or hashlib.sha256(data).hexdigest() != stored.sha256:
            return "is not what was stored", b""
        return None, data

    def place(self, name: str) -> Path:
        return self._pieces / name[:2] / name


class PieceWriter:
    """Puts contents into a repository, a piece at a time; what is there already is not written."""

    def __init__(
        self,
        repository: Repository,
        known: Mapping[str, Sequence[Any]],
        *,
        recipient: Recipient | None,
        key: Ed25519PrivateKey | None,
    ) -> None:
        """`known` is the pieces that earlier manifests, made with this key, tell of."""
        self._repository, self._known, self._recipient = repository, known, recipient
        self._secret = None if recipient is None else _naming_secret(key)
        self._compressor = zstandard.ZstdCompressor(level=3)
        self.pieces: dict[str, Stored] = {}
        self.new_bytes = 0

    def put(self, blocks: Iterable[bytes]) -> list[str]:
        """Store a stream of bytes; returns the names of its pieces, in order."""
        names, waiting = [], bytearray()
        for block in blocks:
            waiting += block
            while len(waiting) >= _PIECE_BYTES:
                names.append(self._piece(bytes(waiting[:_PIECE_BYTES])))
                del waiting[:_PIECE_BYTES]
        if waiting:
            names.append(self._piece(bytes(waiting)))
        return names

    def again(self, names: Sequence[str]) -> bool:
        """Name pieces of the earlier backup once more; False: one of them is not there."""
        found = {name: self._there(name) for name in names}
        if None in found.values():
            return False
        self.pieces |= {name: stored for name, stored in found.items() if stored is not None}
        return True

    def take_back(self, names: Iterable[str]) -> None:
        """Have it not name these, and remove those that no earlier backup has."""
        for name in names:
            del self.pieces[name]
            if name not in self._known:
                self._repository.place(name).unlink(missing_ok=True)

    def _piece(self, data: bytes) -> str:
        name = (
            hashlib.sha256(data).hexdigest()
            if self._secret is None
            else hmac.new(self._secret, data, hashlib.sha256).hexdigest()
        )
        if name not in self.pieces:
            self.pieces[name] = self._there(name) or self._store(name, data)
        return name

    def _there(self, name: str) -> Stored | None:
        known = self._known.get(name)
        if known is None:
            return None
        stored, place = Stored(*known), self._repository.place(name)
        return stored if place.exists() and place.stat().st_size == stored.size else None

    def _store(self, name: str, data: bytes) -> Stored:
        closed = self._compressor.compress(data)
        if self._recipient is not None:
            closed = self._recipient.close(closed)
        write_whole(self._repository.place(name), closed)
        self.new_bytes += len(closed)
        return Stored(hashlib.sha256(closed).hexdigest(), len(closed))


class PieceReader:
    """Gives back what a `PieceWriter` was given."""

    def __init__(
        self, repository: Repository, pieces: Mapping[str, Sequence[Any]], opener: Opener | None
    ) -> None:
        self._repository, self._pieces, self._opener = repository, pieces, opener
        self._decompressor = zstandard.ZstdDecompressor()

    def blocks(self, names: Iterable[str]) -> Iterator[bytes]:
        """The stream, a piece at a time. Raises BadInput where a piece is damaged."""
        for name in names:
            if name not in self._pieces:
                raise BadInput(f"The backup names a piece {name[:12]}… that it has not. {_NEXT}")
            data = self._repository.read(name, Stored(*self._pieces[name]))
            if self._opener is not None:
                data = self._opener.open(data)
            yield self._decompressor.decompress(data, max_output_size=2 * _PIECE_BYTES)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file beside its place and rename it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


_NEXT: Final = (
    "Take another backup, or, where the data folder is still there, remove the piece and make a "
    "new one."
)


def _naming_secret(key: Ed25519PrivateKey | None) -> bytes:
    if key is None:
        raise BadInput("A closed backup is signed too: give --key beside --for.")
    raw = key.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    return HKDF(hashes.SHA256(), 32, salt=None, info=b"sovereign-rag backup pieces").derive(raw)
