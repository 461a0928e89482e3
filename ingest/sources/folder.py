"""Files and folders on disk: what counts as a document there, and what is left out."""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ingest.sources import posix, sidecar
from ingest.sources.beside import beside, parted
from ingest.sources.source import Entry, LeftOut, Listing, Sidecar
from sovereign_rag.errors import BadInput, DocumentError, EnvironmentFault

_LEFT_OUT = {"Thumbs.db", "desktop.ini"}
_BLOCK = 1 << 20
_SETTLED_S = 2.0  # a file this young may change again within the clock's tick


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file to be ingested."""

    path: Path  # absolute, as it was reached; of a link that was named, where it leads
    uri: str  # "file://" and the absolute path, unescaped, so that a person can read it
    modified: float  # seconds since the epoch
    beside: Path | None = None  # its `.meta.json`


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """What is to be taken in, and what of it is not looked into."""

    files: tuple[FoundFile, ...]  # by URI, none twice
    left_out: tuple[Path, ...]  # hidden files and folders, and links; a folder stands for its own


def find_files(paths: Sequence[Path]) -> FoundFiles:
    """The files named, and those in the folders named, recursively.

    Hidden files and folders, editors' lock files and what a symbolic link inside a folder leads to
    are left out: a link could lead anywhere. A file that is named itself is taken as it is.

    Raises:
        BadInput: A path does not exist, or there is nothing to ingest at all.
    """
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise BadInput(f"Not there: {', '.join(missing)}. Check the spelling.")
    found: dict[str, FoundFile] = {}
    left_out: list[Path] = []
    for path in paths:
        for file in _files(path, left_out) if path.is_dir() else [path]:
            absolute = Path(os.path.abspath(file))
            uri = file_uri(absolute)
            # A link that was named is meant; one that takes a file's place later is not followed.
            there = absolute.resolve() if absolute.is_symlink() else absolute
            found[uri] = FoundFile(there, uri, file.stat().st_mtime, beside(there))
    for taken in list(found.values()):
        if taken.beside is not None:
            found.pop(file_uri(taken.beside), None)
    if not found:
        hidden = f" ({len(left_out)} hidden ones or links were left out)" if left_out else ""
        raise BadInput(f"No files in {', '.join(str(path) for path in paths)}{hidden}.")
    return FoundFiles(tuple(found[uri] for uri in sorted(found)), tuple(left_out))


def file_uri(path: Path) -> str:
    """How a file is known in the catalog; `path` is absolute."""
    return f"file://{path}"


class FolderFiles:
    """A folder as a source; each file is a document, a `.access.yaml` says who may read."""

    kind = "folder"
    facts_key = None

    def __init__(
        self,
        name: str,
        root: Path,
        *,
        honours_posix: bool = False,
        sidecars: bool = True,
        own: Sequence[Path] = (),
    ) -> None:
        """`own` are folders of the product itself, which are never documents."""
        self.name = name
        self.root = Path(os.path.abspath(root))
        self._honours_posix, self._sidecars = honours_posix, sidecars
        self._own = {os.path.realpath(path) for path in own}

    @property
    def prefix(self) -> str:
        return file_uri(self.root).rstrip("/") + "/"

    def list(self) -> Listing:
        if not self.root.is_dir():
            raise EnvironmentFault(
                f"The folder {self.root} is not there. If it is a mounted one, mount it; if it is "
                "gone for good, delete its documents with `sovereign-rag documents delete`."
            )
        posix.forget_names()
        look = _Look(self.root, self._own)
        above = posix.folders_above(self.root) if self._honours_posix else ()
        try:
            look.into(self.root, "", above)
        except OSError as error:
            raise EnvironmentFault(
                f"The folder {self.root} can't be listed: {error.strerror}. Give this user the "
                "right to read it, or see to the disk it is on."
            ) from error
        entries, files, alone = parted(look.entries)
        return Listing(
            entries=tuple(sorted(entries, key=lambda entry: entry.key)),
            sidecars=tuple(look.sidecars) if self._sidecars else (),
            beside=files,
            left_out=(*look.left_out, *alone),
            unseen=tuple(look.unseen),
        )

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        assert entry.path is not None
        try:
            # No link is followed, not even one that took the file's place after the listing.
            handle = os.open(entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                while block := file.read(_BLOCK):
                    yield block
        except OSError as error:
            raise DocumentError(
                "unreadable",
                f"{entry.path} can't be read ({error.strerror}); give this user the right to.",
            ) from error

    def facts(self, entry: Entry) -> tuple[str, ...]:
        return ()

    def __enter__(self) -> "FolderFiles":
        return self

    def __exit__(self, *exception: object) -> None:
        pass


class _Look:
    """One look through a folder."""

    def __init__(self, root: Path, own: set[str]) -> None:
        self._root, self._own, self._now = root, own, time.time()
        self.entries: list[Entry] = []
        self.sidecars: list[Sidecar] = []
        self.left_out: list[LeftOut] = []
        self.unseen: list[str] = []

    def into(self, folder: Path, key: str, above: tuple[posix.FileMode, ...]) -> None:
        """Look at everything in `folder`; OSError where it can't be listed.

        Folders wait on a list of our own: a deep tree must not exhaust the stack. No link is
        followed, so there are no loops.
        """
        waiting = [(folder, key, above)]
        while waiting:
            folder, key, above = waiting.pop()
            try:
                found = sorted(os.scandir(folder), key=lambda item: item.name)
            except OSError:
                if not key:
                    raise
                self._left_out(key, "unreadable")
                self.unseen.append(key)
                continue
            for item in found:
                below = f"{key}/{item.name}" if key else item.name
                child = self._item(item, key, below, above)
                if child is not None:
                    waiting.append(child)

    def _item(
        self, item: "os.DirEntry[str]", folder: str, key: str, above: tuple[posix.FileMode, ...]
    ) -> "tuple[Path, str, tuple[posix.FileMode, ...]] | None":
        """Take in one thing that a folder holds; returns it if it is a folder to look into."""
        path = Path(item.path)
        if item.name in {sidecar.NAME, sidecar.MISNAMED}:
            self.sidecars.append(_sidecar(path, folder))
        elif item.is_symlink():
            self._left_out(key, "link")
        elif is_hidden(item.name):
            self._left_out(key, "hidden")
        else:
            try:
                status = item.stat(follow_symlinks=False)
            except OSError:  # gone since the folder was listed
                return None
            if stat.S_ISDIR(status.st_mode):
                if os.path.realpath(path) in self._own:
                    self._left_out(key, "of this product")
                    return None
                inner = (*above, posix.mode_of(path, status)) if above else ()
                return path, key, inner
            if not stat.S_ISREG(status.st_mode):
                self._left_out(key, "special")
                return None
            readers = posix.readers_of(posix.mode_of(path, status), above) if above else None
            self.entries.append(self._entry(path, key, status, readers))
        return None

    def _entry(
        self, path: Path, key: str, status: os.stat_result, readers: frozenset[str] | None
    ) -> Entry:
        young = abs(self._now - status.st_mtime) < _SETTLED_S
        return Entry(
            key=key,
            uri=file_uri(path),
            name=path.name,
            stamp="" if young else f"{status.st_mtime_ns}:{status.st_size}",
            size=status.st_size,
            modified=datetime.fromtimestamp(status.st_mtime, UTC),
            path=path,
            readers=readers,
        )

    def _left_out(self, key: str, reason: str) -> None:
        self.left_out.append(LeftOut(key, reason))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of that name is no document: hidden, a lock, a desktop's own."""
    return name.startswith((".", "~$")) or name in _LEFT_OUT


def _sidecar(path: Path, folder: str) -> Sidecar:
    if path.name == sidecar.MISNAMED:
        return Sidecar(folder, problem=f"{path.name} is not looked into; name it {sidecar.NAME}")
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            return Sidecar(folder, file.read(sidecar.MAX_BYTES + 1))
    except OSError as error:
        why = "it is a link" if path.is_symlink() else str(error.strerror)
        return Sidecar(folder, problem=f"it can't be read: {why}; make it a plain, readable file")


def _files(folder: Path, left_out: list[Path]) -> Iterator[Path]:
    for root, folders, files in os.walk(folder, followlinks=False):
        seen = [Path(root, name) for name in sorted(folders)]
        taken = [path for path in seen if not is_hidden(path.name) and not path.is_symlink()]
        left_out += [path for path in seen if path not in taken]
        folders[:] = [path.name for path in taken]
        for path in (Path(root, name) for name in sorted(files)):
            if not is_hidden(path.name) and path.is_file() and not path.is_symlink():
                yield path
            else:
                left_out.append(path)
