"""Models as admins of the machine look after them: examined, imported, switched to."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sovereign_rag.access import Principal
from sovereign_rag.catalog.maintenance import MaintenanceTask
from sovereign_rag.catalog.setting_values import SettingValue, SettingValues
from sovereign_rag.errors import BadInput, NotFound, SovereignError
from sovereign_rag.exam.question_set import the_paper
from sovereign_rag.exam.result import ExamResult
from sovereign_rag.exam.results_file import Exams, exam_key
from sovereign_rag.models.inventory import all_models
from sovereign_rag.models.manifest import ModelEntry
from sovereign_rag.models.recognition import recognition_entries
from sovereign_rag.models.registry import ImportedModel, Registry, valid_name
from sovereign_rag.services.import_folders import ImportFolders
from sovereign_rag.services.maintenance import MaintenanceDesk
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.running_settings import RunningSettings
from sovereign_rag.settings import Settings
from sovereign_rag.settings.running import MODEL, may_switch_model
from sovereign_rag.storage.audit import AuditTrail, entry

KINDS: Final = frozenset({"exam", "import"})
_MODELS: Final = frozenset({".gguf"})


@dataclass(frozen=True, slots=True)
class ModelView:
    """A model of this machine."""

    entry: ModelEntry
    is_used: bool
    passport: ImportedModel | None  # as it was when it came in; None: not imported
    exam: ExamResult | None

    @property
    def can_be_switched_to(self) -> bool:
        return not self.is_used and self.passport is not None and self.entry.state == "ok"


@dataclass(frozen=True, slots=True)
class ModelsView:
    """The models of this machine, and what is done with them."""

    models: tuple[ModelView, ...]  # those in use first
    server: str | None  # the model of a server of the network, where that writes
    server_exam: ExamResult | None
    can_switch: bool
    change: SettingValue | None  # the last switch on the console
    before: str  # what one step back has write; "": as the settings stand
    files: tuple[Path, ...]  # that may be imported
    can_import: bool
    tasks: tuple[MaintenanceTask, ...]  # the newest first
    trouble: str | None  # why some of it can't be told

    @property
    def is_busy(self) -> bool:
        return any(not task.is_over for task in self.tasks)


class ModelDesk:
    """What is done is on the record before; what takes long is work of the machine."""

    def __init__(
        self,
        *,
        running: RunningSettings,
        values: SettingValues,
        audit: AuditTrail,
        operations: OperationRecorder,
        work: MaintenanceDesk,
        folders: ImportFolders,
        follow: Callable[[], object],
    ) -> None:
        """`follow` has this process take up another model at once."""
        self._running, self._values, self._audit = running, values, audit
        self._operations, self._work, self._folders = operations, work, folders
        self._follow = follow

    def look(self, asker: Principal) -> ModelsView:
        """What there is; no model is loaded for it. Raises AuditError."""
        self._audit.append(entry("models.list", asker, {}))
        settings, trouble = self._running.settings, None
        models: tuple[ModelView, ...] = ()
        try:
            used, others = all_models(settings)
            used += tuple(recognition_entries(settings))
            passports = {model.name: model for model in Registry(settings.models_dir).all()}
            models = (
                *(_view(one, True, settings, passports) for one in used),
                *(_view(one, False, settings, passports) for one in others),
            )
        except SovereignError as error:
            trouble = str(error)
        endpoint, row = settings.generation.endpoint, self._row()
        return ModelsView(
            models=models,
            server=endpoint.model if endpoint.urls else None,
            server_exam=_exam(settings, endpoint.model, "") if endpoint.urls else None,
            can_switch=may_switch_model(self._running.base),
            change=row,
            before=str(row.before.get("value") or "") if row else "",
            files=self._folders.files(_MODELS),
            can_import=bool(self._folders),
            tasks=tuple(self._work.recent(KINDS)),
            trouble=trouble,
        )

    def examine(self, name: str, asker: Principal) -> None:
        """Have a model sit its exam anew; `name` is an imported one's, "" the one in use.

        Raises:
            NotFound: No such model was imported.
            BadInput: It is being examined already.
        """
        if name:
            self._imported(name)
        self._work.ask("exam", {"model": name}, asker)

    def bring(self, file: str, name: str, asker: Principal) -> None:
        """Have a model's file imported; `name` is what settings will call it, "" the file's.

        Raises:
            BadInput: An impossible name; the file is not there; it is being imported already.
            Forbidden: The settings allow no such file.
        """
        path, name = self._folders.file(file), name.strip()
        if name and not valid_name(name):
            raise BadInput(
                f"{name!r} can't be a model's name: small letters, digits, dots, dashes and "
                "underscores, beginning with a letter or digit."
            )
        if path.suffix.lower() not in _MODELS:
            raise BadInput("A language model is one GGUF file, *.gguf.")
        self._work.ask("import", {"file": str(path), "name": name or None}, asker)

    def switch(self, name: str, asker: Principal) -> None:
        """Have another imported model write answers; every process follows within seconds.

        Raises:
            NotFound: No such model was imported, or the console does not choose it here.
            BadInput: Its file is not the one that was imported, or is gone.
            AuditError: It can't be recorded; nothing changes.
        """
        self._require_choice()
        model, settings = self._imported(name), self._running.settings
        view = _view_of_imported(model, settings)
        if view is None or view.entry.state != "ok":
            raise BadInput(f"The file of {name} is gone or was changed. Import it again.")
        self._put({"value": model.name}, asker)

    def undo(self, asker: Principal) -> None:
        """Go back to the model before; done twice, it is as it was. Raises NotFound."""
        self._require_choice()
        row = self._row()
        if row is None:
            raise NotFound("The model was not changed here, so there is nothing to undo.")
        before = row.before.get("value")
        if before:
            self._imported(str(before))
        self._put(row.before, asker)

    def stop(self, task: str, asker: Principal) -> None:
        """Raises NotFound."""
        self._work.stop(task, asker)

    def _put(self, value: dict[str, Any], asker: Principal) -> None:
        old, base = self._running.settings.generation.model, self._running.base.generation.model
        new = value["value"] if value else base
        told = {"old": _plain(old), "new": _plain(new)}
        with self._operations.begun("models.switch", asker, told):
            self._values.put(MODEL, value, asker.label)
        self._follow()

    def _require_choice(self) -> None:
        if not may_switch_model(self._running.base):
            raise NotFound(
                "Which model writes stands in the environment or on the command line, or a server "
                "of the network writes. Whoever looks after the machine changes that."
            )

    def _imported(self, name: str) -> ImportedModel:
        model = Registry(self._running.settings.models_dir).get(name)
        if model is None:
            raise NotFound(f"No model {name!r} was imported.")
        return model

    def _row(self) -> SettingValue | None:
        return next((row for row in self._values.all() if row.name == MODEL), None)


def _view(
    entry_: ModelEntry, is_used: bool, settings: Settings, passports: dict[str, ImportedModel]
) -> ModelView:
    is_writer = entry_.role == "generation" and bool(entry_.sha256)
    exam = _exam(settings, entry_.name, entry_.sha256) if is_writer else None
    passport = passports.get(entry_.name)
    return ModelView(entry_, is_used, passport if is_writer else None, exam)


def _view_of_imported(model: ImportedModel, settings: Settings) -> ModelView | None:
    used, others = all_models(settings)
    found = next((one for one in (*used, *others) if one.name == model.name), None)
    return None if found is None else _view(found, found in used, settings, {model.name: model})


def _exam(settings: Settings, name: str, sha256: str) -> ExamResult | None:
    key = exam_key(name, sha256, settings.generation, the_paper())
    return Exams(settings.models_dir).kept(key)


def _plain(value: object) -> str | None:
    return None if value is None else str(value)
