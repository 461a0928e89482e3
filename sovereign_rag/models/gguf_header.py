"""What a GGUF file says of itself, read without loading it and without its tensors' bytes.

A reader of our own: the one of the package gguf makes an object of each of a vocabulary's
hundred thousand strings, which takes seconds.
"""

import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final

from sovereign_rag.errors import ModelError, ModelMissing

Scalar = int | float | bool | str

_HOW_TO_BRING: Final = (
    "Bring an instruction-tuned model in GGUF format, e.g. Mistral-7B-Instruct-v0.3.Q4_K_M.gguf, "
    "and set generation.model to its path."
)
_SCALARS: Final = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?"} | {
    10: "Q",
    11: "q",
    12: "d",
}
_STRING, _ARRAY = 8, 9
# Numbers in a block and bytes of it, by ggml's type id; for the check of the file's length. Q8_1
# (9) is left out: it stands in no file, and ggml and its Python package count it differently.
BLOCK_SIZES: Final = {
    **{0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34)},
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176)},
    **{14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98)},
    **{19: (256, 50), 20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136)},
    **{24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 29: (256, 56)},
    **{30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36)},
    **{41: (128, 18)},
}


QUANTIZATIONS: Final = {
    **{0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K"},
    **{11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S"},
    **{17: "Q5_K_M", 18: "Q6_K", 32: "BF16"},
}
"""llama.cpp's file types by their numbers."""


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """A language model's file, as far as its header tells."""

    path: Path
    size: int  # bytes
    name: str
    architecture: str
    parameters: int
    context_length: int  # tokens that the model was trained for
    chat_template: str  # jinja2
    tokenizer: str  # "llama": sentencepiece, "gpt2": byte-level BPE, ...
    bos_token: str  # "" where the vocabulary has none
    eos_token: str
    licence: str | None
    quantization: int | None  # llama.cpp's file type, e.g. 15: Q4_K_M


@dataclass(frozen=True, slots=True)
class _StringArray:
    """A list of strings that is passed over; kept to look up single ones."""

    at: int
    length: int


def read_header(path: Path) -> GgufHeader:
    """Read what `path` says of itself.

    Raises:
        ModelMissing: There is no such file.
        ModelError: It isn't a GGUF file, it is broken or cut short, it is one part of several,
            or it isn't a model to chat with (another kind of model, no chat template).
    """
    if not path.is_file():
        raise ModelMissing(f"The language model {path} is not there. {_HOW_TO_BRING}")
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ModelError(f"{path} is no GGUF file. {_HOW_TO_BRING}")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(path, data).header()
    except (OSError, struct.error, IndexError, UnicodeDecodeError) as error:
        raise ModelError(
            f"The header of {path} is broken or cut short ({error}). Copy the file again and "
            "compare its sha256 with the publisher's."
        ) from error


class _Reader:
    def __init__(self, path: Path, data: mmap.mmap) -> None:
        self._path, self._data, self._at = path, data, 4

    def header(self) -> GgufHeader:
        version = self._number("I")
        if version not in (2, 3):
            raise ModelError(
                f"{self._path} is GGUF version {version}; versions 2 and 3 are read. "
                "Bring a file made by a current llama.cpp."
            )
        tensors, pairs = self._number("Q"), self._number("Q")
        values: dict[str, Scalar | _StringArray | None] = {}
        for _ in range(pairs):
            key = self._string()
            values[key] = self._value(self._number("I"))
        self._refuse_parts(values)
        parameters = self._tensors(tensors, _integer(values, "general.alignment") or 32)
        architecture = _text(values, "general.architecture")
        context = _integer(values, f"{architecture}.context_length")
        template = _text(values, "tokenizer.chat_template")
        if not architecture or context is None or not parameters:
            raise ModelError(
                f"{self._path} does not say what model it is (architecture {architecture!r}, "
                f"context {context}, {parameters} parameters). {_HOW_TO_BRING}"
            )
        if not template:
            raise ModelError(
                f"{self._path} has no chat template: it is a base model that continues text, or "
                f"no language model at all (architecture {architecture!r}). {_HOW_TO_BRING}"
            )
        return GgufHeader(
            path=self._path,
            size=len(self._data),
            name=_text(values, "general.name") or self._path.stem,
            architecture=architecture,
            parameters=parameters,
            context_length=context,
            chat_template=template,
            tokenizer=_text(values, "tokenizer.ggml.model"),
            bos_token=self._token(values, "tokenizer.ggml.bos_token_id"),
            eos_token=self._token(values, "tokenizer.ggml.eos_token_id"),
            licence=_text(values, "general.license") or None,
            quantization=_integer(values, "general.file_type"),
        )

    def _refuse_parts(self, values: Mapping[str, object]) -> None:
        if isinstance(parts := values.get("split.count"), int) and parts > 1:
            raise ModelError(
                f"{self._path} is one of {parts} parts, and the hash of one says nothing of the "
                "others. Merge them: `llama-gguf-split --merge FIRST_PART WHOLE.gguf`."
            )

    def _tensors(self, count: int, alignment: int) -> int:
        """Pass over the tensors' descriptions; the parameters, once the file is long enough."""
        parameters = end = 0
        for _ in range(count):
            self._string()
            shape = [self._number("Q") for _ in range(self._number("I"))]
            kind, offset = self._number("I"), self._number("Q")
            block, size = BLOCK_SIZES.get(kind, (1, 0))
            parameters += prod(shape)
            end = max(end, offset + prod(shape) // block * size)
        start = -(-self._at // alignment) * alignment
        if start + end > len(self._data):
            raise ModelError(
                f"{self._path} is cut short: {len(self._data):,} of {start + end:,} bytes. Copy "
                "the file again and compare its sha256 with the publisher's."
            )
        return parameters

    def _value(self, kind: int) -> Scalar | _StringArray | None:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            number: Scalar = self._number(self._scalar(kind))
            return number
        element, length = self._number("I"), self._number("Q")
        if element == _STRING:
            found = _StringArray(self._at, length)
            for _ in range(length):
                self._skip_string()
            return found
        self._move(length * struct.calcsize(self._scalar(element)))
        return None

    def _token(self, values: Mapping[str, object], key: str) -> str:
        tokens, wanted = values.get("tokenizer.ggml.tokens"), values.get(key)
        if not isinstance(tokens, _StringArray) or not isinstance(wanted, int):
            return ""
        if not 0 <= wanted < tokens.length:
            raise IndexError(f"{key} is {wanted} of {tokens.length} tokens")
        self._at = tokens.at
        for _ in range(wanted):
            self._skip_string()
        return self._string()

    def _scalar(self, kind: int) -> str:
        if kind not in _SCALARS:
            raise IndexError(f"unknown type {kind} at byte {self._at}")
        return _SCALARS[kind]

    def _number(self, code: str) -> int:
        layout = struct.Struct(f"<{code}")
        (value,) = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        number: int = value
        return number

    def _string(self) -> str:
        length = self._number("Q")
        start = self._at
        self._move(length)
        return self._data[start : self._at].decode("utf-8")

    def _skip_string(self) -> None:
        at = self._at
        self._move(8 + int.from_bytes(self._data[at : at + 8], "little"))

    def _move(self, length: int) -> None:
        if self._at + length > len(self._data):
            raise IndexError(f"it ends at byte {len(self._data)}, within its header")
        self._at += length


def _text(values: Mapping[str, object], key: str) -> str:
    value = values.get(key)
    return value if isinstance(value, str) else ""


def _integer(values: Mapping[str, object], key: str) -> int | None:
    value = values.get(key)
    return value if isinstance(value, int) else None
