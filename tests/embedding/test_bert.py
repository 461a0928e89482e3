"""Models of BERT's build: our short way gives what the library that reads any model gives."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel

from sovereign_rag.embedding.any_encoder import AnyEncoder
from sovereign_rag.embedding.bert import BertEncoder
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.folder import ModelFolder, read_folder
from sovereign_rag.settings import EmbeddingSettings

MakeFolder = Callable[..., Path]

WORDS = {word: number for number, word in enumerate(["<s>", "<pad>", "</s>", "a", "b", "c", "d"])}
TEXTS = [[0, 3, 4, 5, 2], [0, 6, 2], [0, 4, 4, 3, 2], [0, *[3, 5] * 9, 2], [0, 5, 2]]
SIZES = {
    "vocab_size": len(WORDS),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 1,
}
BUILDS = {"bert": (BertConfig, BertModel), "xlm-roberta": (XLMRobertaConfig, XLMRobertaModel)}


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    def make(build: str = "bert", pooling: str = "mean_tokens", **changes: object) -> Path:
        torch.manual_seed(3)
        config, model = BUILDS[build]
        model(config(**SIZES | changes)).save_pretrained(tmp_path)
        Tokenizer(WordLevel(WORDS, unk_token="a")).save(str(tmp_path / "tokenizer.json"))
        write(tmp_path / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast"})
        write(tmp_path / "sentence_bert_config.json", {"max_seq_length": 60})
        modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
        listed = [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(modules)
        ]
        write(tmp_path / "modules.json", listed)
        pooled = {"word_embedding_dimension": 32, f"pooling_mode_{pooling}": True}
        write(tmp_path / "1_Pooling" / "config.json", pooled)
        return tmp_path

    return make


def write(path: Path, content: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def unit(vectors: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(vectors)


def opened(folder: Path) -> tuple[BertEncoder | None, ModelFolder]:
    described = read_folder(folder)
    return BertEncoder.open(described, torch.float32), described


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token"])
@pytest.mark.parametrize("build", BUILDS)
def test_the_short_way_gives_the_vectors_of_the_long_one(
    make_folder: MakeFolder, build: str, pooling: str
) -> None:
    short, described = opened(make_folder(build, pooling))
    long = AnyEncoder(described, torch.float32)

    assert short is not None
    assert torch.allclose(unit(short(TEXTS)), unit(long(TEXTS)), atol=1e-5)


def test_a_text_does_not_depend_on_those_beside_it(make_folder: MakeFolder) -> None:
    short, _ = opened(make_folder())

    assert short is not None
    together, alone = short(TEXTS), torch.cat([short([text]) for text in TEXTS])
    assert torch.allclose(together, alone, atol=1e-6)


def test_a_model_saved_with_the_head_of_its_training_is_known_too(make_folder: MakeFolder) -> None:
    folder = make_folder()
    before, _ = opened(folder)
    weights = folder / "model.safetensors"
    renamed = {f"bert.{name}": tensor.clone() for name, tensor in load_file(weights).items()}
    save_file(renamed, weights)

    after, _ = opened(folder)

    assert before is not None
    assert after is not None
    assert torch.equal(before(TEXTS), after(TEXTS))


@pytest.mark.parametrize(
    "difference",
    [{"hidden_act": "gelu_new"}, {"pooling": "max_tokens"}],
    ids=["another activation", "another pooling"],
)
def test_what_is_built_otherwise_takes_the_long_way(
    make_folder: MakeFolder, difference: dict[str, str]
) -> None:
    folder = make_folder(**difference)
    embedder = DenseEmbedder(folder, EmbeddingSettings(precision="float32"), sha256="0" * 64)

    vectors = embedder.embed_passages(["a b", "c"])
    embedder.close()

    assert opened(folder)[0] is None
    assert vectors.shape == (2, 32)
