"""The stored bytes, texts and page images of documents, by content hash.

What a quote is checked against is written here once, when a document is parsed. Layout, below
the data folder:

    content/ab/abcd…/original          the bytes as they came
    content/ab/abcd…/KEY.json.zst      the parsed document, KEY = version of the parser
    content/ab/abcd…/pages/KEY-3.png   the image of page 3
    content/ab/abcd…/MODEL.vectors     the vectors of its texts, see `VectorCache`
    content/ab/abcd…/MODEL.sentences   likewise of sentences that answers were looked for in
    content/ab/abcd…/VERSION.effort    how long it took to make a version of it

Everything but the vectors is written beside its place and renamed, so a file that is there is
whole. With a master key in the settings all of it is encrypted: see `encryption`.
"""

import hashlib
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

import orjson
import zstandard

from sovereign_rag.domain import ParsedDocument
from sovereign_rag.embedding.vector_cache import KeptVectors
from sovereign_rag.errors import EnvironmentFault, KeyUnavailable, NotFound, TooLarge
from sovereign_rag.settings import EncryptionSettings
from sovereign_rag.storage.encryption import cipher
from sovereign_rag.storage.encryption.memory_file import in_memory
from sovereign_rag.storage.encryption.vault import ContentKey, Vault
from sovereign_rag.storage.parsed_texts import decode_parsed, encode_parsed

_HASH = re.compile(r"[0-9a-f]{64}")
_BLOCK = 1 << 20
_ORIGINAL: Final = "original"


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that have come in whole, not in their place yet."""

    content_hash: str  # sha256
    size: int
    path: Path
    stored_hash: str  # sha256 of the bytes at `path`, which are encrypted where there is a key
    key: ContentKey | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Effort:
    """How long it took to take a content in, all of it computed."""

    parsing_s: float
    embedding_s: float


class ContentStore:
    """Files by the sha256 of the original; any number of processes may use one folder."""

    def __init__(self, data_dir: Path, encryption: EncryptionSettings | None = None) -> None:
        """Without `encryption` everything is stored as it is."""
        self.root = data_dir / "content"
        self._incoming = self.root / "incoming"
        self.vault = Vault(encryption or EncryptionSettings(), self)

    @staticmethod
    def hash_of(path: Path) -> str:
        """The sha256 that a file has here. Raises OSError."""
        with path.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()

    def holds(self, content_hash: str) -> bool:
        """Whether the bytes are here."""
        return (self._folder(content_hash) / _ORIGINAL).exists()

    def add_stream(
        self, blocks: Iterable[bytes], *, tenant: str, max_bytes: int | None = None
    ) -> tuple[str, int]:
        """Receive bytes and put them in their place at once; returns (sha256, size in bytes).

        Raises:
            TooLarge: More than `max_bytes` came; nothing is kept.
        """
        received = self.receive(blocks, max_bytes=max_bytes)
        self.keep(received, tenant)
        return received.content_hash, received.size

    def receive(self, blocks: Iterable[bytes], *, max_bytes: int | None = None) -> Received:
        """Write bytes to the disk as they arrive, never all in memory.

        They count for nothing until `keep`, before which a task that names their hash is to be
        recorded: a document with the same content may be deleted at this very moment.

        Raises:
            TooLarge: More than `max_bytes` came; nothing is kept.
            EnvironmentFault: The disk is full or can't be written to.
        """
        digest, stored, size = hashlib.sha256(), hashlib.sha256(), 0
        key = ContentKey.new() if self.vault.is_on else None
        if key is not None:
            self.vault.check()  # without the master key nothing is received

        def counted() -> Iterator[bytes]:
            nonlocal size
            for block in blocks:
                size += len(block)
                if max_bytes is not None and size > max_bytes:
                    raise TooLarge(f"The file is larger than {max_bytes >> 20} MiB, the limit.")
                digest.update(block)
                yield block

        self._make(self._incoming)
        with tempfile.NamedTemporaryFile(dir=self._incoming, delete=False) as target:
            incoming = Path(target.name)
            try:
                whole = counted()
                for block in whole if key is None else self.vault.sealed(whole, key, _ORIGINAL):
                    stored.update(block)
                    _write(target, block)
                _write(target, b"")
            except BaseException:  # an upload may also be broken off by an interrupt
                incoming.unlink(missing_ok=True)
                raise
        return Received(digest.hexdigest(), size, incoming, stored.hexdigest(), key)

    def keep(self, received: Received, tenant: str) -> None:
        """Put received bytes where `original` finds them; twice the same is kept once.

        They open with the keys of each tenant that they were kept for.
        """
        place = self._folder(received.content_hash) / _ORIGINAL
        if self.holds(received.content_hash):
            self.drop(received)
            self.keep_for(received.content_hash, tenant)
        else:
            if self.vault.is_on != (received.key is not None):
                raise KeyUnavailable("Encryption was turned on meanwhile: send the file again.")
            if received.key is not None:  # first: an original whose key is lost is lost
                self.vault.grant(received.content_hash, received.key, tenant)
            self._put_original(received, place)

    def keep_for(self, content_hash: str, tenant: str) -> None:
        """Let another tenant's keys open a content that is here."""
        if self.vault.is_on and (key := self._key(content_hash)) is not None:
            self.vault.grant(content_hash, key, tenant)

    def _put_original(self, received: Received, place: Path) -> None:
        self._make(place.parent)
        received.path.replace(place)

    def drop(self, received: Received) -> None:
        """Forget received bytes that are not to be kept; those that were are left alone."""
        received.path.unlink(missing_ok=True)

    def original(self, content_hash: str) -> Path:
        """The file as it came. Raises NotFound.

        Where contents are encrypted the file is in memory, as long as somebody holds this path.
        """
        path = self._stored_original(content_hash)
        if not self.vault.is_on:
            return path
        return in_memory(self.vault.opened(content_hash, path, _ORIGINAL))

    def original_size(self, content_hash: str) -> int:
        """Its size in bytes. Raises NotFound."""
        size = self._stored_original(content_hash).stat().st_size
        return size if self._key(content_hash) is None else cipher.plain_size(size)

    def _stored_original(self, content_hash: str) -> Path:
        path = self._folder(content_hash) / _ORIGINAL
        if not path.is_file():
            raise NotFound(
                "The document's original is not in the data folder any more; ingest it again."
            )
        return path

    def put_parsed(self, content_hash: str, key: str, parsed: ParsedDocument) -> None:
        """Store what the parser of version `key` made of the content."""
        data = zstandard.ZstdCompressor(level=6).compress(orjson.dumps(encode_parsed(parsed)))
        self._put(content_hash, f"{key}.json.zst", data)

    def parsed(self, content_hash: str, key: str) -> ParsedDocument | None:
        """The parsed document, or None where this version has not parsed it."""
        data = self._get(content_hash, f"{key}.json.zst")
        if data is None:
            return None
        return decode_parsed(orjson.loads(zstandard.ZstdDecompressor().decompress(data)))

    def page_texts(self, content_hash: str, key: str) -> dict[int, str]:
        """The text of each page alone, by number: a fraction of the time that `parsed` takes.

        Empty where this version has not parsed the content.
        """
        data = self._get(content_hash, f"{key}.json.zst")
        if data is None:
            return {}
        pages = orjson.loads(zstandard.ZstdDecompressor().decompress(data))["pages"]
        return {page["number"]: page["text"] for page in pages}

    def vectors(self, content_hash: str, model_id: str) -> KeptVectors:
        """Where the vectors that a model made of the content's texts are kept."""
        return self._kept(content_hash, f"{model_id}.vectors")

    def sentences(self, content_hash: str, model_id: str) -> KeptVectors:
        """Where the vectors that a model made of the content's sentences are kept."""
        return self._kept(content_hash, f"{model_id}.sentences")

    def _kept(self, content_hash: str, name: str) -> KeptVectors:
        key = self._key(content_hash) if self.vault.is_on else None
        frames = None if key is None else self.vault.frames(key, name)
        return KeptVectors(self._folder(content_hash) / name, frames)

    def share_vectors(self, content_hash: str, model_id: str) -> None:
        """Let other machines have the vectors that were kept of the content's texts."""

    def drop_vectors(self, model_id: str) -> None:
        """Remove the vectors that a model made, of every content."""
        for kind in ("vectors", "sentences"):
            for path in self.root.glob(f"??/*/{model_id}.{kind}"):
                path.unlink(missing_ok=True)

    def put_effort(self, content_hash: str, version: str, effort: Effort) -> None:
        """Store how long it took to make `version`."""
        data = orjson.dumps([effort.parsing_s, effort.embedding_s])
        self._put(content_hash, f"{version}.effort", data)

    def effort(self, content_hash: str, version: str) -> Effort | None:
        """How long it took to make `version`; None: it was never made in one go."""
        data = self._get(content_hash, f"{version}.effort")
        return None if data is None else Effort(*orjson.loads(data))

    def put_page_image(self, content_hash: str, key: str, page: int, png: bytes) -> None:
        self._put(content_hash, f"pages/{key}-{page}.png", png)

    def page_image(self, content_hash: str, key: str, page: int) -> bytes | None:
        return self._get(content_hash, f"pages/{key}-{page}.png")

    def delete(self, content_hash: str) -> None:
        """Remove original, text and images; the caller knows that no document needs them.

        They are gone from their place in one step, which takes no time.
        """
        folder = self._folder(content_hash)
        self.vault.forget(content_hash)
        leaving = self._incoming / f"leaving-{uuid.uuid4().hex}"
        with suppress(OSError):  # there is no such content, or no room to rename: remove in place
            folder.rename(leaving)
        shutil.rmtree(leaving, ignore_errors=True)  # what stays is for `sweep`
        shutil.rmtree(folder, ignore_errors=True)  # most often it was moved just now

    def sweep(self, *, older_than_s: float) -> None:
        """Remove what a crash left of bytes that were coming in or going out."""
        for path in list(self._incoming.iterdir()) if self._incoming.exists() else []:
            with suppress(OSError):  # somebody else was faster
                if time.time() - path.stat().st_mtime <= older_than_s:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)  # the next sweep takes the rest
                else:
                    path.unlink()

    def age_s(self, content_hash: str) -> float:
        """Seconds since something was last stored for the content."""
        return time.time() - self._folder(content_hash).stat().st_mtime

    def hashes(self) -> list[str]:
        """Every content hash that is stored."""
        return sorted(p.name for p in self.root.glob("??/*") if _HASH.fullmatch(p.name))

    def check(self) -> None:
        """Raises EnvironmentFault: content can't be stored or removed at this moment."""

    def keeps_what_is_erased(self) -> bool:
        """Whether bytes stay somewhere after their removal. Raises EnvironmentFault."""
        return False

    def close(self) -> None:
        """Nothing is asked afterwards."""

    def _folder(self, content_hash: str) -> Path:
        if not _HASH.fullmatch(content_hash):
            raise NotFound("There is no such content.")
        return self.root / content_hash[:2] / content_hash

    def _get(self, content_hash: str, name: str) -> bytes | None:
        path = self._folder(content_hash) / name
        if not self.vault.is_on:
            return self._read(path)
        if not self._is_here(path):
            return None
        try:
            return b"".join(self.vault.opened(content_hash, path, name))
        except FileNotFoundError:  # deleted meanwhile
            return None

    def _put(self, content_hash: str, name: str, data: bytes) -> None:
        if self.vault.is_on and (key := self._key(content_hash)) is not None:
            data = self.vault.encrypted(content_hash, name, data, key.id)
        self._write(self._folder(content_hash) / name, [data])

    def _key(self, content_hash: str) -> ContentKey | None:
        """What a content's files are encrypted with; None: they are in clear."""
        if not self.vault.is_on:
            return None
        folder = self._folder(content_hash)
        for name in (_ORIGINAL, *sorted(path.name for path in folder.glob("*.json.zst"))):
            if self._is_here(folder / name):
                with suppress(FileNotFoundError), (folder / name).open("rb") as file:
                    return self.vault.key_of(content_hash, file.read(cipher.HEADER_BYTES))
        raise NotFound("There is no such content any more; ingest its document again.")

    def _is_here(self, path: Path) -> bool:
        """Whether a file is at its path, where it may be fetched to first."""
        return path.is_file()

    def names(self, content_hash: str) -> list[str]:
        """Every file of a content, as paths below its folder."""
        at = self._folder(content_hash)
        return sorted(p.relative_to(at).as_posix() for p in at.rglob("*") if p.is_file())

    def place(self, content_hash: str, name: str) -> Path:
        """Where a file of a content lies as it is stored."""
        path = self._folder(content_hash) / name
        self._is_here(path)
        return path

    def store(self, content_hash: str, name: str, blocks: Iterable[bytes]) -> None:
        """Put a file in the place of another, in one step, as it is to be stored."""
        self._write(self._folder(content_hash) / name, blocks)

    # What `Vault` asks of where its keys are.

    def load(self, name: str) -> bytes | None:
        return self._read(self.root / name)

    def save(self, name: str, data: bytes) -> None:
        self._write(self.root / name, [data])

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    def listed(self) -> list[str]:
        return sorted(f"keys/{path.name}" for path in (self.root / "keys").glob("*.json"))

    def is_empty(self) -> bool:
        return next(iter(self.hashes()), None) is None

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, path: Path, blocks: Iterable[bytes]) -> None:
        self._make(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as target:
                target.writelines(blocks)
                target.flush()
                os.fsync(target.fileno())
            os.replace(name, path)
        except OSError as error:
            Path(name).unlink(missing_ok=True)
            raise EnvironmentFault(
                f"Could not write {path}: {error.strerror}. Is the disk full?"
            ) from error

    def _make(self, folder: Path) -> None:
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise EnvironmentFault(
                f"Could not make the folder {folder}: {error.strerror}."
            ) from error


def _write(target: IO[bytes], block: bytes) -> None:
    """Write a block; the last one, which is empty, makes all of them durable."""
    try:
        target.write(block)
        if not block:
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        raise EnvironmentFault(
            f"Could not write to {target.name}: {error.strerror}. Is the disk full?"
        ) from error
