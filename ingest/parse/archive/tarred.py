"""Tar files, plain or compressed, as folders; what is compressed by itself as the one file in it.

Source: POSIX.1-2001 (ustar, pax) as Python's tarfile reads it.
"""

import bz2
import gzip
import lzma
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import IO, Final, cast

from ingest.parse.archive.run import Kind, Run, blocks_of, broken, safe_path
from sovereign_rag.errors import DocumentError, TooLarge

_GZIP, _BZIP, _XZ = b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00"
STARTS: Final = (_GZIP, _BZIP, _XZ)
_MARK, _MARK_AT = b"ustar", 257
_BLOCK = 512
_SUFFIXES = {".gz", ".bz2", ".xz", ".z"}
_WHOLE = {".tgz": ".tar", ".tbz": ".tar", ".tbz2": ".tar", ".txz": ".tar", ".svgz": ".svg"}
_MOST_MEMORY: Final = 256 << 20  # that an XZ file may ask for
_OVERHEAD: Final = 64 << 20  # of a tar's own blocks and of what is left out, beyond its files
_DAMAGED = (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, OSError, ValueError)


def is_tar(head: bytes) -> bool:
    return head[_MARK_AT : _MARK_AT + len(_MARK)] == _MARK


def named(name: str) -> Kind:
    """Takes apart a tar, or what is compressed by itself and called `name`."""

    def take(run: Run, path: Path, prefix: str, depth: int) -> None:
        with path.open("rb") as raw, closing(_opened(raw)) as plain:
            file = _Counted(plain, run.most + _OVERHEAD)
            try:
                if file.is_tar():
                    with tarfile.open(fileobj=cast(IO[bytes], file), mode="r|") as archive:
                        _take_all(run, archive, prefix, depth)
                else:
                    _take_one(run, file, prefix, name, depth)
            except _DAMAGED as error:
                if isinstance(error, OSError) and error.errno is not None:  # the disk
                    raise
                raise broken(error) from error

    return take


def _opened(raw: IO[bytes]) -> IO[bytes]:
    head = raw.read(8)
    raw.seek(0)
    if head.startswith(_GZIP):
        return cast(IO[bytes], gzip.GzipFile(fileobj=raw))
    if head.startswith(_BZIP):
        return cast(IO[bytes], bz2.BZ2File(raw))
    if head.startswith(_XZ):
        return cast(IO[bytes], _Xz(raw))
    return raw


class _Xz:
    """An XZ file, within a limit of memory that `lzma.open` does not take."""

    def __init__(self, raw: IO[bytes]) -> None:
        self._raw = raw
        self._made = lzma.LZMADecompressor(memlimit=_MOST_MEMORY)

    def read(self, size: int) -> bytes:
        while not self._made.eof:
            more = self._raw.read(_BLOCK * 32) if self._made.needs_input else b""
            if self._made.needs_input and not more:
                raise EOFError("it ends too early")
            if data := self._made.decompress(more, max_length=size):
                return data
        return b""

    def close(self) -> None:
        """Nothing of its own is open."""


class _Counted:
    """A file that is read once, from its beginning to its end, and not beyond a limit."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file, self._left = file, most
        self._ahead = b""
        while len(self._ahead) < _BLOCK and (data := file.read(_BLOCK)):
            self._ahead += data

    def is_tar(self) -> bool:
        """Whether it begins with the header of a tar, of whatever age."""
        if is_tar(self._ahead):
            return True
        try:
            tarfile.TarInfo.frombuf(self._ahead[:_BLOCK], "utf-8", "surrogateescape")
        except tarfile.TarError:
            return False
        return True

    def read(self, size: int = _BLOCK) -> bytes:
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        if not data:
            data = self._file.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise DocumentError(
                "bomb",
                "The archive unpacks to more than it may: it looks made to fill the disk. If it is "
                "not, raise archives.max_unpacked_mib or archives.max_ratio.",
            )
        return data


def _take_all(run: Run, archive: tarfile.TarFile, prefix: str, depth: int) -> None:
    for info in archive:
        if info.isdir():
            continue
        run.count_file()
        place = safe_path(info.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        file = archive.extractfile(info) if info.isfile() and place is not None else None
        if file is None or place is None:
            run.found.left_out += 1  # hidden, a link, a device
            continue
        path = prefix + place
        try:
            run.take(path, path.rpartition("/")[2], blocks_of(file), _time(info), depth)
        except TooLarge as error:
            run.fail(path, str(error))


def _take_one(run: Run, file: _Counted, prefix: str, name: str, depth: int) -> None:
    """The one file in a compressed one: its name is that of the outer without its ending."""
    run.count_file()
    pure = PurePath(name)
    suffix = pure.suffix.lower()
    inner = pure.stem if suffix in _SUFFIXES else f"{pure.stem}{_WHOLE.get(suffix, suffix)}"
    place = safe_path(inner) or "file"
    try:
        run.take(prefix + place, place, _all(file), None, depth)
    except TooLarge as error:
        run.fail(prefix + place, str(error))


def _all(file: _Counted) -> Iterator[bytes]:
    while data := file.read(1 << 18):
        yield data


def _time(info: tarfile.TarInfo) -> datetime | None:
    try:
        return datetime.fromtimestamp(info.mtime, UTC)
    except (ValueError, OverflowError, OSError):
        return None
