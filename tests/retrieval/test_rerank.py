"""A cross-encoder of the admin's own puts the best passages into its order."""

import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

from sovereign_rag.domain import Chunk, PageSpan, Passage
from sovereign_rag.errors import ModelError, ModelMissing
from sovereign_rag.retrieval.rerank import CrossEncoderReranker
from sovereign_rag.settings import RetrievalSettings, Settings

VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "badge", "is", "yellow", "leave", "days"]


def make_model(folder: Path, *, labels: int = 1) -> Path:
    """A tiny cross-encoder with weights by chance."""
    torch.manual_seed(7)
    words = Tokenizer(WordLevel({word: n for n, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    words.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="[UNK]",
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=64,
    )
    config = BertConfig(
        vocab_size=len(VOCABULARY),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
        num_labels=labels,
        initializer_range=1.0,
    )
    BertForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny-cross-encoder")


def passage(text: str, score: float) -> Passage:
    id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, text))
    chunk = Chunk(id_, "v1", 0, text, (PageSpan(1, 0, len(text)),))
    return Passage(chunk, "title", "file:///a", True, score, {"dense": 0.8})


PASSAGES = [
    passage("the badge is yellow", 6.0),
    passage("leave days", 5.0),
    passage("yellow yellow days", 4.0),
]


def settings_with(
    product_settings: Callable[..., Settings], folder: Path, sha256: str | None = None
) -> Settings:
    return product_settings(retrieval=RetrievalSettings(reranker=folder, reranker_sha256=sha256))


def test_the_passages_come_in_the_models_order_with_its_scores_beside_the_searchs(
    model: Path, product_settings: Callable[..., Settings]
) -> None:
    reranker = CrossEncoderReranker.open(settings_with(product_settings, model))
    assert reranker is not None

    ranked = reranker.rerank("badge", PASSAGES)
    again = reranker.rerank("badge", list(reversed(PASSAGES)))

    scores = [p.score_parts["rerank"] for p in ranked]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == 3
    assert [p.chunk.text for p in ranked] == [p.chunk.text for p in again]
    assert {p.chunk.text: p.score for p in ranked} == {p.chunk.text: p.score for p in PASSAGES}
    assert all(p.score_parts["dense"] == 0.8 for p in ranked)
    assert reranker.rerank("badge", []) == []


def test_the_model_is_named_with_its_hash(
    model: Path, product_settings: Callable[..., Settings]
) -> None:
    reranker = CrossEncoderReranker.open(settings_with(product_settings, model))

    assert reranker is not None
    assert reranker.model_id.startswith("tiny-cross-encoder-")


def test_without_a_setting_there_is_none(product_settings: Callable[..., Settings]) -> None:
    assert CrossEncoderReranker.open(product_settings()) is None


def test_a_folder_that_is_not_there_is_refused_with_the_way_out(
    tmp_path: Path, product_settings: Callable[..., Settings]
) -> None:
    with pytest.raises(ModelMissing, match=r"retrieval\.reranker"):
        CrossEncoderReranker.open(settings_with(product_settings, tmp_path / "nowhere"))


def test_a_model_with_another_hash_is_refused(
    model: Path, product_settings: Callable[..., Settings]
) -> None:
    with pytest.raises(ModelError, match=r"reranker_sha256"):
        CrossEncoderReranker.open(settings_with(product_settings, model, "0" * 64))


def test_a_model_of_several_numbers_a_passage_is_refused(
    tmp_path: Path, product_settings: Callable[..., Settings]
) -> None:
    folder = make_model(tmp_path / "classifier", labels=3)
    reranker = CrossEncoderReranker.open(settings_with(product_settings, folder))
    assert reranker is not None

    with pytest.raises(ModelError, match=r"retrieval\.reranker"):
        reranker.rerank("badge", PASSAGES)


def test_a_folder_without_a_model_is_refused(
    tmp_path: Path, product_settings: Callable[..., Settings]
) -> None:
    (tmp_path / "notes.txt").write_text("no model", encoding="utf-8")
    reranker = CrossEncoderReranker.open(settings_with(product_settings, tmp_path))
    assert reranker is not None

    with pytest.raises(ModelError, match="can't be loaded"):
        reranker.rerank("badge", PASSAGES)
