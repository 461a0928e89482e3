"""Indexes as admins of the machine look after them: built, compared, switched to."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.index_rows import IndexState
from sovereign_rag.catalog.indexes import Coverage, IndexRecord
from sovereign_rag.catalog.maintenance import MaintenanceTask
from sovereign_rag.errors import BadInput, SovereignError
from sovereign_rag.services.import_folders import ImportFolders
from sovereign_rag.services.maintenance import MaintenanceDesk
from sovereign_rag.storage.audit import AuditTrail, entry

KINDS: Final = frozenset({"reindex", "compare", "switch", "back", "drop"})
_QUESTIONS: Final = frozenset({".xlsx", ".ods", ".csv", ".tsv", ".jsonl"})


@dataclass(frozen=True, slots=True)
class IndexesView:
    """The indexes, and what is done with them."""

    indexes: tuple[tuple[IndexRecord, Coverage], ...]  # the newest first
    differences: Mapping[
        str, tuple[object, object]
    ]  # setting -> (as the live index has it, wanted)
    questions: tuple[Path, ...]  # files that may be asked
    tasks: tuple[MaintenanceTask, ...]  # the newest first
    trouble: str | None  # why some of it can't be told

    def has(self, state: str) -> bool:
        """Whether there is an index in this state."""
        return any(record.state.value == state for record, _ in self.indexes)

    @property
    def is_busy(self) -> bool:
        return any(not task.is_over for task in self.tasks)


class IndexDesk:
    """What is done is work of the machine: asked for here, done by `serve` or `worker`."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        audit: AuditTrail,
        work: MaintenanceDesk,
        folders: ImportFolders,
        differences: Callable[[], Mapping[str, tuple[object, object]]],
    ) -> None:
        """`differences` tells in what the live index is not as the settings want it."""
        self._catalog, self._audit, self._work = catalog, audit, work
        self._folders, self._differences = folders, differences

    def look(self, asker: Principal) -> IndexesView:
        """Raises AuditError."""
        self._audit.append(entry("indexes.list", asker, {}))
        trouble: str | None = None
        differences: Mapping[str, tuple[object, object]] = {}
        try:
            differences = self._differences()
        except SovereignError as error:
            trouble = str(error)
        records = sorted(self._catalog.indexes.all(), key=lambda one: one.created, reverse=True)
        return IndexesView(
            indexes=tuple((one, self._catalog.indexes.coverage(one.id)) for one in records),
            differences=differences,
            questions=self._folders.files(_QUESTIONS),
            tasks=tuple(self._work.recent(KINDS)),
            trouble=trouble,
        )

    def build(self, asker: Principal) -> None:
        """Have an index built as the settings want it, beside the live one.

        Raises:
            BadInput: It is being done already.
        """
        self._work.ask("reindex", {}, asker)

    def compare(self, questions: str, asker: Principal) -> None:
        """Have the live index and the one that was built asked the questions of a file.

        Raises:
            BadInput: No index was built; it is being done already; there is no such file.
            Forbidden: The settings allow no such file.
        """
        self._require(IndexState.BUILDING)
        self._work.ask("compare", {"questions": str(self._folders.file(questions))}, asker)

    def switch(self, asker: Principal) -> None:
        """Have searches go to the index that was built. Raises BadInput: there is none."""
        self._require(IndexState.BUILDING)
        self._work.ask("switch", {}, asker)

    def back(self, asker: Principal) -> None:
        """Have searches go to the index before the live one. Raises BadInput: none is kept."""
        self._require(IndexState.PREVIOUS)
        self._work.ask("back", {}, asker)

    def drop(self, asker: Principal) -> None:
        """Have all indexes but the live one removed. Raises BadInput: it is being done already."""
        self._work.ask("drop", {}, asker)

    def stop(self, task: str, asker: Principal) -> None:
        """Raises NotFound."""
        self._work.stop(task, asker)

    def _require(self, state: IndexState) -> None:
        if not any(record.state is state for record in self._catalog.indexes.all()):
            raise BadInput("There is no such index (any more). Look at the list again.")
