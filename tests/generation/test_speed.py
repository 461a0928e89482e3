"""How the model is computed: what the settings pin, what is measured and kept, what fails well."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from sovereign_rag.errors import ModelError
from sovereign_rag.generation import compute_options
from sovereign_rag.generation.compute_options import Choice, Computing, defaults, pinned
from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import CompletionRequest, Message
from sovereign_rag.generation.requantize import arrange, arranged_copy
from sovereign_rag.generation.tuning import Tuning
from sovereign_rag.models import bundled
from sovereign_rag.models.gguf_header import GgufHeader, read_header
from sovereign_rag.models.manifest import hash_file
from sovereign_rag.settings import GenerationSettings, Settings, load_settings

QUESTION = Message("user", "Which three colours has the flag of France?")
SHA256 = bundled.SMOLLM2_SHA256


@pytest.fixture(scope="module")
def header() -> GgufHeader:
    return read_header(bundled.smollm2())


def told(**changes: object) -> GenerationSettings:
    return GenerationSettings.model_validate(changes)


def test_what_was_measured_is_used_unless_a_setting_pins_it(header: GgufHeader) -> None:
    measured = Choice("active", Computing(3, 5, repack=True, block_tokens=128))

    free = pinned(told(), header, measured)
    fixed = pinned(
        told(threads=2, waiting="passive", repack="off", block_tokens=32), header, measured
    )

    assert free == measured
    assert fixed == Choice("passive", Computing(2, 2, repack=False, block_tokens=32))


def test_without_a_measurement_threads_wait_and_k_quants_stay_as_they_are(
    header: GgufHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compute_options, "has_amx", lambda: False)
    k_quant, simple = replace(header, quantization=15), replace(header, quantization=2)

    assert defaults(k_quant).waiting == "passive"
    assert not defaults(k_quant).computing.repack
    assert defaults(simple).computing.repack


def test_no_weights_are_rearranged_where_that_ends_the_process(
    header: GgufHeader, monkeypatch: pytest.MonkeyPatch
) -> None:
    simple = replace(header, quantization=7)

    def repacked(settings: GenerationSettings, *, amx: bool) -> bool:
        monkeypatch.setattr(compute_options, "has_amx", lambda: amx)
        return pinned(settings, simple, None).computing.repack

    assert repacked(told(), amx=False)
    assert repacked(told(repack="on"), amx=False)
    assert not repacked(told(), amx=True)
    assert not repacked(told(repack="on"), amx=True)


@pytest.mark.model
def test_a_measurement_is_kept_for_this_model_alone(header: GgufHeader, tmp_path: Path) -> None:
    tuning = Tuning(header, SHA256, folder=tmp_path)
    kept = tmp_path / "tuning.json"
    kept.write_text(json.dumps({"of another model": {}}))
    assert tuning.kept() is None

    tried = tuning.measure()

    assert tried is not None
    assert [speeds.answer_s for speeds in tried] == sorted(speeds.answer_s for speeds in tried)
    assert {speeds.choice.waiting for speeds in tried} == {"passive", "active"}
    assert all(min(speeds.read, speeds.write, speeds.wide) > 0 for speeds in tried)
    assert Tuning(header, SHA256, folder=tmp_path).kept() == tried[0].choice
    assert Tuning(header, "0" * 64, folder=tmp_path).kept() is None
    assert "of another model" in json.loads(kept.read_text())


def test_a_measurement_gives_way_to_a_request(header: GgufHeader, tmp_path: Path) -> None:
    tuning = Tuning(header, SHA256, folder=tmp_path)

    assert tuning.measure(stop=lambda: True) is None
    assert tuning.kept() is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"KEY": {"choice": {"waiting": "never"}}}'])
def test_a_kept_measurement_that_is_damaged_counts_as_none(
    header: GgufHeader, tmp_path: Path, content: str
) -> None:
    tuning = Tuning(header, SHA256, folder=tmp_path)
    (tmp_path / "tuning.json").write_text(content.replace("KEY", tuning.key))

    assert tuning.kept() is None


def test_a_small_slow_model_gets_a_fast_copy_and_others_none(header: GgufHeader) -> None:
    settings = load_settings()
    as_is = settings.model_copy(update={"generation": told(weights="as_is")})

    copy = arranged_copy(settings, header, SHA256)

    assert copy is not None
    assert copy.is_relative_to(settings.models_dir)
    assert arranged_copy(as_is, header, SHA256) is None
    assert arranged_copy(settings, replace(header, quantization=15), SHA256) is None
    assert arranged_copy(settings, replace(header, size=4 << 30), SHA256) is None


@pytest.mark.model
def test_the_fast_copy_is_a_whole_model_made_once(header: GgufHeader, tmp_path: Path) -> None:
    target = tmp_path / "arranged" / "copy.gguf"

    made = arrange(header.path, target, sha256=hash_file(header.path))
    stamp = target.stat().st_mtime_ns
    again = arrange(header.path, target, sha256=hash_file(header.path))

    assert made == again == target
    assert target.stat().st_mtime_ns == stamp
    assert read_header(target).parameters == header.parameters
    assert read_header(target).chat_template == header.chat_template
    assert [path.name for path in target.parent.iterdir() if path.suffix == ".part"] == []


@pytest.mark.model
def test_a_copy_is_never_made_of_another_file_than_the_one_it_is_named_after(
    header: GgufHeader, tmp_path: Path
) -> None:
    target = tmp_path / "copy.gguf"

    assert arrange(header.path, target, sha256="0" * 64) == header.path
    assert not target.exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.model
def test_where_no_copy_can_be_written_the_file_itself_is_used(
    header: GgufHeader, tmp_path: Path
) -> None:
    sha256 = hash_file(header.path)
    (tmp_path / "full.part").symlink_to("/dev/full")
    (tmp_path / "folder").write_text("a file where a folder should be")

    assert arrange(header.path, tmp_path / "full.gguf", sha256=sha256) == header.path
    assert arrange(header.path, tmp_path / "folder" / "copy.gguf", sha256=sha256) == header.path
    assert not (tmp_path / "full.gguf").exists()


def generator_of(path: Path, tmp_path: Path, **changes: object) -> LlamaCppModel:
    generation = told(model=path, slots=1, context_tokens=512, tune=False, **changes)
    settings: Settings = load_settings(overrides={"generation": generation.model_dump()})
    return LlamaCppModel.open(settings)


@pytest.mark.model
@pytest.mark.parametrize(
    "changes",
    [
        {"kv_cache": "q8_0", "flash_attention": "on"},
        {"flash_attention": "off", "repack": "on", "threads": 1, "waiting": "active"},
    ],
)
def test_a_model_answers_with_every_way_of_computing(
    tmp_path: Path, changes: dict[str, object]
) -> None:
    language_model = generator_of(bundled.smollm2(), tmp_path, **changes)

    pieces = list(language_model.stream(CompletionRequest([QUESTION], tenant="a", max_tokens=8)))
    language_model.close()

    assert pieces[-1].completion_tokens == 8


def test_a_truncated_file_is_refused_before_it_is_loaded(tmp_path: Path) -> None:
    cut = tmp_path / "cut.gguf"
    with bundled.smollm2().open("rb") as source, cut.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    os.truncate(cut, bundled.smollm2().stat().st_size // 2)

    with pytest.raises(ModelError, match="cut short"):
        generator_of(cut, tmp_path)


@pytest.mark.model
def test_an_unknown_architecture_is_named_and_the_right_file_works_after_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.gguf"
    data = bundled.smollm2().read_bytes()
    path.write_bytes(data.replace(b"llama", b"lhama", 40))
    strange = generator_of(path, tmp_path)

    with pytest.raises(ModelError, match=r"lhama|architecture"):
        strange.count_tokens([QUESTION])
    path.write_bytes(data)
    after = strange.count_tokens([QUESTION])
    strange.close()

    assert after > 5
