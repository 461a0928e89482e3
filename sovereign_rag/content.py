"""The stored bytes, texts and page images of documents, by content hash.

What a quote is checked against is written here once, when a document is parsed. Layout, below
the data folder:

    content/ab/abcd…/original          the bytes as they came
    content/ab/abcd…/KEY.json.zst      the parsed document, KEY = version of the parser
    content/ab/abcd…/pages/KEY-3.png   the image of page 3

Everything is written beside its place and renamed, so a file that is there is whole.
"""

import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import zstandard

from sovereign_rag.domain import Box, Element, ElementKind, PageText, ParsedDocument, Word
from sovereign_rag.errors import EnvironmentFault, NotFound, TooLarge

_HASH = re.compile(r"[0-9a-f]{64}")
_BLOCK = 1 << 20


class ContentStore:
    """Files by the sha256 of the original; any number of processes may use one folder."""

    def __init__(self, data_dir: Path) -> None:
        self.root = data_dir / "content"
        self._incoming = self.root / "incoming"

    def add_file(self, path: Path) -> tuple[str, int]:
        """Copy a file in; returns (sha256, size in bytes).

        What is there already is read for its hash alone, so that looking through an unchanged
        folder writes nothing.
        """
        with path.open("rb") as source:
            content_hash = hashlib.file_digest(source, "sha256").hexdigest()
            if (self._folder(content_hash) / "original").exists():
                return content_hash, source.tell()
            source.seek(0)
            return self.add_stream(iter(lambda: source.read(_BLOCK), b""))

    def add_stream(
        self, blocks: Iterable[bytes], *, max_bytes: int | None = None
    ) -> tuple[str, int]:
        """Store bytes as they arrive, never all in memory; returns (sha256, size in bytes).

        Raises:
            TooLarge: More than `max_bytes` came; nothing is kept.
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
                    target.write(block)
                target.flush()
                os.fsync(target.fileno())
            except BaseException:
                incoming.unlink(missing_ok=True)
                raise
        content_hash = digest.hexdigest()
        place = self._folder(content_hash) / "original"
        if place.exists():
            incoming.unlink()
        else:
            self._make(place.parent)
            incoming.replace(place)
        return content_hash, size

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

    def put_page_image(self, content_hash: str, key: str, page: int, png: bytes) -> None:
        self._write(self._folder(content_hash) / "pages" / f"{key}-{page}.png", png)

    def page_image(self, content_hash: str, key: str, page: int) -> bytes | None:
        try:
            return (self._folder(content_hash) / "pages" / f"{key}-{page}.png").read_bytes()
        except FileNotFoundError:
            return None

    def delete(self, content_hash: str) -> None:
        """Remove original, text and images; the caller knows that no document needs them."""
        shutil.rmtree(self._folder(content_hash), ignore_errors=True)

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
