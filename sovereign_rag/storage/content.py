"""The stored bytes, texts and page images of documents, by content hash.

What a quote is checked against is written here once, when a document is parsed. Layout, below
the data folder:

    content/ab/abcd…/original          the bytes as they came
    content/ab/abcd…/KEY.json.zst      the parsed document, KEY = version of the parser
    content/ab/abcd…/pages/KEY-3.png   the image of page 3
    content/ab/abcd…/MODEL.vectors     the vectors of its texts, see `VectorCache`
    content/ab/abcd…/VERSION.effort    how long it took to make a version of it

Everything but the vectors is written beside its place and renamed, so a file that is there is
whole.
"""

import hashlib
import os
import re
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import orjson
import zstandard

from sovereign_rag.domain import Box, Element, ElementKind, PageText, ParsedDocument, Word
from sovereign_rag.errors import EnvironmentFault, NotFound, TooLarge

_HASH = re.compile(r"[0-9a-f]{64}")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Received:
    """Bytes that have come in whole, not in their place yet."""

    content_hash: str  # sha256
    size: int
    path: Path


@dataclass(frozen=True, slots=True)
class Effort:
    """How long it took to take a content in, all of it computed."""

    parsing_s: float
    embedding_s: float


class ContentStore:
    """Files by the sha256 of the original; any number of processes may use one folder."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir / "content"
        self._incoming = self.root / "incoming"

    @staticmethod
    def hash_of(path: Path) -> str:
        """The sha256 that a file has here. Raises OSError."""
        with path.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()

    def holds(self, content_hash: str) -> bool:
        """Whether the bytes are here."""
        return (self._folder(content_hash) / "original").exists()

    def add_stream(
        self, blocks: Iterable[bytes], *, max_bytes: int | None = None
    ) -> tuple[str, int]:
        """Receive bytes and put them in their place at once; returns (sha256, size in bytes).

        Raises:
            TooLarge: More than `max_bytes` came; nothing is kept.
        """
        received = self.receive(blocks, max_bytes=max_bytes)
        self.keep(received)
        return received.content_hash, received.size

    def receive(self, blocks: Iterable[bytes], *, max_bytes: int | None = None) -> Received:
        """Write bytes to the disk as they arrive, never all in memory.

        They count for nothing until `keep`, before which a task that names their hash is to be
        recorded: a document with the same content may be deleted at this very moment.

        Raises:
            TooLarge: More than `max_bytes` came; nothing is kept.
            EnvironmentFault: The disk is full or can't be written to.
        """
        digest, size = hashlib.sha256(), 0
        self._make(self._incoming)
        with tempfile.NamedTemporaryFile(dir=self._incoming, delete=False) as target:
            incoming = Path(target.name)
            try:
                for block in blocks:
                    size += len(block)
                    if max_bytes is not None and size > max_bytes:
                        raise TooLarge(f"The file is larger than {max_bytes >> 20} MiB, the limit.")
                    digest.update(block)
                    _write(target, block)
                _write(target, b"")
            except BaseException:  # an upload may also be broken off by an interrupt
                incoming.unlink(missing_ok=True)
                raise
        return Received(digest.hexdigest(), size, incoming)

    def keep(self, received: Received) -> None:
        """Put received bytes where `original` finds them; twice the same is kept once."""
        place = self._folder(received.content_hash) / "original"
        if place.exists():
            self.drop(received)
        else:
            self._make(place.parent)
            received.path.replace(place)

    def drop(self, received: Received) -> None:
        """Forget received bytes that are not to be kept; those that were are left alone."""
        received.path.unlink(missing_ok=True)

    def original(self, content_hash: str) -> Path:
        """The file as it came. Raises NotFound."""
        path = self._folder(content_hash) / "original"
        if not path.is_file():
            raise NotFound(
                "The document's original is not in the data folder any more; ingest it again."
            )
        return path

    def put_parsed(self, content_hash: str, key: str, parsed: ParsedDocument) -> None:
        """Store what the parser of version `key` made of the content."""
        data = zstandard.ZstdCompressor(level=6).compress(orjson.dumps(encode_parsed(parsed)))
        self._write(self._folder(content_hash) / f"{key}.json.zst", data)

    def parsed(self, content_hash: str, key: str) -> ParsedDocument | None:
        """The parsed document, or None where this version has not parsed it."""
        path = self._folder(content_hash) / f"{key}.json.zst"
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        return decode_parsed(orjson.loads(zstandard.ZstdDecompressor().decompress(data)))

    def vectors(self, content_hash: str, model_id: str) -> Path:
        """Where the vectors that a model made of the content's texts are kept."""
        return self._folder(content_hash) / f"{model_id}.vectors"

    def drop_vectors(self, model_id: str) -> None:
        """Remove the vectors that a model made, of every content."""
        for path in self.root.glob(f"??/*/{model_id}.vectors"):
            path.unlink(missing_ok=True)

    def put_effort(self, content_hash: str, version: str, effort: Effort) -> None:
        """Store how long it took to make `version`."""
        path = self._folder(content_hash) / f"{version}.effort"
        self._write(path, orjson.dumps([effort.parsing_s, effort.embedding_s]))

    def effort(self, content_hash: str, version: str) -> Effort | None:
        """How long it took to make `version`; None: it was never made in one go."""
        try:
            data = (self._folder(content_hash) / f"{version}.effort").read_bytes()
        except FileNotFoundError:
            return None
        return Effort(*orjson.loads(data))

    def put_page_image(self, content_hash: str, key: str, page: int, png: bytes) -> None:
        self._write(self._folder(content_hash) / "pages" / f"{key}-{page}.png", png)

    def page_image(self, content_hash: str, key: str, page: int) -> bytes | None:
        try:
            return (self._folder(content_hash) / "pages" / f"{key}-{page}.png").read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, content_hash: str) -> None:
        """Remove original, text and images; the caller knows that no document needs them.

        They are gone from their place in one step, which takes no time.
        """
        folder = self._folder(content_hash)
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

    def _folder(self, content_hash: str) -> Path:
        if not _HASH.fullmatch(content_hash):
            raise NotFound("There is no such content.")
        return self.root / content_hash[:2] / content_hash

    def _write(self, path: Path, data: bytes) -> None:
        self._make(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as target:
                target.write(data)
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


def encode_parsed(parsed: ParsedDocument) -> dict[str, Any]:
    """A ParsedDocument as plain JSON types; words and elements as rows, to stay small."""
    return {
        **{k: v for k, v in asdict(parsed).items() if k not in {"pages", "elements"}},
        "pages": [
            {
                "number": p.number,
                "text": p.text,
                "name": p.name,
                "width": p.width,
                "height": p.height,
                "ocr_confidence": p.ocr_confidence,
                "words": [
                    [
                        w.start,
                        w.end,
                        *(round(x, 5) for x in (w.box.left, w.box.top, w.box.right, w.box.bottom)),
                    ]
                    for w in p.words
                ],
            }
            for p in parsed.pages
        ],
        "elements": [[e.kind.value, e.page, e.start, e.end, e.level] for e in parsed.elements],
    }


def decode_parsed(data: dict[str, Any]) -> ParsedDocument:
    """The inverse of `encode_parsed`; raises ValueError, KeyError or TypeError on anything else."""
    pages = tuple(
        PageText(
            **{k: v for k, v in page.items() if k != "words"},
            words=tuple(
                Word(int(a), int(b), Box(page["number"], *box)) for a, b, *box in page["words"]
            ),
        )
        for page in data["pages"]
    )
    elements = tuple(
        Element(ElementKind(kind), page, start, end, level)
        for kind, page, start, end, level in data["elements"]
    )
    rest = {k: v for k, v in data.items() if k not in {"pages", "elements"}}
    return ParsedDocument(
        **{**rest, "pages": pages, "elements": elements, "warnings": tuple(rest["warnings"])}
    )
