"""Files that an Office document carries inside: a workbook, a PDF, whatever was dropped in."""

import io
import posixpath
from collections.abc import Iterator

import olefile  # type: ignore[import-untyped]  # the package has no types

from ingest.parse.document.attachments import Inner, stored
from ingest.parse.office.package import Package

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_KINDS = {"oleObject", "package", "subDocument"}
_NATIVE = "\x01Ole10Native"
_WHOLE = ("WordDocument", "Workbook", "Book", "PowerPoint Document", "EncryptedPackage")


def embedded(package: Package, *members: str) -> Iterator[Inner]:
    """The files embedded in parts of a document; links to files elsewhere are left alone."""
    seen: set[str] = set()
    for member in members:
        for relation in package.relations(member):
            if relation.kind not in _KINDS or relation.external or relation.target in seen:
                continue
            seen.add(relation.target)
            data = package.bytes(relation.target)
            found = payload(data, posixpath.basename(relation.target)) if data else None
            if found is not None:
                yield stored(*found)


def payload(data: bytes, name: str) -> tuple[str, bytes] | None:
    """Name and bytes of the file in an embedded object; None where it is a picture or control."""
    if not data.startswith(_OLE):
        return name, data
    try:
        with olefile.OleFileIO(io.BytesIO(data)) as container:
            return _from_container(container, name, data)
    except Exception:  # olefile lets its reading errors through, of many classes
        return None


def _from_container(
    container: olefile.OleFileIO, name: str, data: bytes
) -> tuple[str, bytes] | None:
    streams = {entry[0]: entry for entry in container.listdir() if len(entry) == 1}
    if any(stream in streams for stream in _WHOLE):
        return name, data
    if any(entry[0].startswith("__substg1.0_") for entry in container.listdir()):
        return name, data
    for stream in ("Package", "CONTENTS", "EmbeddedOdf"):
        if stream in streams:
            return name, container.openstream(stream).read()
    if _NATIVE in streams:
        return _native(container.openstream(_NATIVE).read())
    return None


def _native(data: bytes) -> tuple[str, bytes] | None:
    """The file in an "Ole10Native" stream: its size, two marks, label, path, then the bytes."""
    at = 6
    label, at = _text(data, at)
    _, at = _text(data, at)
    at += 4
    size = int.from_bytes(data[at : at + 4], "little")
    _, at = _text(data[: at + 4 + size], at + 4)
    size = int.from_bytes(data[at : at + 4], "little")
    content = data[at + 4 : at + 4 + size]
    return (posixpath.basename(label.replace("\\", "/")) or "file", content) if content else None


def _text(data: bytes, at: int) -> tuple[str, int]:
    end = data.index(b"\0", at)
    return data[at:end].decode("cp1252", "replace"), end + 1


def embedded_in_ole(container: olefile.OleFileIO) -> Iterator[Inner]:
    """The files embedded in an old workbook: each is a storage of its own, "MBD" and a number."""
    storages: dict[str, set[str]] = {}
    for entry in container.listdir():
        if len(entry) == 2 and entry[0].startswith("MBD"):
            storages.setdefault(entry[0], set()).add(entry[1])
    for storage, streams in sorted(storages.items()):
        for stream in ("Package", "CONTENTS", "EmbeddedOdf"):
            if stream in streams:
                yield stored(storage, container.openstream([storage, stream]).read())
        if _NATIVE in streams:
            found = _native(container.openstream([storage, _NATIVE]).read())
            if found is not None:
                yield stored(*found)
