"""ZIP files as folders."""

import struct
import zipfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ingest.parse.archive.run import ArchiveLimits, Run, blocks_of, broken, safe_path
from sovereign_rag.errors import DocumentError, TooLarge

STARTS = (b"PK\x03\x04", b"PK\x05\x06")

_DIRECTORY_BYTES: Final = 400  # of the list of files, for each that is allowed
_METHODS: Final = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}
_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_LOCATOR_64 = b"PK\x06\x07"
_DOCUMENTS = (
    *("[Content_Types].xml", "mimetype", "META-INF/MANIFEST.MF", "Index/Document.iwa", "Index.zip"),
    *("index.apxl", "index.xml.gz", "buildVersionHistory.plist"),
    "Metadata/BuildVersionHistory.plist",
)
"""A ZIP file with one of these is a document or a program, not a folder."""


def take_zip(run: Run, path: Path, prefix: str, depth: int) -> None:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise broken(error) from error
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
    run: Run, archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: str, depth: int
) -> None:
    if info.flag_bits & 1:
        run.fail(path, "encrypted: it needs a password. Unpack it with its program and ingest it.")
    elif info.compress_type not in _METHODS:
        run.fail(path, f"packed by a method ({info.compress_type}) that is not read here")
    else:
        try:
            with archive.open(info) as file:
                run.take(path, path.rpartition("/")[2], blocks_of(file), _time(info), depth)
        except TooLarge as error:
            run.fail(path, str(error))
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as e:
            if isinstance(e, OSError) and e.errno is not None:  # the disk, not the archive
                raise
            run.fail(path, f"damaged inside the archive ({e}); bring an intact copy")


def is_folder(path: Path, limits: ArchiveLimits) -> bool:
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
