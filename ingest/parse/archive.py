"""Archives as folders: the files in a ZIP, the messages of a mailbox, each a document of its own.

What an archive says of itself is not believed. Bytes are counted as they come out, over the
whole archive and those inside it; the list of its files is bounded before it is read; names can't
lead out of the archive. One that goes beyond a limit is one failed document.

It is opened in a confined process, as every document is: the files go into its scratch folder.
"""

import itertools
import re
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import decode_header, make_header
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

from ingest.sources.folder import is_hidden
from sovereign_rag.errors import DocumentError, TooLarge

_BLOCK = 1 << 18
_FREE_BYTES: Final = 16 << 20  # unpacked before the ratio counts: small files may be all zeros
_DIRECTORY_BYTES: Final = 400  # of the list of files, for each that is allowed
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
_MAX_NAME: Final = 120  # characters
_HEAD: Final = 64 * 1024

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_LOCATOR_64 = b"PK\x06\x07"
_SEPARATOR = re.compile(rb"From \S.*\d{1,2}:\d{2}")
_HEADER = re.compile(rb">?[A-Za-z][A-Za-z0-9-]*:")
_DOCUMENTS = ("[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF", "Index/Document.iwa")
"""A ZIP file with one of these is a document or a program, not a folder."""


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


def may_be_archive(path: Path, name: str) -> bool:
    """Whether a file begins as archives do; a document may, too."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
    return head.startswith((b"PK\x03\x04", _END)) or _is_mailbox(head, name)


def unpack(path: Path, name: str, into: Path, limits: ArchiveLimits) -> Contents | None:
    """Take everything out, into files named by their numbers; None: it is no archive.

    Raises:
        DocumentError: A limit was passed, or there is nothing in it.
    """
    kind = _kind_of(path, name, limits)
    if kind is None:
        return None
    run = _Run(into, limits, path.stat().st_size)
    kind(run, path, "", 1)
    if not run.found.members:
        raise DocumentError("empty", f"{name} holds no files. Bring the complete archive.")
    return run.found


_Kind = Callable[["_Run", Path, str, int], None]


def _kind_of(path: Path, name: str, limits: ArchiveLimits) -> _Kind | None:
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if head.startswith((b"PK\x03\x04", _END)):
        return _zip if _is_folder(path, limits) else None
    if _is_mailbox(head, name):
        return _mailbox
    return None


class _Run:
    """One archive being taken apart, with those inside it: they share its limits."""

    def __init__(self, into: Path, limits: ArchiveLimits, size: int) -> None:
        self.limits, self.found = limits, Contents()
        self._into, self._numbers = into, itertools.count()
        self._unpacked = 0
        self._most = min(limits.max_unpacked_mib << 20, max(_FREE_BYTES, size * limits.max_ratio))
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
            if self._unpacked > self._most:
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
        kind = _kind_of(inner, name, self.limits) if inner.stat().st_size else None
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


def _zip(run: _Run, path: Path, prefix: str, depth: int) -> None:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise _broken(error) from error
    with archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            run.count_file()
            place = safe_path(_decoded(info))
            if place is None or _is_link(info):
                run.found.left_out += 1
                continue
            _take_zipped(run, archive, info, prefix + place, depth)


def _take_zipped(
    run: _Run, archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, depth: int
) -> None:
    if info.flag_bits & 1:
        run.fail(path, "encrypted: it needs a password. Unpack it with its program and ingest it.")
    elif info.compress_type not in _METHODS:
        run.fail(path, f"packed by a method ({info.compress_type}) that is not read here")
    else:
        try:
            with archive.open(info) as file:
                run.take(path, path.rpartition("/")[2], _blocks(file), _time(info), depth)
        except TooLarge as error:
            run.fail(path, str(error))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as e:
            if isinstance(e, OSError) and e.errno is not None:  # the disk, not the archive
                raise
            run.fail(path, f"damaged inside the archive ({e}); bring an intact copy")


def _is_folder(path: Path, limits: ArchiveLimits) -> bool:
    """Whether a ZIP file is a folder; its list of files is bounded before it is read."""
    _bound_directory(path, limits)
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False  # the parser says what is wrong with it
    return names.isdisjoint(_DOCUMENTS)


def _bound_directory(path: Path, limits: ArchiveLimits) -> None:
    """Raises DocumentError: the list of files itself is too long."""
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - (1 << 16) - 64))
        tail = file.read()
        place = tail.rfind(_END)
        if place < 0 or len(tail) < place + 22:
            return
        (length,) = struct.unpack_from("<I", tail, place + 12)
        locator = tail.rfind(_LOCATOR_64, 0, place)
        if locator >= 0 and len(tail) >= locator + 20:
            (offset,) = struct.unpack_from("<Q", tail, locator + 8)
            if offset < size:
                file.seek(offset)
                end = file.read(56)
                if end.startswith(_END_64) and len(end) == 56:
                    (length,) = struct.unpack_from("<Q", end, 40)
    if length > limits.max_members * _DIRECTORY_BYTES + (1 << 16):
        raise DocumentError(
            "bomb",
            f"The archive's list of files has {length >> 20} MiB: more than "
            f"{limits.max_members} files take. Split it, or raise archives.max_members.",
        )


def _mailbox(run: _Run, path: Path, prefix: str, depth: int) -> None:
    """Each message by the hash of its bytes: the others keep theirs when one goes."""
    known: set[str] = set()
    for begin, end in _messages(path):
        run.count_file()
        with path.open("rb") as file:
            file.seek(begin)
            head = file.read(min(_HEAD, end - begin))
        key = _hash_of(path, begin, end)[:16]
        if key in known:
            continue
        known.add(key)
        name = f"{_subject(head) or 'message'}.eml"
        place = f"{prefix}{key}.eml"
        try:
            # Not `take`: a message is a message, whatever its text looks like.
            run.keep(place, name, run.write(_range(path, begin, end)))
        except TooLarge as error:
            run.fail(place, str(error))


def _is_mailbox(head: bytes, name: str) -> bool:
    first, _, rest = head.partition(b"\n")
    is_start = _SEPARATOR.match(first) is not None and _HEADER.match(rest) is not None
    return is_start and not name.lower().endswith((".eml", ".txt", ".md"))


def _messages(path: Path) -> Iterator[tuple[int, int]]:
    """Where each message begins and ends, without the line that separates them."""
    begin: int | None = None
    place, after_blank = 0, True
    with path.open("rb") as file:
        while line := file.readline(_BLOCK):
            if after_blank and _SEPARATOR.match(line):
                if begin is not None and place > begin:
                    yield begin, place
                begin = place + len(line)
            after_blank = line in {b"\n", b"\r\n"}
            place += len(line)
    if begin is not None and place > begin:
        yield begin, place


def _range(path: Path, begin: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(begin)
        while begin < end and (block := file.read(min(_BLOCK, end - begin))):
            begin += len(block)
            yield block


def _hash_of(path: Path, begin: int, end: int) -> str:
    digest = sha256()
    for block in _range(path, begin, end):
        digest.update(block)
    return digest.hexdigest()


def _subject(head: bytes) -> str:
    found = re.search(rb"(?im)^subject:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*){0,10})", head)
    if found is None:
        return ""
    raw = found.group(1)[:1_000].decode("utf-8", "replace")
    try:
        text = str(make_header(decode_header(" ".join(raw.split()))))
    except (ValueError, LookupError):  # an encoding that is none
        text = raw
    return _safe_part(text)[:_MAX_NAME].strip()


def safe_path(name: str) -> str | None:
    """A path within an archive that can't lead out of it; None: what it names is left out.

    Drives, roots and ".." go, and so do characters that no file name should have. Hidden files
    and what programs put beside the files are left out.
    """
    parts = [_safe_part(part) for part in re.split(r"[/\\]+", name)]
    parts = [part for part in parts if part not in {"", ".", ".."}]
    if not parts or any(is_hidden(part) or part == "__MACOSX" for part in parts):
        return None
    return "/".join(part[-_MAX_NAME:] for part in parts)


def _safe_part(part: str) -> str:
    part = unicodedata.normalize("NFC", part)
    part = "".join(c for c in part if unicodedata.category(c) not in {"Cc", "Cf", "Cs", "Co"})
    return re.sub(r'[<>:"|?*/\\]', "_", part).strip()


def _decoded(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: many programs write UTF-8 without saying so."""
    if info.flag_bits & 0x800:
        return info.filename
    try:
        return info.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.filename


def _is_link(info: zipfile.ZipInfo) -> bool:
    return (info.external_attr >> 16) & 0o170000 == 0o120000


def _time(info: zipfile.ZipInfo) -> datetime | None:
    try:
        return datetime(*info.date_time, tzinfo=UTC)
    except ValueError:
        return None


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _broken(error: Exception) -> DocumentError:
    return DocumentError("broken", f"The archive is damaged ({error}). Bring an intact copy.")
