"""Models are imported, listed, used by name, verified and removed."""

import json
import os
import shutil
from pathlib import Path

import pytest

from sovereign_rag.errors import BadInput, ModelError, ModelMissing, NotFound
from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import CompletionRequest, Message
from sovereign_rag.generation.smoke_test import try_model
from sovereign_rag.models import bundled, catalogue
from sovereign_rag.models.gguf_header import GgufHeader
from sovereign_rag.models.importing import import_model
from sovereign_rag.models.inventory import all_models, verified_language_model
from sovereign_rag.models.known_limits import known_of
from sovereign_rag.models.manifest import hash_file
from sovereign_rag.models.registry import Registry
from sovereign_rag.settings import Settings, load_settings
from tests.models.test_models import CHAT_MODEL, gguf


def speaks(header: GgufHeader, *, sha256: str, max_tokens: int) -> str:
    """A trial that every model passes, for tests of everything else."""
    return "yes"


def test_an_imported_file_is_copied_named_and_recorded_as_the_admin_s_own(tmp_path: Path) -> None:
    file, registry = gguf(tmp_path / "Our Model.Q4.gguf", CHAT_MODEL), Registry(tmp_path / "models")
    steps: list[tuple[int, int]] = []

    model = import_model(
        file, registry, try_out=speaks, progress=lambda done, total: steps.append((done, total))
    )

    assert (model.name, model.hash_from, model.licence) == ("our-model.q4", "admin", "apache-2.0")
    assert (model.architecture, model.context_tokens) == ("llama", 2048)
    assert model.sha256 == hash_file(file) == hash_file(registry.path(model))
    assert file.exists()
    assert steps == [(model.size, model.size)]
    assert registry.all() == (model,)
    assert sorted(p.name for p in registry.folder.iterdir() if not p.name.startswith(".")) == [
        *("manifest.json", "our-model.q4.gguf"),
    ]


def test_a_file_that_claims_a_catalogue_s_name_has_to_have_its_hash(tmp_path: Path) -> None:
    file, registry = gguf(tmp_path / "any.gguf", CHAT_MODEL), Registry(tmp_path / "models")
    name = "mistral-7b-instruct-v0.3-q4_k_m"

    with pytest.raises(ModelError, match="it should be 1270d22c"):
        import_model(file, registry, try_out=speaks, name=name)
    # The file's name alone claims nothing in the catalogue's favour either.
    with pytest.raises(ModelError, match="it should be 1270d22c"):
        import_model(file.rename(tmp_path / f"{name}.gguf"), registry, try_out=speaks)

    assert registry.all() == ()
    assert list(registry.folder.glob("*.gguf")) == []
    renamed = tmp_path / f"{name}.gguf"
    assert import_model(renamed, registry, try_out=speaks, name="house").name == "house"


def test_a_hash_that_was_told_has_to_be_the_file_s(tmp_path: Path) -> None:
    file, registry = gguf(tmp_path / "own.gguf", CHAT_MODEL), Registry(tmp_path / "models")

    with pytest.raises(ModelError, match="should be 0000"):
        import_model(file, registry, try_out=speaks, sha256="0" * 64)

    assert import_model(file, registry, try_out=speaks, sha256=hash_file(file)).name == "own"


def test_a_name_does_not_come_to_mean_another_file(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    first = gguf(tmp_path / "first.gguf", CHAT_MODEL)
    second = gguf(tmp_path / "second.gguf", CHAT_MODEL | {"general.name": "Other"})
    model = import_model(first, registry, try_out=speaks, name="own")

    with pytest.raises(ModelError, match="models remove own"):
        import_model(second, registry, try_out=speaks, name="own")
    again = import_model(first, registry, try_out=speaks, name="own")

    assert again.sha256 == model.sha256 == hash_file(registry.path(model))
    registry.remove("own")
    assert import_model(second, registry, try_out=speaks, name="own").sha256 != model.sha256


@pytest.mark.parametrize("name", ["", "../up", "a/b", "UPPER", ".hidden", "x" * 101])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    file = gguf(tmp_path / "own.gguf", CHAT_MODEL)

    with pytest.raises(BadInput, match="can't be a model's name"):
        import_model(file, Registry(tmp_path / "models"), try_out=speaks, name=name)


def test_a_broken_file_is_refused_before_it_is_copied(tmp_path: Path) -> None:
    registry, cut = Registry(tmp_path / "models"), tmp_path / "cut.gguf"
    with bundled.smollm2().open("rb") as file:
        cut.write_bytes(file.read(1_000_000))

    with pytest.raises(ModelError, match="cut short"):
        import_model(cut, registry, try_out=speaks)
    with pytest.raises(ModelMissing):
        import_model(tmp_path / "nowhere.gguf", registry, try_out=speaks)

    assert not registry.folder.exists()


@pytest.mark.model
def test_a_file_that_does_not_load_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    file, registry = gguf(tmp_path / "tiny.gguf", CHAT_MODEL), Registry(tmp_path / "models")
    unknown = CHAT_MODEL | {"general.architecture": "strange", "strange.context_length": 2048}

    with pytest.raises(ModelError, match="can't load"):
        import_model(file, registry, try_out=try_model)
    with pytest.raises(ModelError, match="can't load"):
        import_model(gguf(tmp_path / "odd.gguf", unknown), registry, try_out=try_model)

    assert registry.all() == ()
    assert list(registry.folder.glob("*.gguf")) + list(registry.folder.glob(".import*.gguf")) == []


def test_a_download_that_fails_its_trial_is_kept_for_another_try(tmp_path: Path) -> None:
    def dies(header: GgufHeader, *, sha256: str, max_tokens: int) -> str:
        raise ModelError("it does not load")

    file, registry = gguf(tmp_path / "part", CHAT_MODEL), Registry(tmp_path / "models")

    with pytest.raises(ModelError, match="does not load"):
        import_model(file, registry, try_out=dies, name="own", move=True)
    kept = file.exists()
    model = import_model(file, registry, try_out=speaks, name="own", move=True)

    assert kept
    assert not file.exists()
    assert registry.path(model).exists()


def test_what_a_killed_import_left_is_cleared_away(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    registry.folder.mkdir()
    (registry.folder / ".import-4711.gguf").write_bytes(b"half")

    import_model(gguf(tmp_path / "own.gguf", CHAT_MODEL), registry, try_out=speaks)

    assert list(registry.folder.glob(".import-*.gguf")) == []


# Named, used, verified, removed


def settings_with(model: str | Path, models_dir: Path) -> Settings:
    return load_settings(overrides={"models_dir": models_dir, "generation": {"model": str(model)}})


@pytest.mark.model
def test_an_imported_model_is_tried_and_then_used_by_its_name(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    model = import_model(bundled.smollm2(), registry, try_out=try_model, name="small")

    language_model = LlamaCppModel.open(settings_with("small", tmp_path))
    pieces = list(
        language_model.stream(CompletionRequest([Message("user", "Hi")], tenant="t", max_tokens=4))
    )
    language_model.close()

    assert language_model.info.id == f"small@{bundled.SMOLLM2_SHA256[:12]}+q8_0"
    assert model.sha256 == bundled.SMOLLM2_SHA256
    assert pieces[-1].finish is not None


def test_a_changed_file_is_not_loaded_by_name_nor_by_path(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    file = gguf(tmp_path / "own.gguf", CHAT_MODEL)
    path = registry.path(import_model(file, registry, try_out=speaks))
    by_name, by_path = settings_with("own", registry.folder), settings_with(path, registry.folder)
    before = verified_language_model(by_name)[1]
    gguf(path, CHAT_MODEL | {"general.name": "Other"})

    for settings in (by_name, by_path):
        with pytest.raises(ModelError, match="has changed since it was imported"):
            verified_language_model(settings)

    (tmp_path / "fresh").mkdir()
    assert before == hash_file(file)
    assert verified_language_model(settings_with(file, registry.folder))[1] == before


def test_a_name_that_was_not_imported_says_how_to_bring_it(tmp_path: Path) -> None:
    known = "ministral-3-3b-instruct-2512-q4_k_m"

    with pytest.raises(ModelMissing, match=f"models fetch {known}"):
        verified_language_model(settings_with(known, tmp_path))
    with pytest.raises(ModelMissing, match="models import FILE --name NAME"):
        verified_language_model(settings_with("house-model", tmp_path))


def test_models_that_are_not_in_use_are_listed_and_verified_too(tmp_path: Path) -> None:
    settings = load_settings()
    models_dir = tmp_path / "models"
    shutil.copytree(bundled.multilingual_e5_small(settings.models_dir), models_dir / "e5")
    settings = load_settings(
        overrides={"models_dir": models_dir, "embedding": {"model": str(models_dir / "e5")}}
    )
    registry = Registry(models_dir)
    for name in ("one", "two", "three"):
        values = CHAT_MODEL | {"general.name": name}
        import_model(gguf(tmp_path / f"{name}.gguf", values), registry, try_out=speaks)
    before = [entry.state for entry in all_models(settings)[1]]

    path = models_dir / "one.gguf"
    when = path.stat().st_mtime_ns
    path.write_bytes(path.read_bytes().replace(b"one", b"eno"))
    os.utime(path, ns=(when, when))
    (models_dir / "two.gguf").unlink()
    used, others = all_models(settings, fresh=True)

    assert before == ["ok", "ok", "ok"]
    assert {entry.name: entry.state for entry in others} == {
        **{"one": "mismatch", "three": "ok", "two": "missing"},
    }
    assert [entry.role for entry in used] == ["embedding", "generation"]


def test_a_removed_model_is_gone_with_its_file(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    model = import_model(gguf(tmp_path / "own.gguf", CHAT_MODEL), registry, try_out=speaks)

    registry.remove("own")

    assert registry.all() == ()
    assert not registry.path(model).exists()
    with pytest.raises(NotFound, match="Those that were: none"):
        registry.remove("own")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"models": [{"name": "x"}]}', '{"models": [{"name": 1}]}']
)
def test_a_list_that_cannot_be_read_is_an_error_and_never_empty(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")

    with pytest.raises(ModelError, match="can't be read"):
        Registry(tmp_path).all()


def test_a_list_that_points_out_of_its_folder_is_refused(tmp_path: Path) -> None:
    registry = Registry(tmp_path / "models")
    import_model(gguf(tmp_path / "own.gguf", CHAT_MODEL), registry, try_out=speaks)
    path = registry.folder / "manifest.json"
    path.write_text(path.read_text("utf-8").replace("own.gguf", "../own.gguf"), encoding="utf-8")

    with pytest.raises(ModelError, match="not one of its folder"):
        registry.remove("own")

    assert (tmp_path / "own.gguf").exists()


def test_a_passport_says_the_known_limits_that_somebody_states_and_else_that_nobody_did(
    tmp_path: Path,
) -> None:
    models_dir, limits = tmp_path / "models", "Tuned on contracts; knows no other text."
    e5 = bundled.multilingual_e5_small(load_settings().models_dir)
    settings = load_settings(
        overrides={"models_dir": models_dir, "embedding": {"model": str(e5)}, "generation": {}}
    )
    stated = gguf(tmp_path / "stated.gguf", CHAT_MODEL)
    silent = gguf(tmp_path / "silent.gguf", CHAT_MODEL | {"general.name": "Other"})

    registry = Registry(models_dir)
    import_model(stated, registry, try_out=speaks, languages=("fr", "de"), limits=limits)
    import_model(silent, registry, try_out=speaks)
    (embedding, writer), others = all_models(settings)

    said = {model.name: (model.languages, model.limits) for model in others}
    assert said == {"stated": (("fr", "de"), limits), "silent": ((), "not stated")}
    assert "512 tokens" in embedding.limits
    assert (writer.languages, "very small" in writer.limits) == (("en",), True)
    for model in catalogue.catalogue():
        assert known_of(model.sha256).limits == model.limits != "not stated"
    entries = json.loads((models_dir / "manifest.json").read_text("utf-8"))["models"]
    assert ["limits" in entry for entry in entries] == [False, True]  # a version before reads it
