"""Archives as folders: the files in a ZIP, a tar or a 7z, the messages of a mailbox, one by one.

What an archive says of itself is not believed. Bytes are counted as they come out, over the
whole archive and those inside it; the list of its files is bounded before it is read; names can't
lead out of the archive. One that goes beyond a limit is one failed document.

It is opened in a confined process, as every document is: the files go into its scratch folder.
"""

from pathlib import Path

from ingest.parse.archive import mailbox, tarred, zipped
from ingest.parse.archive.run import (
    ArchiveLimits,
    Contents,
    Kind,
    Run,
    UnpackedFile,
    safe_path,
)
from sovereign_rag.errors import DocumentError

__all__ = ["ArchiveLimits", "Contents", "UnpackedFile", "may_be_archive", "safe_path", "unpack"]

_HEAD = 64 * 1024
_SEVEN = b"7z\xbc\xaf\x27\x1c"


def may_be_archive(path: Path, name: str) -> bool:
    """Whether a file begins as archives do; a document may, too."""
    head = _head(path)
    starts = (*zipped.STARTS, *tarred.STARTS, _SEVEN)
    return head.startswith(starts) or tarred.is_tar(head) or mailbox.is_mailbox(head, name)


def unpack(path: Path, name: str, into: Path, limits: ArchiveLimits) -> Contents | None:
    """Take everything out, into files named by their numbers; None: it is no archive.

    Raises:
        DocumentError: A limit was passed, or there is nothing in it.
    """
    kind = _kind_of(path, name, limits)
    if kind is None:
        return None
    run = Run(into, limits, path.stat().st_size, _kind_of)
    kind(run, path, "", 1)
    if not run.found.members:
        raise DocumentError("empty", f"{name} holds no files. Bring the complete archive.")
    return run.found


def _kind_of(path: Path, name: str, limits: ArchiveLimits) -> Kind | None:
    head = _head(path)
    if head.startswith(zipped.STARTS):
        return zipped.take_zip if zipped.is_folder(path, limits) else None
    if head.startswith(_SEVEN):
        from ingest.parse.archive.seven import take_seven  # its library takes a while to import

        return take_seven
    if head.startswith(tarred.STARTS) or tarred.is_tar(head):
        return tarred.named(name)
    return mailbox.take_mailbox if mailbox.is_mailbox(head, name) else None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)
