"""Vectors of texts that have been embedded, in a file beside the document that they are of.

The file lies with the content whose texts they are and is removed with it, so nothing of a
deleted document is left in it. It grows by a record a text: a digest of the text, a check sum,
and the vector. Chunks keep theirs exactly as it was computed, sentences in half precision.
"""

import fcntl
import hashlib
import logging
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.embedding.protocol import Vectors

log = logging.getLogger(__name__)

_DIGEST_BYTES = 16


class FrameCipher(Protocol):
    """What encrypts the file, piece by piece; see `storage.encryption.cipher`."""

    def read(self, data: bytes) -> bytes: ...

    def append(self, file: IO[bytes], data: bytes) -> None: ...


class KeptVectors(NamedTuple):
    """A file of vectors, and what encrypts it; None: it is in clear."""

    path: Path
    cipher: FrameCipher | None = None


class VectorCache:
    """The vectors in one file, by text; a file that isn't there holds none.

    Several processes may add to one file. A record that a crash cut off, or that the disk
    changed, is as if it had never been written.
    """

    _number: ClassVar[str] = "<f4"

    def __init__(self, kept: KeptVectors, dimension: int, *, most: int | None = None) -> None:
        """`most` is how many vectors the file may hold; None: as many as are added."""
        (self._path, self._cipher), self._most = kept, most
        self._layout: np.dtype[Any] = np.dtype(
            [
                ("digest", f"V{_DIGEST_BYTES}"),
                ("crc", "<u4"),
                ("vector", self._number, (dimension,)),
            ]
        )
        self._records = self._read()
        digests, size = self._records["digest"].tobytes(), _DIGEST_BYTES
        self._rows = {
            digests[row * size : (row + 1) * size]: row for row in range(len(self._records))
        }

    def get(self, text: str) -> NDArray[np.float32] | None:
        """The vector of `text`, shape (dimension,), or None where it has not been kept."""
        row = self._rows.get(_digest(text))
        if row is None:
            return None
        record = self._records[row]
        is_whole = zlib.crc32(record["vector"].tobytes()) == record["crc"]
        return np.array(record["vector"], np.float32) if is_whole else None

    def add(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Keep vectors for whoever opens the file after this; without room they are not kept."""
        records = np.zeros(len(texts), self._layout)
        records["vector"] = vectors
        for record, text in zip(records, texts, strict=True):
            record["digest"] = np.void(_digest(text))
            record["crc"] = zlib.crc32(record["vector"].tobytes())
        try:
            # Without making the folder: it goes when the document is deleted meanwhile.
            with self._path.open("ab+") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                if self._cipher is not None:
                    file.seek(0)
                    held = len(self._cipher.read(file.read())) // self._layout.itemsize
                    if part := records[: self._room(len(records), held)].tobytes():
                        self._cipher.append(file, part)
                    return
                end = file.seek(0, 2)
                whole = end // self._layout.itemsize
                file.truncate(whole * self._layout.itemsize)  # what a crash left half written
                file.write(records[: self._room(len(records), whole)].tobytes())
        except OSError as error:
            log.warning("Vectors were not kept for another time: %s", error)

    def _room(self, wanted: int, held: int) -> int:
        return wanted if self._most is None else min(wanted, max(0, self._most - held))

    def _read(self) -> NDArray[np.void]:
        try:
            if self._cipher is not None:
                plain = self._cipher.read(self._path.read_bytes())
                whole = len(plain) // self._layout.itemsize
                return np.frombuffer(plain, self._layout, count=whole)
            whole = self._path.stat().st_size // self._layout.itemsize
            if whole:
                return np.memmap(self._path, self._layout, "r", shape=(whole,))
        except OSError:
            pass  # not there, or not readable: the texts are embedded
        return np.empty(0, self._layout)


class RoundedVectorCache(VectorCache):
    """The same in half the room: three decimals of a number, which no ranking tells apart."""

    _number = "<f2"


def rounded(vectors: Vectors) -> Vectors:
    """`vectors` as a `RoundedVectorCache` gives them back."""
    return vectors.astype(np.float16).astype(np.float32)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
