"""The contents of documents in a backup: of the data folder, or of a bucket that machines share.

Both are told of in the same way, by hash: what was copied from a bucket is restored into a folder
as well, and the other way round.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from sovereign_rag.backup.repository import PieceWriter
from sovereign_rag.backup.units import file_unit, folder_unit
from sovereign_rag.errors import BadInput
from sovereign_rag.models.manifest import hash_file
from sovereign_rag.settings import Settings
from sovereign_rag.storage.objects import Objects


class StoredContents(Protocol):
    """Where a backup finds them."""

    def unit(self, writer: PieceWriter, content_hash: str) -> dict[str, Any] | None:
        """Put a content into pieces; None: it is gone."""
        ...

    def keys(self, writer: PieceWriter) -> Iterator[dict[str, Any]]:
        """The tenants' keys, which are wrapped."""
        ...


def contents_of(settings: Settings) -> StoredContents:
    """Where the settings say that contents are kept."""
    if settings.content.url is None:
        return _Folder(settings.data_dir / "content")
    return _Bucket(Objects(settings.content), settings.data_dir)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def unit(self, writer: PieceWriter, content_hash: str) -> dict[str, Any] | None:
        below = _below(content_hash)
        return folder_unit(writer, self._folder / below, f"content/{below}")

    def keys(self, writer: PieceWriter) -> Iterator[dict[str, Any]]:
        for path in sorted((self._folder / "keys").glob("*.json")):
            yield file_unit(writer, path, f"content/keys/{path.name}", None)


class _Bucket:
    """Its objects, fetched one content at a time."""

    def __init__(self, objects: Objects, data_dir: Path) -> None:
        self._objects, self._data_dir = objects, data_dir

    def unit(self, writer: PieceWriter, content_hash: str) -> dict[str, Any] | None:
        below = _below(content_hash)
        with self._fetched(f"{below}/") as name:
            return folder_unit(writer, Path(name) / below, f"content/{below}")

    def keys(self, writer: PieceWriter) -> Iterator[dict[str, Any]]:
        with self._fetched("keys/") as name:
            yield from _Folder(Path(name)).keys(writer)

    def _fetched(self, below: str) -> "TemporaryDirectory[str]":
        """The objects below a prefix, in a folder that goes again."""
        folder = TemporaryDirectory(dir=self._data_dir, prefix=".backup-")
        try:
            for key, _ in self._objects.listed(below):
                path = Path(folder.name) / key
                path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._objects.fetch(key, path)  # one that was removed since is left out
        except BaseException:
            folder.cleanup()
            raise
        return folder


def require_empty_bucket(settings: Settings) -> None:
    """Raises BadInput where contents are to go into a bucket that holds some."""
    if settings.content.url is None:
        return
    if next(Objects(settings.content).listed(), None) is not None:
        raise BadInput(
            f"{settings.content.url} is not empty. Name another prefix with content.url, or empty "
            "this one."
        )


def move_into_bucket(settings: Settings, contents: Path) -> None:
    """Have what was restored into a folder be in the bucket, where the settings name one.

    Raises:
        EnvironmentFault: The object storage is away, or refuses.
    """
    if settings.content.url is None:
        return
    objects = Objects(settings.content)
    for path in sorted(contents.rglob("*")):
        if path.is_file():
            key = path.relative_to(contents).as_posix()
            objects.put_file(key, path, sha256=hash_file(path))
            path.unlink()  # no copy of a key outlives its destruction; others are fetched again
    objects.close()


def _below(content_hash: str) -> str:
    return f"{content_hash[:2]}/{content_hash}"
