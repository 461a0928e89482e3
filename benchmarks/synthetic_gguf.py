"""A GGUF file of random weights in the exact shape of a known model, for measuring speed.

    python benchmarks/synthetic_gguf.py mistral-7b out.gguf
    python benchmarks/synthetic_gguf.py ministral-3b out.gguf --quantization q4_0

The vocabulary is the real one, as mistral-common ships it. Each kind of weight is drawn and
quantised once and repeated in every layer: speed doesn't read the numbers. What such a model
writes is noise.
"""

import argparse
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gguf
import mistral_common
import numpy as np
from gguf.vocab import MistralVocab
from numpy.typing import NDArray
from sentencepiece import SentencePieceProcessor

_TEMPLATE: Final = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}"
    "[INST]{{ m['content'] }}[/INST]{% elif m['role'] == 'assistant' %}"
    "{{ m['content'] }}{{ eos_token }}{% endif %}{% endfor %}"
)
_HEAD: Final = 128  # numbers in an attention head


@dataclass(frozen=True, slots=True)
class Shape:
    architecture: str
    layers: int
    width: int
    inner: int
    vocabulary: int
    context: int
    tokenizer: str
    tied: bool  # the output weights are the embeddings
    heads: int = 32
    key_heads: int = 8


SHAPES: Final = {
    "mistral-7b": Shape(
        *("llama", 32, 4_096, 14_336, 32_768, 32_768),
        tokenizer="mistral_instruct_tokenizer_240323.model.v3",
        tied=False,
    ),
    "ministral-3b": Shape(
        *("mistral3", 26, 3_072, 9_216, 131_072, 262_144),
        tokenizer="tekken_240911.json",
        tied=True,
    ),
}
QUANTIZATIONS: Final = {
    # gguf quantises Q4_0 itself; Q4_K blocks are drawn as bytes, with small scales.
    "q4_0": (gguf.GGMLQuantizationType.Q4_0, gguf.LlamaFileType.MOSTLY_Q4_0),
    "q4_k": (gguf.GGMLQuantizationType.Q4_K, gguf.LlamaFileType.MOSTLY_Q4_K_M),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("path", type=Path)
    parser.add_argument("--quantization", choices=sorted(QUANTIZATIONS), default="q4_k")
    parser.add_argument("--layers", type=int, default=0, help="fewer than the shape has")
    given = parser.parse_args()
    write(given.path, given.shape, given.quantization, layers=given.layers)
    print(f"{given.path}: {given.path.stat().st_size / 1e9:.2f} GB")


def write(path: Path, name: str, quantization: str = "q4_k", *, layers: int = 0) -> None:
    """Write the file: 4.1 GB for mistral-7b, 2 GB for ministral-3b, in about a minute."""
    shape = SHAPES[name]
    layers = layers or shape.layers
    kind, file_type = QUANTIZATIONS[quantization]
    writer = gguf.GGUFWriter(path, shape.architecture)
    writer.add_name(f"Random weights in the shape of {name}")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(shape.inner)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.key_heads)
    writer.add_key_length(_HEAD)
    writer.add_value_length(_HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(1e6)
    writer.add_rope_dimension_count(_HEAD)
    writer.add_vocab_size(shape.vocabulary)
    writer.add_file_type(file_type)
    if shape.architecture == "mistral3":
        writer.add_rope_scaling_type(gguf.RopeScalingType.YARN)
        writer.add_rope_scaling_factor(16.0)
        writer.add_rope_scaling_orig_ctx_len(16_384)
        writer.add_rope_scaling_yarn_beta_fast(32.0)
        writer.add_rope_scaling_yarn_beta_slow(1.0)
        writer.add_rope_scaling_yarn_log_mul(1.0)
        writer.add_attn_temperature_scale(0.1)
    _add_vocabulary(writer, Path(mistral_common.__file__).parent / "data" / shape.tokenizer)
    writer.add_chat_template(_TEMPLATE)

    drawn: dict[tuple[int, int], NDArray[np.uint8]] = {}
    tensors = _tensors(shape, layers)
    for tensor, size in tensors:
        if len(size) == 1:
            writer.add_tensor_info(tensor, size, np.dtype(np.float32), size[0] * 4)
        else:
            data = drawn.setdefault(size, _draw(size, kind))
            writer.add_tensor_info(tensor, data.shape, data.dtype, data.nbytes, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for _, size in tensors:
        writer.write_tensor_data(np.ones(size, np.float32) if len(size) == 1 else drawn[size])
    writer.close()


def _tensors(shape: Shape, layers: int) -> list[tuple[str, Any]]:
    query, key = shape.heads * _HEAD, shape.key_heads * _HEAD
    found: list[tuple[str, Any]] = [
        ("token_embd.weight", (shape.vocabulary, shape.width)),
        ("output_norm.weight", (shape.width,)),
    ]
    if not shape.tied:
        found.append(("output.weight", (shape.vocabulary, shape.width)))
    for layer in range(layers):
        found += [
            (f"blk.{layer}.{name}.weight", size)
            for name, size in (
                ("attn_norm", (shape.width,)),
                ("attn_q", (query, shape.width)),
                ("attn_k", (key, shape.width)),
                ("attn_v", (key, shape.width)),
                ("attn_output", (shape.width, query)),
                ("ffn_norm", (shape.width,)),
                ("ffn_gate", (shape.inner, shape.width)),
                ("ffn_up", (shape.inner, shape.width)),
                ("ffn_down", (shape.width, shape.inner)),
            )
        ]
    return found


def _draw(size: tuple[int, int], kind: gguf.GGMLQuantizationType) -> NDArray[np.uint8]:
    """Quantised random weights: (rows, bytes of a row). A few rows are drawn and repeated."""
    random = np.random.default_rng(0)
    rows, width = size
    few = min(rows, 64)
    if kind is gguf.GGMLQuantizationType.Q4_0:
        data = gguf.quants.quantize(
            0.02 * random.standard_normal((few, width), dtype=np.float32), kind
        )
    else:
        block, wide = gguf.GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (few * width // block, wide), np.uint8)
        blocks[:, :4] = np.frombuffer(np.array([1e-4, 6e-4], np.float16).tobytes(), np.uint8)
        data = blocks.reshape(few, width // block * wide)
    return np.ascontiguousarray(np.resize(data, (rows, data.shape[1])))


def _add_vocabulary(writer: gguf.GGUFWriter, source: Path) -> None:
    if source.suffix == ".json":
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(source, Path(folder) / "tekken.json")
            vocabulary = MistralVocab(Path(folder))
            tokens, _, kinds = map(list, zip(*vocabulary.all_tokens(), strict=True))
            merges = vocabulary.extract_vocab_merges_from_model()
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("tekken")
        writer.add_token_list(tokens)
        writer.add_token_types([int(kind) for kind in kinds])
        writer.add_token_merges(merges)
    else:
        pieces = SentencePieceProcessor(str(source))
        count = range(pieces.vocab_size())
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list([pieces.id_to_piece(k).encode() for k in count])
        writer.add_token_scores([pieces.get_score(k) for k in count])
        writer.add_token_types([int(_kind(pieces, k)) for k in count])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


def _kind(pieces: SentencePieceProcessor, token: int) -> gguf.TokenType:
    if pieces.is_unknown(token):
        return gguf.TokenType.UNKNOWN
    if pieces.is_control(token):
        return gguf.TokenType.CONTROL
    return gguf.TokenType.BYTE if pieces.is_byte(token) else gguf.TokenType.NORMAL


if __name__ == "__main__":
    main()
