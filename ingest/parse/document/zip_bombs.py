"""Zip containers (DOCX, XLSX, ODT, EPUB, ...) are weighed before any parser unpacks them."""

import zipfile
from pathlib import Path

from sovereign_rag.errors import DocumentError

_MAX_MEMBERS = 10_000
_MAX_TOTAL_BYTES = 512 << 20
_MAX_RATIO = 200  # of a member, once it is larger than the next figure
_RATIO_FROM_BYTES = 10 << 20


def starts_like_zip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) == b"PK\x03\x04"


def check_zip(path: Path) -> None:
    """Refuse a container that unpacks to far more than it is, or outside its folder.

    Raises:
        DocumentError: "bomb", "broken" or "encrypted".
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise DocumentError(
            "broken",
            "The file is a damaged zip container. Bring an intact copy, or save it anew in the "
            "program that wrote it.",
        ) from error
    if len(members) > _MAX_MEMBERS or sum(m.file_size for m in members) > _MAX_TOTAL_BYTES:
        raise _bomb(f"{len(members)} parts, {sum(m.file_size for m in members) >> 20} MiB")
    for member in members:
        ratio = member.file_size / max(1, member.compress_size)
        if member.file_size > _RATIO_FROM_BYTES and ratio > _MAX_RATIO:
            raise _bomb(f"one part grows {ratio:.0f} times, to {member.file_size >> 20} MiB")
        steps = member.filename.replace("\\", "/").split("/")
        if member.filename.startswith(("/", "\\")) or ".." in steps:
            raise DocumentError(
                "bomb",
                "The file names parts outside itself, which no office program writes. Treat it "
                "as hostile, or save it anew in the program that wrote it.",
            )
        if member.flag_bits & 1:
            raise DocumentError(
                "encrypted",
                "The file is protected by a password. Save it without one and ingest it again.",
            )


def _bomb(size: str) -> DocumentError:
    return DocumentError(
        "bomb",
        f"The file unpacks to far more than it is ({size}). If it is genuine, save it as PDF or "
        "split it.",
    )
