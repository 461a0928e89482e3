"""Sources as admins look after them: added, looked at beforehand, run, paused, with their history.

A folder that an admin adds lies below one that the settings allow, and no other source holds it:
nobody reaches files of the machine, or of another tenant, by adding a source.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final, Protocol

from pydantic import ValidationError

from sovereign_rag.access import DEFAULT_TENANT, Principal, parse_readers, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.source_plans import SourcePlan, SourceRun
from sovereign_rag.catalog.sources import SourceRecord
from sovereign_rag.errors import BadInput, Forbidden, NotFound
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.remote_sources import (
    SEALED,
    RemoteSources,
    WantedSource,
    hold_the_same,
    read_section,
)
from sovereign_rag.settings import AnySource, FolderSource, Settings
from sovereign_rag.settings.load import SOURCE_NAME
from sovereign_rag.storage.audit import AuditTrail, entry

_HISTORY: Final = 20  # syncs that are told
_MOST_CHANGES: Final = 500
_TENANT: Final = "{tenant}"


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source of a tenant."""

    name: str
    kind: str
    place: str  # the folder; of others what the settings call it
    readers: str
    level: int
    schedule: str | None
    is_added: bool  # on the console, and so can be removed there
    is_paused: bool
    is_wanted: bool  # a sync was asked for and has not begun
    record: SourceRecord | None  # None: it was never synced

    @property
    def is_running(self) -> bool:
        return self.record is not None and self.record.holder is not None


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """What a sync would do about one document."""

    change: str  # "new", "changed", "moved", "rights", "metadata", "deleted"
    uri: str
    readers: frozenset[str]  # from then on; none of what goes
    rights: tuple[tuple[frozenset[str], int], ...]  # readers and level, as they are and will be


@dataclass(frozen=True, slots=True)
class SourcePreview:
    """What a sync would do."""

    counts: Mapping[str, int]
    changes: tuple[PlannedChange, ...]
    problems: tuple[str, ...]  # files that say who may read, and are wrong


class SourcePreviewer(Protocol):
    """Looks a source through and plans a sync; the write side's.

    It tells every change: whom it may be shown to is not its to judge.
    """

    def preview(self, name: str, asker: Principal) -> SourcePreview:
        """Raises NotFound, BadInput, and EnvironmentFault where the source can't be reached."""
        ...


class SourceDesk:
    """The sources of the asker's tenant; what is done is on the record before it is."""

    def __init__(
        self,
        *,
        settings: Settings,
        catalog: Catalog,
        audit: AuditTrail,
        operations: OperationRecorder,
        previewer: Callable[[], SourcePreviewer],
        remote: RemoteSources,
    ) -> None:
        self._settings, self._catalog, self._audit = settings, catalog, audit
        self._remote = remote
        self._operations, self._previewer = operations, previewer

    def folders_of(self, tenant: str) -> tuple[Path, ...]:
        """The folders below which admins of a tenant may add sources."""
        return tuple(
            Path(folder.replace(_TENANT, tenant)).expanduser().resolve()
            for folder in self._settings.console.source_folders
            if _TENANT in folder or tenant == DEFAULT_TENANT
        )

    def addresses_of(self, tenant: str, kind: str) -> tuple[str, ...]:
        """Where admins of a tenant may add object storages ("s3") or mailboxes ("imap")."""
        return self._remote.addresses(tenant, kind)

    def all(self, asker: Principal) -> tuple[SourceView, ...]:
        """By name. Raises AuditError."""
        views = self._views(asker.tenant)
        self._audit.append(entry("sources.list", asker, {"sources": sorted(views)}))
        return tuple(views[name] for name in sorted(views))

    def one(self, name: str, asker: Principal) -> tuple[SourceView, list[SourceRun]]:
        """A source with its latest syncs, newest first. Raises NotFound, AuditError."""
        view = self._view(name, asker)
        self._audit.append(entry("source", asker, {"source": name}))
        record = view.record
        runs = self._catalog.source_plans.runs(record.id, limit=_HISTORY) if record else []
        return view, runs

    def add(
        self,
        name: str,
        folder: str,
        asker: Principal,
        *,
        readers: str = "",
        level: int = 0,
        schedule: str = "",
    ) -> None:
        """Add a folder; it is synced by its schedule, and when somebody asks.

        Raises:
            BadInput: An impossible name, folder, reader, level or schedule.
            Forbidden: The settings allow no such folder.
            AuditError: It can't be recorded; nothing is added.
        """
        self._require_name(name)
        path = self._allowed(folder, asker.tenant)
        parse_readers(readers)
        section = {
            **{"kind": "folder", "path": str(path), "tenant": asker.tenant},
            **{"readers": readers, "level": level, "schedule": schedule or None},
        }
        try:
            FolderSource.model_validate(section)
        except ValidationError as error:
            raise BadInput("; ".join(str(e["msg"]) for e in error.errors())) from error
        told = {"source": name, **section}
        with self._operations.begun("source.add", asker, told):
            self._catalog.source_plans.add(name, asker.tenant, section, asker.label)

    def add_remote(self, wanted: WantedSource, asker: Principal) -> None:
        """Add an object storage or a mailbox; its secret is sealed, and on no record.

        Raises:
            BadInput: Something about it is impossible, or another source holds the same.
            Forbidden: The settings allow no such address.
            AuditError: It can't be recorded; nothing is added.
        """
        self._require_name(wanted.name)
        parse_readers(wanted.readers)
        section = self._remote.section(wanted, asker.tenant)
        mine = read_section(section, asker.tenant, wanted.secret)
        added = self._added_sections()
        if any(hold_the_same(mine, other) for other in (*self._settings.sources.values(), *added)):
            raise BadInput(
                "Another source holds documents of this place, and both would undo each other's "
                "work. Name another one."
            )
        told = {"source": wanted.name, **{k: v for k, v in section.items() if k != SEALED}}
        with self._operations.begun("source.add", asker, told):
            self._catalog.source_plans.add(wanted.name, asker.tenant, section, asker.label)

    def remove(self, name: str, asker: Principal) -> None:
        """Remove a source that was added on the console; its documents stay.

        Raises:
            NotFound: There is no such source, or the settings name it.
            AuditError: It can't be recorded; the source stays.
        """
        view = self._view(name, asker)
        if not view.is_added:
            raise NotFound(f"{name!r} stands in the settings; take it out of them.")
        with self._operations.begun("source.forget", asker, {"source": name}):
            self._catalog.source_plans.remove(name, asker.tenant)
            if view.record is not None:
                self._catalog.sources.forget(asker.tenant, name)

    def pause(self, name: str, asker: Principal, *, is_paused: bool) -> None:
        """Leave a source alone, whatever its schedule; or not any more. Raises NotFound."""
        self._named(name, asker)
        action = "source.pause" if is_paused else "source.resume"
        self._audit.append(entry(action, asker, {"source": name}))
        self._catalog.source_plans.pause(name, asker.tenant, is_paused, asker.label)

    def run(self, name: str, asker: Principal) -> None:
        """Ask for a sync now; the server or a worker begins it within seconds. Raises NotFound."""
        self._named(name, asker)
        self._audit.append(entry("source.run", asker, {"source": name}))
        self._catalog.source_plans.want(name, asker.tenant, asker.label)

    def preview(self, name: str, asker: Principal) -> SourcePreview:
        """What a sync would do, which also tells whether the source can be reached.

        Of its changes those to documents that the asker may read now and then, at most 500.

        Raises:
            NotFound: There is no such source.
            BadInput: Another source holds the same files.
            EnvironmentFault: It can't be reached, or the look can't be recorded.
        """
        self._named(name, asker)
        self._audit.append(entry("source.preview", asker, {"source": name}))
        whole, scope = self._previewer().preview(name, asker), read_scope(asker)
        seen = (
            change
            for change in whole.changes
            if change.rights
            and all(
                scope.allows(tenant=asker.tenant, readers=readers, level=level)
                for readers, level in change.rights
            )
        )
        return replace(whole, changes=tuple(islice(seen, _MOST_CHANGES)))

    def _added_sections(self) -> list[AnySource]:
        """Those of all tenants, without their secrets; one that can't be read holds nothing."""
        found: list[AnySource] = []
        for plan in self._catalog.source_plans.all():
            if plan.section is not None:
                with suppress(ValidationError):  # of other settings; nothing is sent there
                    found.append(read_section(plan.section, plan.tenant, None))
        return found

    def _require_name(self, name: str) -> None:
        if not SOURCE_NAME.fullmatch(name) or name in {"file", "upload", *self._settings.sources}:
            raise BadInput(
                f"{name!r} can't name a source: take small letters, digits and - +, begin with a "
                "letter, and take no name that another source has."
            )

    def _view(self, name: str, asker: Principal) -> SourceView:
        view = self._views(asker.tenant).get(name)
        if view is None:
            raise NotFound("There is no source of that name.")
        return view

    def _named(self, name: str, asker: Principal) -> None:
        """Of the settings or added here: a folder that was synced by its path has no name."""
        view = self._view(name, asker)
        if not view.is_added and name not in self._settings.sources:
            raise NotFound(
                f"{name!r} was synced from the command line; give it a section [sources.NAME], or "
                "add it here."
            )

    def _views(self, tenant: str) -> dict[str, SourceView]:
        records = {r.name: r for r in self._catalog.sources.all() if r.tenant == tenant}
        plans = {p.name: p for p in self._catalog.source_plans.all() if p.tenant == tenant}
        sections: dict[str, Mapping[str, Any]] = {
            name: {**section.model_dump(), "is_added": False}
            for name, section in self._settings.sources.items()
            if section.tenant == tenant
        }
        sections |= {
            plan.name: {**plan.section, "is_added": True}
            for plan in plans.values()
            if plan.section is not None and plan.name not in sections
        }
        by_path = {r.name: {"kind": r.kind, **r.options} for r in records.values()}
        return {
            name: _view_of(name, section, plans.get(name), records.get(name))
            for name, section in (by_path | sections).items()
        }

    def _allowed(self, folder: str, tenant: str) -> Path:
        """The folder itself, whatever links lead to it."""
        path = Path(folder)
        roots = self.folders_of(tenant)
        real = path.resolve() if path.is_absolute() else None
        if real is None or not any(root in (real, *real.parents) for root in roots):
            allowed = ", ".join(map(str, roots)) or "none"
            raise Forbidden(
                "Sources are added below the folders that console.source_folders allows: "
                f"{allowed}. Name one of those, or ask whoever looks after the machine."
            )
        if not real.is_dir():
            raise BadInput(f"{folder} is no folder that this service can see.")
        if any(other in (real, *real.parents) or real in other.parents for other in self._held()):
            raise BadInput(
                "Another source holds files of this folder, and both would undo each "
                "other's work. Name another folder."
            )
        return real

    def _held(self) -> list[Path]:
        """The folders of all sources, whoever's, and this service's own."""
        named = [s.path for s in self._settings.sources.values() if isinstance(s, FolderSource)]
        added = [
            Path(plan.section["path"])
            for plan in self._catalog.source_plans.all()
            if plan.section and plan.section["kind"] == "folder"
        ]
        synced = [
            Path(r.name)
            for r in self._catalog.sources.all()
            if r.kind == "folder" and r.name.startswith("/")
        ]
        own = [self._settings.data_dir, self._settings.models_dir]
        return [path.expanduser().resolve() for path in (*named, *added, *synced, *own)]


def _view_of(
    name: str, section: Mapping[str, Any], plan: SourcePlan | None, record: SourceRecord | None
) -> SourceView:
    place = section.get("path") or section.get("endpoint") or section.get("host") or name
    if section["kind"] == "s3" and section.get("bucket"):
        place = f"{place}/{section['bucket']}/{section.get('prefix') or ''}".rstrip("/")
    elif section["kind"] == "imap" and section.get("user"):
        place = f"{section['user']} · {place}"
    return SourceView(
        name=name,
        kind=section["kind"],
        place=str(place),
        readers=section.get("readers") or "",
        level=section.get("level") or 0,
        schedule=section.get("schedule"),
        is_added=section.get("is_added", False),
        is_paused=plan is not None and plan.is_paused,
        is_wanted=plan is not None and plan.wanted is not None,
        record=record,
    )
