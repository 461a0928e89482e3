"""Models on the console: imported from allowed folders, examined, switched to, gone back from."""

from pathlib import Path

import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import BadInput, Forbidden, NotFound
from sovereign_rag.exam.examiner import Examiner
from sovereign_rag.models import bundled
from sovereign_rag.services.import_folders import ImportFolders
from sovereign_rag.services.language_model import ModelInUse
from sovereign_rag.services.maintenance import MaintenanceDesk, MaintenanceWork
from sovereign_rag.services.model_desk import ModelDesk, ModelsView
from sovereign_rag.services.model_work import model_work
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.running_settings import RunningSettings
from sovereign_rag.settings import ConsoleSettings, EmbeddingSettings, Settings, load_settings
from sovereign_rag.storage.audit import AuditLog
from tests.exam.scripted import examined, result_of
from tests.models.test_importing import speaks
from tests.models.test_models import CHAT_MODEL, gguf

OWNER = local_owner()


class Machine:
    """A data folder and a models folder of their own, with a folder to import from."""

    def __init__(self, folder: Path, **overrides: object) -> None:
        self.offered, self.folder = folder / "offered", folder
        self.offered.mkdir()
        self.settings = load_settings(
            overrides={
                "data_dir": folder / "data",
                "models_dir": folder / "models",
                "embedding": EmbeddingSettings(
                    model=bundled.multilingual_e5_small(load_settings().models_dir)
                ),
                "console": ConsoleSettings(import_folders=(self.offered,)),
                **overrides,
            }
        )
        self.catalog = Catalog.open(self.settings)
        self.audit = AuditLog(self.settings.data_dir)
        self.running = RunningSettings(self.settings, self.catalog.setting_values)
        recorder = OperationRecorder(catalog=self.catalog, audit=self.audit, resume={})
        self.desk = ModelDesk(
            running=self.running,
            values=self.catalog.setting_values,
            audit=self.audit,
            operations=recorder,
            work=MaintenanceDesk(catalog=self.catalog, audit=self.audit),
            folders=ImportFolders(self.settings.console.import_folders),
            follow=lambda: self.running.follow(at_once=True),
        )
        handlers = model_work(lambda: self.running.settings, try_out=speaks)
        self.work = MaintenanceWork(catalog=self.catalog, operations=recorder, handlers=handlers)

    def look(self) -> ModelsView:
        return self.desk.look(OWNER)

    def brought(self, name: str) -> None:
        """A model of that name, imported."""
        file = gguf(self.offered / f"{name}.gguf", CHAT_MODEL | {"general.name": name})
        self.desk.bring(str(file), "", OWNER)
        self.work.do_next()

    @property
    def writer(self) -> Path | None:
        return self.running.settings.generation.model


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_model_of_an_allowed_folder_is_imported_and_has_its_passport(machine: Machine) -> None:
    offered = gguf(machine.offered / "house.gguf", CHAT_MODEL)
    files = machine.look().files

    machine.desk.bring(str(offered), "house-writer", OWNER)
    machine.work.do_next()
    seen = machine.look()

    assert files == (offered,)
    (model,) = [one for one in seen.models if one.entry.name == "house-writer"]
    assert model.passport is not None
    assert (model.passport.context_tokens, model.entry.state) == (2048, "ok")
    assert (model.is_used, model.can_be_switched_to) == (False, True)
    assert seen.tasks[0].result is not None
    told = {record.entry.action for record in machine.audit.read()}
    assert {"maintenance.ask", "maintenance.import", "maintenance.import.done"} <= told


def test_no_file_of_another_folder_is_imported_not_by_a_link_either(machine: Machine) -> None:
    elsewhere = gguf(machine.folder / "elsewhere.gguf", CHAT_MODEL)
    link = machine.offered / "link.gguf"
    link.symlink_to(elsewhere)

    for path in (str(elsewhere), str(link), f"{machine.offered}/../elsewhere.gguf", "house.gguf"):
        with pytest.raises(Forbidden):
            machine.desk.bring(path, "", OWNER)

    assert machine.look().files == ()
    assert machine.catalog.maintenance.recent() == []
    with pytest.raises(BadInput):
        machine.desk.bring(str(machine.offered / "gone.gguf"), "", OWNER)


def test_another_imported_model_writes_from_then_on_and_the_one_before_again(
    machine: Machine,
) -> None:
    machine.brought("first")
    machine.brought("second")

    machine.desk.switch("first", OWNER)
    machine.desk.switch("second", OWNER)
    after = machine.writer
    machine.desk.undo(OWNER)

    assert (after, machine.writer) == (Path("second"), Path("first"))
    used = [one.entry for one in machine.look().models if one.is_used]
    assert [one.name for one in used if one.role == "generation"] == ["first"]
    assert "tesseract-fra" in {one.name for one in used if one.role == "recognition"}
    told = [r.entry for r in machine.audit.read() if r.entry.action == "models.switch"]
    assert [(one.detail["old"], one.detail["new"]) for one in told] == [
        (None, "first"),
        ("first", "second"),
        ("second", "first"),
    ]


def test_nothing_is_switched_to_that_was_not_imported_or_was_changed_since(
    machine: Machine,
) -> None:
    machine.brought("house")
    file = machine.settings.models_dir / "house.gguf"

    with pytest.raises(NotFound):
        machine.desk.switch(str(file), OWNER)
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(BadInput, match="changed"):
        machine.desk.switch("house", OWNER)

    assert machine.writer is None


def test_the_word_of_the_machine_is_stronger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVEREIGN_RAG_GENERATION__MODEL", "house")
    machine = Machine(tmp_path)
    machine.brought("other")

    with pytest.raises(NotFound, match="environment"):
        machine.desk.switch("other", OWNER)

    assert not machine.look().can_switch


def test_the_result_of_an_exam_stands_beside_its_model(machine: Machine) -> None:
    machine.brought("house")
    (sha256,) = [one.entry.sha256 for one in machine.look().models if one.entry.name == "house"]
    examined(machine.settings, result_of(4, 3), sha256=sha256)

    (model,) = [one for one in machine.look().models if one.entry.name == "house"]

    assert model.exam is not None
    assert (model.exam.score().right, model.exam.score().extracts_right) == (20, 15)


def test_an_exam_is_asked_of_an_imported_model_alone(machine: Machine) -> None:
    machine.brought("house")

    with pytest.raises(NotFound):
        machine.desk.examine("unknown", OWNER)
    machine.desk.examine("house", OWNER)

    assert machine.look().is_busy


def test_the_model_of_before_is_closed_once_nothing_is_asked_of_it(
    machine: Machine, settings_examiner: Examiner
) -> None:
    machine.brought("first")
    machine.brought("second")
    machine.desk.switch("first", OWNER)
    in_use = ModelInUse(lambda: machine.running.settings, examiner=lambda s: settings_examiner)

    first, examiner = in_use.get(), in_use.examiner
    in_use.follow()
    same = in_use.get()
    machine.desk.switch("second", OWNER)
    in_use.follow()
    second = in_use.get()
    in_use.close()

    assert first is not None
    assert second is not None
    assert (same is first, examiner is settings_examiner) == (True, True)
    assert [first.info.name, second.info.name] == ["first", "second"]


@pytest.fixture
def settings_examiner(machine: Machine) -> Examiner:
    def nothing() -> object:
        raise AssertionError("no exam is sat here")

    return Examiner(Settings(data_dir=machine.folder), embedder=nothing, lexical=None)  # type: ignore[arg-type]  # neither is asked
