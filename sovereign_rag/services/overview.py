"""How the service fares, for whoever looks after it: what works, what waits, what ends soon.

Nothing here waits for a model, and no document is named.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sovereign_rag.access import Principal
from sovereign_rag.answering.trust import Trust, Unexamined
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.job_lists import Queue
from sovereign_rag.catalog.records import KeyRecord
from sovereign_rag.errors import SovereignError
from sovereign_rag.exam.examiner import Examiner
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.services.curated_desk import CuratedDesk, CuratedView
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditTrail, entry

SOON: Final = timedelta(days=30)
"""A key that ends within this time is told."""

State = Literal["ok", "limited", "down"]


@dataclass(frozen=True, slots=True)
class Component:
    """A part of the service, and what is wrong with it, in the words of its error."""

    name: str  # "catalog", "store", "disk" …
    state: State
    detail: str  # "" where nothing is wrong


@dataclass(frozen=True, slots=True)
class Writer:
    """The language model, and why its words are or aren't preferred to the passages."""

    name: str
    parameters: int
    trust: Trust


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source of the tenant, and how its last sync went."""

    name: str
    kind: str
    schedule: str | None
    finished: datetime | None  # None: no sync came to its end yet
    error: str | None
    is_running: bool
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page of the console tells."""

    components: tuple[Component, ...]
    queue: Queue
    free_bytes: int
    total_bytes: int
    writer: Writer | None  # None: there is no language model, answers are extracts
    sources: tuple[SourceState, ...]
    ending: tuple[KeyRecord, ...]  # keys, the next to end first
    curated: tuple[CuratedView, ...]  # answers of the house that are to be looked at

    @property
    def is_well(self) -> bool:
        """Whether nothing asks for an admin."""
        at_fault = any(component.state != "ok" for component in self.components)
        failing = any(source.error for source in self.sources)
        return not (
            at_fault or failing or self.curated or self.queue.failed_lately or self.queue.paused
        )


class OverviewDesk:
    """Tells a tenant's admins; that they looked is on the record."""

    def __init__(
        self,
        *,
        settings: Settings,
        catalog: Catalog,
        audit: AuditTrail,
        readiness: Callable[[], Mapping[str, str]],
        language_model: Callable[[], LanguageModel | None],
        examiner: Callable[[], Examiner],
        curated: CuratedDesk,
    ) -> None:
        """`readiness` gives each component with "ok", "limited: …" or what is wrong with it."""
        self._settings, self._catalog, self._audit = settings, catalog, audit
        self._readiness, self._language_model = readiness, language_model
        self._curated = curated
        self._examiner = examiner

    def look(self, asker: Principal) -> Overview:
        """How things are. Raises AuditError; then nothing is told."""
        self._audit.append(entry("overview", asker, {}))
        disk = shutil.disk_usage(self._settings.data_dir)
        return Overview(
            components=tuple(_component(*told) for told in self._readiness().items()),
            queue=self._catalog.job_lists.queue(asker.tenant),
            free_bytes=disk.free,
            total_bytes=disk.total,
            writer=self.writer(),
            sources=self.sources(asker.tenant),
            ending=self._ending(asker.tenant),
            curated=tuple(self._curated.to_look_at(asker)),
        )

    def writer(self) -> Writer | None:
        """The language model with its exam, as it is known; None: there is none that works."""
        try:
            language_model = self._language_model()
        except SovereignError:  # the components say why
            return None
        if language_model is None:
            return None
        info, kept = language_model.info, self._examiner().kept(language_model)
        trust = (
            kept.trust()
            if kept is not None
            else Unexamined(self._settings.generation).judge(language_model, "en")
        )
        return Writer(info.name, info.parameters, trust)

    def sources(self, tenant: str) -> tuple[SourceState, ...]:
        """The sources of a tenant: of the settings, and folders that were synced."""
        known = {r.name: r for r in self._catalog.sources.all() if r.tenant == tenant}
        named = {n: s for n, s in self._settings.sources.items() if s.tenant == tenant}
        return tuple(
            SourceState(
                name=name,
                kind=section.kind if (section := named.get(name)) else known[name].kind,
                schedule=section.schedule if section else None,
                finished=record.finished if (record := known.get(name)) else None,
                error=record.error if record else None,
                is_running=record is not None and record.holder is not None,
                counts=record.counts or {} if record else {},
            )
            for name in sorted({*named, *known})
        )

    def _ending(self, tenant: str) -> tuple[KeyRecord, ...]:
        now = datetime.now(UTC)
        found = [
            (key.expires, key)
            for key in self._catalog.keys.in_tenant(tenant)
            if key.revoked is None and key.expires is not None and now < key.expires <= now + SOON
        ]
        return tuple(key for _, key in sorted(found, key=lambda pair: pair[0]))


def _component(name: str, told: str) -> Component:
    if told == "ok":
        return Component(name, "ok", "")
    if told.startswith("limited"):
        return Component(name, "limited", told.partition(": ")[2])
    return Component(name, "down", told)
