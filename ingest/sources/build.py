"""Which source a person means, and its section of the settings made into one."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.sources.access import AccessOrigin, Policy
from ingest.sources.folder import FolderFiles
from ingest.sources.source import DocumentSource
from sovereign_rag.access import DEFAULT_TENANT, parse_readers
from sovereign_rag.catalog.sources import SourceRecord
from sovereign_rag.errors import BadInput, NotFound
from sovereign_rag.settings import (
    AnySource,
    FolderSource,
    ImapSource,
    ReaderSource,
    S3Source,
    Settings,
)


@dataclass(frozen=True, slots=True)
class NamedSource:
    """A source with the name that its state is kept under."""

    name: str  # of its section; of a folder without one, its path
    section: AnySource
    in_settings: bool


def chosen(
    wanted: str, settings: Settings, known: Sequence[SourceRecord], tenant: str = DEFAULT_TENANT
) -> NamedSource:
    """The source that a person means by a name or by the path of a folder.

    A folder that a section of the settings names is that source.

    Raises:
        NotFound: It is neither the name of a source nor a folder.
        BadInput: It lies in a folder that is a source of its own, or the other way round.
    """
    if wanted in settings.sources:
        return NamedSource(wanted, settings.sources[wanted], in_settings=True)
    if "/" not in wanted and not Path(wanted).exists():
        named = ", ".join(sorted(settings.sources)) or "none"
        raise NotFound(
            f"{wanted!r} is neither a folder nor a source; [sources.NAME] sections: {named}."
        )
    path = Path(os.path.abspath(Path(wanted).expanduser()))
    if path.is_file():
        raise BadInput(f"{path} is a file. Sync its folder, or use `sovereign-rag ingest {path}`.")
    for name, section in settings.sources.items():
        if isinstance(section, FolderSource) and _absolute(section.path) == path:
            return NamedSource(name, section, in_settings=True)
    record = next((r for r in known if (r.tenant, r.name) == (tenant, str(path))), None)
    options = dict(record.options) if record is not None else {}
    section = FolderSource.model_validate(
        {**options, "kind": "folder", "path": path, "tenant": tenant}
    )
    return NamedSource(str(path), section, in_settings=False)


def refuse_overlap(source: NamedSource, settings: Settings, known: Sequence[SourceRecord]) -> None:
    """Two sources with the same files would undo each other's rights and deletions.

    Raises:
        BadInput: Another folder source lies within this one, or around it.
    """
    if not isinstance(source.section, FolderSource):
        return
    mine = _absolute(source.section.path)
    others = {
        name: _absolute(section.path)
        for name, section in settings.sources.items()
        if isinstance(section, FolderSource) and section.tenant == source.section.tenant
    }
    others |= {
        record.name: Path(record.name)
        for record in known
        if record.kind == "folder"
        and record.tenant == source.section.tenant
        and record.name.startswith("/")
    }
    for name, path in others.items():
        if name == source.name or (source.in_settings and name == str(mine)):
            continue  # it was synced by its path before it had a section
        if path == mine or path in mine.parents or mine in path.parents:
            raise BadInput(
                f"{mine} and the source {name!r} ({path}) hold the same files, and would undo each "
                f"other's work. Sync {name!r}, or forget it: `sovereign-rag sources forget {name}`."
            )


def policy_of(section: AnySource) -> Policy:
    """Who may read what the source holds, as the settings say it."""
    metadata = section.metadata if isinstance(section, S3Source | ReaderSource) else None
    honours = AccessOrigin.METADATA if metadata is not None else None
    if isinstance(section, FolderSource) and section.access == "posix":
        honours = AccessOrigin.POSIX
    readers = parse_readers(section.readers)
    return Policy(
        readers=readers or None,
        level=section.level,
        paths=tuple((pattern, parse_readers(labels)) for pattern, labels in section.paths.items()),
        honours=honours,
        metadata=metadata,
    )


def open_source(source: NamedSource, settings: Settings) -> DocumentSource:
    """The source itself; nothing is connected to before it is listed.

    Raises:
        SettingsError: A secret's file can't be read, or a class isn't installed.
    """
    section = source.section
    match section:
        case FolderSource():
            return FolderFiles(
                source.name,
                _absolute(section.path),
                honours_posix=section.access == "posix",
                sidecars=section.sidecars,
                own=[settings.data_dir, settings.models_dir],
            )
        case S3Source():
            from ingest.sources.s3 import Bucket

            return Bucket(source.name, section)
        case ImapSource():
            from ingest.sources.imap import Mailbox

            return Mailbox(source.name, section, max_bytes=settings.parse.max_file_mib << 20)
        case ReaderSource():
            from ingest.sources.reader import ReaderDocuments

            return ReaderDocuments(source.name, section)


def all_sources(settings: Settings) -> Mapping[str, NamedSource]:
    """Those that the settings name."""
    return {
        name: NamedSource(name, section, in_settings=True)
        for name, section in settings.sources.items()
    }


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path.expanduser()))
