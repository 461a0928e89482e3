"""7z files as folders."""

import lzma
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

import py7zr
from py7zr.exceptions import ArchiveError, PasswordRequired, UnsupportedCompressionMethodError

from ingest.parse.archive.run import Run, blocks_of, broken, safe_path
from sovereign_rag.errors import DocumentError, TooLarge

_IN_MEMORY: Final = 1 << 20  # of a file, before it is written to the disk
_DAMAGED = (ArchiveError, EOFError, lzma.LZMAError, zlib.error, OSError, ValueError, KeyError)


class _File(py7zr.io.Py7zIO):
    """A file as it is unpacked, up to what is left of the archive's limit."""

    def __init__(self, limit: "_Limit") -> None:
        self._limit = limit
        self.file: IO[bytes] = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115  - by its taker

    def write(self, s: bytes | bytearray) -> int:
        self._limit.spend(len(s))
        return self.file.write(s)

    def read(self, size: int | None = None) -> bytes:
        return self.file.read(-1 if size is None else size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)

    def flush(self) -> None:
        self.file.flush()

    def size(self) -> int:
        return self.file.tell()


class _Limit:
    def __init__(self, most: int) -> None:
        self._left = most

    def spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise _bomb()


class _Files(py7zr.io.WriterFactory):
    def __init__(self, most: int) -> None:
        self._limit = _Limit(most)
        self.made: dict[str, _File] = {}

    def create(self, filename: str) -> py7zr.io.Py7zIO:
        self.made[filename] = made = _File(self._limit)
        return made


def take_seven(run: Run, path: Path, prefix: str, depth: int) -> None:
    """Take a 7z file apart; it is unpacked as a whole, since its files may share one stream."""
    try:
        with path.open("rb") as raw, py7zr.SevenZipFile(raw) as archive:
            if archive.needs_password():
                raise _locked()
            times = _times(run, archive)
            files = _Files(run.most)
            archive.extractall(factory=files)
    except PasswordRequired as error:
        raise _locked() from error
    except UnsupportedCompressionMethodError as error:
        raise DocumentError(
            "unsupported",
            f"The archive is packed by a method that is not read here ({error}). Unpack it and "
            "ingest its folder.",
        ) from error
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno is not None:  # the disk, not the archive
            raise
        raise broken(error) from error
    for name, modified in times.items():
        place = safe_path(name)
        made = files.made.get(name)
        if place is None or made is None:
            run.found.left_out += 1
            continue
        made.seek(0)
        with made.file as file:
            try:
                inner = prefix + place
                run.take(inner, inner.rpartition("/")[2], blocks_of(file), modified, depth)
            except TooLarge as error:
                run.fail(prefix + place, str(error))


def _times(run: Run, archive: py7zr.SevenZipFile) -> dict[str, datetime | None]:
    """When each file was changed, by its name; refuses more than may come out."""
    found: dict[str, datetime | None] = {}
    size = 0
    for info in archive.list():
        if info.is_directory:
            continue
        run.count_file()
        size += info.uncompressed or 0
        if size > run.most:
            raise _bomb()
        modified = info.creationtime
        found[info.filename] = modified.astimezone(UTC) if modified else None
    return found


def _locked() -> DocumentError:
    return DocumentError(
        "encrypted",
        "The archive needs a password. Unpack it with its program and ingest the folder.",
    )


def _bomb() -> DocumentError:
    return DocumentError(
        "bomb",
        "The archive unpacks to more than it may: it looks made to fill the disk. If it is not, "
        "raise archives.max_unpacked_mib or archives.max_ratio.",
    )
