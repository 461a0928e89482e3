"""Models and indexes as they are: files with their hashes, exams, how whole an index is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.indexes import Coverage, IndexRecord
from sovereign_rag.errors import SovereignError
from sovereign_rag.exam.examiner import Examiner
from sovereign_rag.exam.result import ExamResult
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.models.inventory import all_models
from sovereign_rag.models.manifest import ModelEntry
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditTrail, entry


@dataclass(frozen=True, slots=True)
class ModelsView:
    """The models of this machine."""

    used: tuple[ModelEntry, ...]
    others: tuple[ModelEntry, ...]  # that were imported besides
    exam: ExamResult | None  # of the language model in use
    indexes: tuple[tuple[IndexRecord, Coverage], ...]  # the newest first
    differences: Mapping[
        str, tuple[object, object]
    ]  # setting -> (as the live index has it, wanted)
    trouble: str | None  # why some of it can't be told


class ModelDesk:
    """For the admins of the machine; that they looked is on the record."""

    def __init__(
        self,
        *,
        settings: Settings,
        catalog: Catalog,
        audit: AuditTrail,
        language_model: Callable[[], LanguageModel | None],
        examiner: Callable[[], Examiner],
        differences: Callable[[], Mapping[str, tuple[object, object]]],
    ) -> None:
        """`differences` tells in what the live index is not as the settings want it."""
        self._settings, self._catalog, self._audit = settings, catalog, audit
        self._language_model, self._examiner = language_model, examiner
        self._differences = differences

    def look(self, asker: Principal) -> ModelsView:
        """What there is; no model is loaded for it. Raises AuditError."""
        self._audit.append(entry("models.list", asker, {}))
        used: tuple[ModelEntry, ...] = ()
        others: tuple[ModelEntry, ...] = ()
        exam: ExamResult | None = None
        trouble: str | None = None
        differences: Mapping[str, tuple[object, object]] = {}
        try:
            used, others = all_models(self._settings)
            language_model = self._language_model()
            if language_model is not None:
                exam = self._examiner().kept(language_model)
            differences = self._differences()
        except SovereignError as error:
            trouble = str(error)
        indexes = [(one, self._catalog.indexes.coverage(one.id)) for one in self._all_indexes()]
        return ModelsView(used, others, exam, tuple(indexes), differences, trouble)

    def _all_indexes(self) -> list[IndexRecord]:
        return sorted(self._catalog.indexes.all(), key=lambda one: one.created, reverse=True)
