"""What is wanted of sources beyond the settings: added ones, pauses, syncs; and how syncs went."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.source_tables import source_plans, source_runs
from sovereign_rag.errors import BadInput, CatalogError, NotFound


@dataclass(frozen=True, slots=True)
class SourcePlan:
    """What somebody wants of a source."""

    name: str
    tenant: str
    section: Mapping[str, Any] | None  # as a section of the settings; None: those name it
    is_paused: bool
    wanted: datetime | None  # a sync, asked for then
    created: datetime
    created_by: str


@dataclass(frozen=True, slots=True)
class SourceRun:
    """A sync that ended."""

    started: datetime
    finished: datetime
    counts: Mapping[str, int] | None  # None: it did not come to its end
    error: str | None


_NONE: Final = "There is no source of that name."


class SourcePlans(CatalogPart):
    """For the console, and for whoever runs syncs."""

    def all(self) -> list[SourcePlan]:
        """Every plan, of all tenants, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(select(source_plans).order_by(source_plans.c.name))
            return [SourcePlan(**row) for row in rows.mappings()]

    def add(self, name: str, tenant: str, section: Mapping[str, Any], by: str) -> None:
        """Add a source. Raises BadInput: there is one of that name, perhaps another tenant's."""
        try:
            self._insert(name, tenant, section=dict(section), created_by=by)
        except CatalogError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise BadInput(f"There is a source {name!r} already; take another name.") from error
            raise

    def replace(self, plan: SourcePlan, section: Mapping[str, Any]) -> bool:
        """Give an added source another section; False: it is gone, or was added anew."""
        its = (source_plans.c.name == plan.name) & (source_plans.c.created == plan.created)
        with self._database.writing() as connection:
            changed = update(source_plans).where(its).values(section=dict(section))
            return bool(connection.execute(changed).rowcount)

    def remove(self, name: str, tenant: str) -> None:
        """Remove a source that was added here. Raises NotFound."""
        its = (source_plans.c.name == name) & (source_plans.c.tenant == tenant)
        with self._database.writing() as connection:
            doomed = delete(source_plans).where(its, source_plans.c.section.is_not(None))
            if not connection.execute(doomed).rowcount:
                raise NotFound(_NONE)

    def pause(self, name: str, tenant: str, is_paused: bool, by: str) -> None:
        """Leave a source alone until it is wanted, or follow its schedule again."""
        self._set(name, tenant, by, is_paused=is_paused)

    def want(self, name: str, tenant: str, by: str) -> None:
        """Ask for a sync, which whoever follows schedules begins."""
        self._set(name, tenant, by, wanted=self._clock())

    def take(self, plan: SourcePlan) -> bool:
        """Take what was asked for upon oneself; False: another process was faster."""
        its = (source_plans.c.name == plan.name) & (source_plans.c.wanted == plan.wanted)
        with self._database.writing() as connection:
            taken = connection.execute(update(source_plans).where(its).values(wanted=None))
            return taken.rowcount > 0

    def runs(self, source_id: str, *, limit: int) -> list[SourceRun]:
        """The latest syncs, newest first."""
        columns = [source_runs.c[name] for name in SourceRun.__dataclass_fields__]
        statement = (
            select(*columns)
            .where(source_runs.c.source_id == source_id)
            .order_by(source_runs.c.id.desc())
            .limit(limit)
        )
        with self._database.reading() as connection:
            return [SourceRun(**row) for row in connection.execute(statement).mappings()]

    def _set(self, name: str, tenant: str, by: str, **values: Any) -> None:
        its = (source_plans.c.name == name) & (source_plans.c.tenant == tenant)
        with self._database.writing() as connection:
            changed = connection.execute(update(source_plans).where(its).values(**values))
            if changed.rowcount:
                return
        self._insert(name, tenant, section=None, created_by=by, **values)

    def _insert(self, name: str, tenant: str, **values: Any) -> None:
        row = {"is_paused": False, "created": self._clock(), **values}
        with self._database.writing() as connection:
            connection.execute(insert(source_plans).values(name=name, tenant=tenant, **row))
