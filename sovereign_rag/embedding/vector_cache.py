"""Vectors of texts that have been embedded, in a file beside the document that they are of.

The file lies with the content whose texts they are and is removed with it, so nothing of a
deleted document is left in it. It grows by a record a text: a digest of the text, a check sum,
the vector in single precision, exactly as it was computed.
"""

import fcntl
import hashlib
import logging
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.embedding.protocol import Vectors

log = logging.getLogger(__name__)

_DIGEST_BYTES = 16


class VectorCache:
    """The vectors in one file, by text; a file that isn't there holds none.

    Several processes may add to one file. A record that a crash cut off, or that the disk
    changed, is as if it had never been written.
    """

    def __init__(self, path: Path, dimension: int) -> None:
        self._path = path
        self._layout = np.dtype(
            [("digest", f"V{_DIGEST_BYTES}"), ("crc", "<u4"), ("vector", "<f4", (dimension,))]
        )
        self._records = self._read()
        self._rows = {d.tobytes(): row for row, d in enumerate(self._records["digest"])}

    def get(self, text: str) -> NDArray[np.float32] | None:
        """The vector of `text`, shape (dimension,), or None where it has not been kept."""
        row = self._rows.get(_digest(text))
        if row is None:
            return None
        vector = np.array(self._records["vector"][row], np.float32)
        return vector if zlib.crc32(vector.tobytes()) == self._records["crc"][row] else None

    def add(self, texts: Sequence[str], vectors: Vectors) -> None:
        """Keep vectors for whoever opens the file after this; without room they are not kept."""
        records = np.zeros(len(texts), self._layout)
        for record, text, vector in zip(records, texts, vectors, strict=True):
            record["digest"] = np.void(_digest(text))
            record["vector"] = vector
            record["crc"] = zlib.crc32(np.asarray(vector, "<f4").tobytes())
        try:
            # Without making the folder: it goes when the document is deleted meanwhile.
            with self._path.open("ab") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                end = file.seek(0, 2)
                file.truncate(end - end % self._layout.itemsize)  # what a crash left half written
                file.write(records.tobytes())
        except OSError as error:
            log.warning("Vectors were not kept for another time: %s", error)

    def _read(self) -> NDArray[np.void]:
        try:
            whole = self._path.stat().st_size // self._layout.itemsize
            if whole:
                return np.memmap(self._path, self._layout, "r", shape=(whole,))
        except OSError:
            pass  # not there, or not readable: the texts are embedded
        return np.empty(0, self._layout)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=_DIGEST_BYTES).digest()
