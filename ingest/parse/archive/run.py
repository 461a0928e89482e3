"""One archive being taken apart, within its limits, and the names of what comes out of it."""

import itertools
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from ingest.sources.folder import is_hidden
from sovereign_rag.errors import DocumentError, TooLarge

BLOCK = 1 << 18
MAX_NAME: Final = 120  # characters
_FREE_BYTES: Final = 16 << 20  # unpacked before the ratio counts: small files may be all zeros


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What may come out of one archive, with those inside it."""

    max_members: int
    max_unpacked_mib: int
    max_ratio: int
    max_depth: int
    max_bytes: int  # of one file


@dataclass(frozen=True, slots=True)
class UnpackedFile:
    """A file out of an archive."""

    path: str  # within the archive, "/" between folders; safe, and no two are the same
    name: str
    file: int | None  # its number in the folder; None: it could not be taken out
    failure: str | None = None
    modified: str | None = None  # ISO 8601


@dataclass
class Contents:
    """What came out of one archive."""

    members: list[UnpackedFile] = field(default_factory=list)
    left_out: int = 0  # hidden files and links


class Run:
    """One archive being taken apart, with those inside it: they share its limits."""

    def __init__(self, into: Path, limits: ArchiveLimits, size: int, kind_of: "KindOf") -> None:
        self.limits, self.found, self._kind_of = limits, Contents(), kind_of
        self._into, self._numbers = into, itertools.count()
        self._unpacked = 0
        self.most = min(limits.max_unpacked_mib << 20, max(_FREE_BYTES, size * limits.max_ratio))
        self._files = 0
        self._paths: set[str] = set()

    def count_file(self) -> None:
        """One more file was seen. Raises DocumentError."""
        self._files += 1
        if self._files > self.limits.max_members:
            raise DocumentError(
                "bomb",
                f"The archive holds more than {self.limits.max_members} files. Split it, or "
                "raise archives.max_members.",
            )

    def _count(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Blocks as they come, counted. Raises DocumentError once there are too many."""
        for block in blocks:
            self._unpacked += len(block)
            if self._unpacked > self.most:
                raise DocumentError(
                    "bomb",
                    "The archive unpacks to more than it may: it looks made to fill the disk. If "
                    "it is not, raise archives.max_unpacked_mib or archives.max_ratio.",
                )
            yield block

    def unique(self, path: str) -> str:
        """`path`, or one beside it if an earlier file of the archive has that already."""
        stem, dot, suffix = path.rpartition(".")
        if not dot or "/" in suffix:
            stem, dot, suffix = path, "", ""
        number, chosen = 1, path
        while chosen in self._paths:
            number += 1
            chosen = f"{stem}~{number}{dot}{suffix}"
        self._paths.add(chosen)
        return chosen

    def fail(self, path: str, reason: str) -> None:
        """Report a file that can't be taken out."""
        path = self.unique(path)
        self.found.members.append(UnpackedFile(path, path.rpartition("/")[2], None, reason))

    def write(self, blocks: Iterable[bytes]) -> int:
        """Write a file; returns its number. Raises TooLarge; then nothing of it stays."""
        number, size = next(self._numbers), 0
        target = self.place(number)
        try:
            with target.open("wb") as file:
                for block in self._count(blocks):
                    size += len(block)
                    if size > self.limits.max_bytes:
                        raise TooLarge(
                            f"it is larger than {self.limits.max_bytes >> 20} MiB. Take it in by "
                            "itself in parts, or raise parse.max_file_mib."
                        )
                    file.write(block)
        except BaseException:
            target.unlink()
            raise
        return number

    def place(self, number: int) -> Path:
        return self._into / str(number)

    def keep(self, path: str, name: str, number: int, modified: datetime | None = None) -> None:
        told = modified.isoformat() if modified else None
        self.found.members.append(UnpackedFile(self.unique(path), name, number, None, told))

    def take(
        self, path: str, name: str, blocks: Iterable[bytes], modified: datetime | None, depth: int
    ) -> None:
        """Take a file out; one that is an archive is taken apart in its turn."""
        number = self.write(blocks)
        inner = self.place(number)
        kind = self._kind_of(inner, name, self.limits) if inner.stat().st_size else None
        if kind is None:
            self.keep(path, name, number, modified)
            return
        try:
            if depth >= self.limits.max_depth:
                self.fail(
                    path,
                    f"an archive in an archive, {depth} deep: unpack it, or raise "
                    "archives.max_depth",
                )
            else:
                kind(self, inner, f"{path}/", depth + 1)
        finally:
            inner.unlink()


Kind = Callable[[Run, Path, str, int], None]
"""Takes an archive apart: the run, the file, what stands before its paths, its depth."""

KindOf = Callable[[Path, str, ArchiveLimits], Kind | None]
"""Which kind of archive a file is; None: it is none."""


def safe_path(name: str) -> str | None:
    """A path within an archive that can't lead out of it; None: what it names is left out.

    Drives, roots and ".." go, and so do characters that no file name should have. Hidden files
    and what programs put beside the files are left out.
    """
    parts = [safe_part(part) for part in re.split(r"[/\\]+", name)]
    parts = [part for part in parts if part not in {"", ".", ".."}]
    if not parts or any(is_hidden(part) or part == "__MACOSX" for part in parts):
        return None
    return "/".join(part[-MAX_NAME:] for part in parts)


def safe_part(part: str) -> str:
    part = unicodedata.normalize("NFC", part)
    part = "".join(c for c in part if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    return re.sub(r'[<>:"|?*/\\]', "_", part).strip()


def blocks_of(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def broken(error: Exception) -> DocumentError:
    return DocumentError("broken", f"The archive is damaged ({error}). Bring an intact copy.")
