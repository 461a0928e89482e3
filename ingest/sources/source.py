"""What a source is to a sync: a list of what it holds now, and the bytes of what is new in it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, an object or a message, as the listing tells it."""

    key: str  # its path within the source, "/" between folders
    uri: str
    name: str  # as a person knows it
    stamp: str  # never the same again once the content has changed; "" where nothing is known
    size: int | None = None
    modified: datetime | None = None
    path: Path | None = None  # where it is a file of this machine
    readers: frozenset[str] | None = None  # of the place itself: POSIX; None: it doesn't say


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A `.access.yaml` that was found; `problem` where it could not be read."""

    folder: str  # key of its folder, "" for the source itself
    data: bytes = b""
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that the source holds and that is no document, with the reason."""

    key: str
    reason: str  # a stable word: "hidden", "link", "special", "unreadable", ...


@dataclass(frozen=True, slots=True)
class Listing:
    """Everything that a source holds at one moment."""

    entries: tuple[Entry, ...]
    sidecars: tuple[Sidecar, ...] = ()
    beside: Mapping[str, Entry] = field(default_factory=dict)  # `.meta.json`, by document's key
    left_out: tuple[LeftOut, ...] = ()
    unseen: tuple[str, ...] = ()  # folders that could not be looked into: nothing there is deleted
    checkpoint: Mapping[str, object] = field(default_factory=dict)


class DocumentSource(Protocol):
    """One place that documents come from. A context manager: it is closed after each sync."""

    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def prefix(self) -> str:
        """The beginning of the URIs of all its documents, and of no other's."""
        ...

    def list(self) -> Listing:
        """What is there now.

        Raises:
            EnvironmentFault: The place can't be reached; nothing is known of what it holds.
        """
        ...

    def blocks(self, entry: Entry) -> Iterator[bytes]:
        """The bytes of an entry.

        Raises:
            DocumentError: This entry can't be read, or isn't there any more.
            EnvironmentFault: The place can't be reached any more.
        """
        ...

    def facts(self, entry: Entry) -> tuple[str, ...]:
        """The values of the metadata field that says who may read; asked for what is new."""
        ...

    @property
    def facts_key(self) -> str | None:
        """The name of that field; None: the metadata says nothing of readers."""
        ...

    def __enter__(self) -> "DocumentSource": ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
