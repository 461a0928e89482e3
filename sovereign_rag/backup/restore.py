"""A backup verified, and put back: into an empty data folder, and an empty database if it is one.

Everything is checked and written beside its place first; the catalog comes last. So a restore that
was broken off leaves a folder that the next one begins anew with.
"""

import shutil
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from sovereign_rag.backup.contents import move_into_bucket, require_empty_bucket
from sovereign_rag.backup.create import CATALOG
from sovereign_rag.backup.envelope import Opener
from sovereign_rag.backup.repository import Damage, PieceReader, Repository
from sovereign_rag.backup.vectors import plan, put_back
from sovereign_rag.catalog.database import Database
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.catalog.transfer import take_in
from sovereign_rag.errors import BadInput, EnvironmentFault
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.signed_statements import statement_in

BESIDE: Final = ".restoring"
FINAL: Final = frozenset({"key.revoke", "erase", "audit.erased", "encryption.forget"})
"""Acts that hold also where an older backup is restored: it knows of none of them."""

REDONE: Final = FINAL | {"delete"}
"""Those that are done again where they came while the backup was made."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of a backup found."""

    name: str
    made: str  # ISO 8601
    documents: int
    pieces: int
    bytes: int
    signed: bool
    damages: Sequence[Damage]


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back, and what is still to be done to it."""

    name: str
    made: str  # ISO 8601
    documents: int
    without_vectors: str | None  # why; `reindex --force` makes them from the stored texts
    to_redo: Sequence[AuditEntry]  # what the record, and those of later backups, tell of since
    erased: Sequence[Mapping[str, Any]]  # by certificates beside the backups


def verify(repository: Repository, name: str | None, key: Ed25519PublicKey | None) -> Verified:
    """Hold a backup against its signature, and each piece against its hash; no key opens it.

    Raises:
        BadInput: There is none, or its manifest is not what was signed.
    """
    manifest = repository.manifest(name, key)
    pieces = manifest["pieces"]
    return Verified(
        name=name or repository.names()[-1],
        made=str(manifest["made"]),
        documents=int(manifest["documents"]),
        pieces=len(pieces),
        bytes=sum(size for _, size in pieces.values()),
        signed=key is not None,
        damages=tuple(repository.damages(pieces)),
    )


def restore(
    settings: Settings,
    repository: Repository,
    name: str | None,
    *,
    key: Ed25519PublicKey | None,
    opener: Opener | None,
    with_vectors: bool = True,
) -> Restored:
    """Put a backup into the data folder, the database and the bucket of the settings, all empty.

    Where a server's snapshots can't be put back, everything else is, and the result says why.

    Raises:
        BadInput: They are not empty, or a server holds collections of the snapshots' names; or the
            backup is not what was signed, is damaged, or closed for somebody else.
        CatalogError: A newer version of the product made it.
        EnvironmentFault: The disk is full.
        StoreError: A server that is to take snapshots does not answer; nothing was done yet.
    """
    manifest = repository.manifest(name, key)
    _require_opener(manifest, opener)
    folder = settings.data_dir
    _require_empty(folder)
    require_empty_bucket(settings)
    beside = folder / BESIDE
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True, mode=0o700)
        reader = PieceReader(repository, manifest["pieces"], opener)
        tree = orjson.loads(b"".join(reader.blocks(manifest["tree"])))
        planned = plan(settings, manifest, tree, wanted=with_vectors)
        catalog = _unpack(beside, reader, planned.files)
        _note_head(beside, manifest["record"])
        since = _acts_since(AuditLog(beside), int(manifest["record"]["from"]), REDONE)
        later = _acts_of_later(repository, manifest, key, opener)
        move_into_bucket(settings, beside / "content")
        _fill_catalog(settings, beside, reader, catalog)
        for path in beside.iterdir():
            path.rename(folder / path.name)
        beside.rmdir()
        refused = put_back(settings, planned.snapshots, reader)
    except OSError as error:
        raise EnvironmentFault(
            f"{folder} can't be written to: {error.strerror}. Free space, or give this user the "
            "right to write there; then restore again."
        ) from error
    return Restored(
        name=name or repository.names()[-1],
        made=str(manifest["made"]),
        documents=int(manifest["documents"]),
        without_vectors=planned.without or refused,
        to_redo=[*since, *later],
        erased=_erased(repository),
    )


def _erased(repository: Repository) -> list[Mapping[str, Any]]:
    """By whomever they are signed: who could add one could take the whole folder away."""
    files = sorted(repository.erased.glob("*.json"))
    return [statement_in(file, "erasure", None, what="The certificate") for file in files]


def _acts_of_later(
    repository: Repository,
    manifest: dict[str, Any],
    key: Ed25519PublicKey | None,
    opener: Opener | None,
) -> list[AuditEntry]:
    """What the record of the newest backup tells of that stays as it is, whatever is restored."""
    newest = repository.manifest(None, key)
    # By the record's own count: two backups may be made within a second.
    if int(newest["record"]["number"]) <= int(manifest["record"]["number"]):
        return []
    _require_opener(newest, opener)
    reader = PieceReader(repository, newest["pieces"], opener)
    tree = orjson.loads(b"".join(reader.blocks(newest["tree"])))
    with TemporaryDirectory(dir=repository.folder, prefix=".record-") as beside:
        _unpack(Path(beside), reader, [unit for unit in tree if _is_record(unit)])
        return _acts_since(AuditLog(Path(beside)), int(manifest["record"]["number"]), FINAL)


def _is_record(unit: dict[str, Any]) -> bool:
    return any(str(file[0]).startswith("audit/") for file in unit.get("files", ()))


def _require_opener(manifest: dict[str, Any], opener: Opener | None) -> None:
    sealed_for = manifest["sealed_for"]
    if sealed_for is not None and (opener is None or opener.fingerprint != sealed_for):
        raise BadInput(
            "The backup is closed for the holder of the certificate with the SHA-256 fingerprint "
            f"{sealed_for}: give it with --certificate, and its key with --private-key."
        )


def _require_empty(folder: Path) -> None:
    if folder.exists() and any(path.name != BESIDE for path in folder.iterdir()):
        raise BadInput(
            f"{folder} is not empty. Move what is there away, or name another folder with "
            "--data-dir."
        )


def _unpack(beside: Path, reader: PieceReader, tree: Sequence[dict[str, Any]]) -> list[str]:
    """Write every file below `beside`; returns the pieces of the catalog."""
    catalog: list[str] = []
    for unit in tree:
        if "folder" in unit:
            _inside(beside, unit["folder"]).mkdir(parents=True, exist_ok=True, mode=0o700)
        elif unit["files"][0][0] == CATALOG:
            catalog = unit["pieces"]
        else:
            stream = _Stream(reader.blocks(unit["pieces"]))
            for name, length, mode in unit["files"]:
                _write(_inside(beside, name), stream.take(length), mode)
    return catalog


def _inside(beside: Path, name: str) -> Path:
    """Where a file belongs, which is never outside. Raises BadInput."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BadInput(f"The backup names a file outside of the data folder: {name!r}.")
    return beside / path


def _write(path: Path, blocks: Iterable[bytes], mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("xb") as file:
        path.chmod(mode & 0o700)
        for block in blocks:
            file.write(block)


class _Stream:
    """A stream of blocks, taken in parts of given lengths."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks, self._waiting = blocks, deque[bytes]()

    def take(self, length: int) -> Iterator[bytes]:
        while length:
            block = self._waiting.popleft() if self._waiting else next(self._blocks, b"")
            if not block:
                raise BadInput("The backup ends in the middle of a file. Take another one.")
            if len(block) > length:
                self._waiting.appendleft(block[length:])
            yield block[:length]
            length -= min(length, len(block))


def _note_head(beside: Path, record: dict[str, Any]) -> None:
    """What the record's own note says: taken with its files, which may have grown since."""
    if record["number"]:
        folder = beside / "audit"
        folder.mkdir(exist_ok=True, mode=0o700)
        (folder / "head").write_text(f"{record['number']:012d} {record['hash']}\n", "ascii")


def _acts_since(log: AuditLog, number: int, actions: Collection[str]) -> list[AuditEntry]:
    """What a record tells of after a number, of these actions."""
    return [found.entry for found in log.read(after=number) if found.entry.action in actions]


def _fill_catalog(
    settings: Settings, beside: Path, reader: PieceReader, pieces: Sequence[str]
) -> None:
    database = Database.of(settings.model_copy(update={"data_dir": beside}))
    try:
        take_in(database, _lines(reader.blocks(pieces)))
    finally:
        database.close()


def _lines(blocks: Iterable[bytes]) -> Iterator[bytes]:
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        yield from lines
    if rest:
        yield rest
