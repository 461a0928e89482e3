"""A LlamaIndex reader that the settings name; each document that it loads is one of ours.

Only classes that are installed are used: a name is imported, never fetched. What a reader does
when it loads is its own; give it addresses inside your network alone.
"""

import tempfile
from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from ingest.sources.source import Entry, Listing
from sovereign_rag.errors import DocumentError, EnvironmentFault, SettingsError
from sovereign_rag.settings import ReaderSource
from sovereign_rag.settings.sources import secret

if TYPE_CHECKING:
    from llama_index.core.schema import Document

_BLOCK = 1 << 20


class ReaderDocuments:
    """What a reader loads, as a source. Its texts wait on the disk until they are taken in."""

    kind = "llama_index"

    def __init__(self, name: str, section: ReaderSource) -> None:
        self.name = name
        self._section = section
        self._folder = tempfile.TemporaryDirectory(prefix="sovereign-rag-")
        self._facts: dict[str, tuple[str, ...]] = {}
        self._places: dict[str, Path] = {}  # where the texts wait

    @property
    def prefix(self) -> str:
        return f"{self.name}:"

    @property
    def facts_key(self) -> str | None:
        return None if self._section.metadata is None else self._section.metadata.key

    def list(self) -> Listing:
        # LlamaIndex takes seconds to import: only where a source needs it.
        from ingest.sources.llama_index import identified

        entries: list[Entry] = []
        for number, (identity, name, modified, document) in enumerate(identified(self._load())):
            data = document.get_content().encode("utf-8", "replace")
            place = Path(self._folder.name) / str(number)
            try:
                place.write_bytes(data)
            except OSError as error:
                raise EnvironmentFault(
                    f"{place} can't be written: {error.strerror}. Is the disk full?"
                ) from error
            key = identity.lstrip("/")
            self._facts[key] = self._values(document.metadata)
            entries.append(
                Entry(
                    key=key,
                    uri=f"{self.prefix}{identity}",
                    name=name,
                    # The metadata is no part of the content and may say who reads it.
                    stamp=sha256(data).hexdigest() + "".join(self._facts[key]),
                    size=len(data),
                    modified=modified,
                    path=None,
                )
            )
            self._places[key] = place
        return Listing(entries=tuple(entries))

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        place = self._places.get(entry.key)
        if place is None:
            raise DocumentError("missing", f"{entry.key} was not loaded.")
        with place.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block

    def facts(self, entry: Entry) -> tuple[str, ...]:
        return self._facts.get(entry.key, ())

    def _values(self, metadata: Mapping[str, object]) -> tuple[str, ...]:
        if self._section.metadata is None:
            return ()
        value = metadata.get(self._section.metadata.key)
        if isinstance(value, list | tuple | set | frozenset):
            return tuple(sorted(str(part).strip() for part in value))
        return tuple(part.strip() for part in str(value or "").split(",") if part.strip())

    def _load(self) -> "Iterator[Document]":
        from ingest.sources.llama_index import load

        section = self._section
        arguments = dict(section.arguments) | {
            key: secret(None, file, what=f"sources.{self.name}.secrets.{key}")
            for key, file in section.secrets.items()
        }
        try:
            reader = _class(section.reader, self.name)(**arguments)
        except (TypeError, ValueError) as error:
            raise SettingsError(
                f"sources.{self.name}: {section.reader} does not take these arguments: {error}."
            ) from error
        return load(reader, section.load)

    def __enter__(self) -> "ReaderDocuments":
        return self

    def __exit__(self, *exception: object) -> None:
        self._folder.cleanup()


def _class(path: str, source: str) -> type:
    """The class that a dotted name means. Raises SettingsError: it is not installed, or none."""
    from llama_index.core.readers.base import BaseReader

    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name, None)
    except ImportError as error:
        raise SettingsError(
            f"sources.{source}: {module} is not installed ({error}). Install the reader's package, "
            f"e.g. pip install llama-index-readers-…, or mend `reader`."
        ) from error
    if not (isinstance(found, type) and issubclass(found, BaseReader)):
        raise SettingsError(f"sources.{source}: {path} is no reader of LlamaIndex; mend `reader`.")
    return found
