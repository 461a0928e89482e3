"""Models of BERT's build computed by a few calls of PyTorch, many texts at once without padding.

The libraries that read any model take seconds to import, fill texts up to the longest of a batch,
and ask the system for new memory at every step. Here the tokens of all texts stand in one long
row, and only attention looks at each text by itself.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Self

from safetensors import safe_open

from sovereign_rag.embedding.folder import ModelFolder

if TYPE_CHECKING:
    from torch import Tensor, dtype

_FIRST_POSITION: Final = {"bert": 0, "roberta": 1, "xlm-roberta": 1}  # beyond the padding's id
_ROW_OF_TOKENS: Final = 2_048  # that scratch memory is made for at first
_WORDS: Final = "embeddings.word_embeddings.weight"


@dataclass(frozen=True, slots=True)
class _Dense:
    """A linear layer; `weight` is transposed, shape (in, out)."""

    weight: "Tensor"
    bias: "Tensor"


@dataclass(frozen=True, slots=True)
class _Norm:
    weight: "Tensor"
    bias: "Tensor"


@dataclass(frozen=True, slots=True)
class _Layer:
    query_key_value: _Dense
    attended: _Dense
    attended_norm: _Norm
    up: _Dense
    down: _Dense
    norm: _Norm


class BertEncoder:
    """Tokens -> one vector a text. Any number of threads may call it."""

    @classmethod
    def open(cls, folder: ModelFolder, precision: "dtype") -> Self | None:
        """The model of a folder, or None where it is built in another way than is computed here.

        The weights are mapped from the file, not read: only words that occur take memory.

        Raises:
            OSError, SafetensorError: The weights can't be read.
        """
        config = json.loads((folder.transformer / "config.json").read_text(encoding="utf-8"))
        weights = folder.transformer / "model.safetensors"
        if not weights.is_file() or not _is_known(config) or folder.pooling is None:
            return None
        with safe_open(weights, "pt") as file:
            stored = _Stored(file, precision)
            return cls(config, stored, folder.pooling) if stored.holds_bert else None

    def __init__(self, config: dict[str, Any], stored: "_Stored", pooling: str) -> None:
        self._heads = int(config["num_attention_heads"])
        self._epsilon = float(config["layer_norm_eps"])
        self._is_mean = pooling == "mean"
        self._precision = stored.precision
        kind = str(config["model_type"])
        first = _FIRST_POSITION[kind]
        if first:
            first += int(config["pad_token_id"])
        self._words = stored.tensor(_WORDS)
        self._places = (
            stored.tensor("embeddings.position_embeddings.weight")[first:]
            + stored.tensor("embeddings.token_type_embeddings.weight")[0]
        )
        self._norm = stored.norm("embeddings.LayerNorm")
        self._layers = [
            stored.layer(f"encoder.layer.{number}.")
            for number in range(int(config["num_hidden_layers"]))
        ]
        self._scratch = threading.local()

    def __call__(self, batch: Sequence[Sequence[int]]) -> "Tensor":
        """Vectors of texts given as token ids; float32, shape (texts, width), of any length."""
        import torch

        with torch.inference_mode():
            lengths = [len(tokens) for tokens in batch]
            rows = self._embedded(batch)
            for layer in self._layers:
                rows = self._through(layer, rows, lengths)
            parts = rows.float().split(lengths)
            return torch.stack([part.mean(0) if self._is_mean else part[0] for part in parts])

    def _embedded(self, batch: Sequence[Sequence[int]]) -> "Tensor":
        import torch

        ids = torch.tensor([token for tokens in batch for token in tokens])
        rows = self._words[ids]
        rows += torch.cat([self._places[: len(tokens)] for tokens in batch])
        return self._normed(self._norm, rows.to(self._precision))

    def _through(self, layer: _Layer, rows: "Tensor", lengths: Sequence[int]) -> "Tensor":
        import torch

        split = self._linear(layer.query_key_value, rows, "split")
        attended = self._attention(split, lengths)
        mixed = self._linear(layer.attended, attended, "mixed")
        rows = self._normed(layer.attended_norm, mixed.add_(rows))
        raised = self._linear(layer.up, rows, "raised")
        torch.ops.aten.gelu_(raised)
        lowered = self._linear(layer.down, raised, "mixed")
        return self._normed(layer.norm, lowered.add_(rows))

    def _attention(self, split: "Tensor", lengths: Sequence[int]) -> "Tensor":
        """Each token looks at those of its own text; texts of one length are computed together."""
        from torch.nn.functional import scaled_dot_product_attention

        width = split.shape[1] // 3
        out = self._room("attended", split.shape[0], width)
        for start, texts, length in _runs(lengths):
            end = start + texts * length
            heads = split[start:end].view(texts, length, 3, self._heads, width // self._heads)
            query, key, value = heads.permute(2, 0, 3, 1, 4)
            found = scaled_dot_product_attention(query, key, value)
            out[start:end].view(texts, length, self._heads, -1).copy_(found.transpose(1, 2))
        return out

    def _linear(self, dense: _Dense, rows: "Tensor", place: str) -> "Tensor":
        import torch

        out = self._room(place, rows.shape[0], dense.weight.shape[1])
        return torch.addmm(dense.bias, rows, dense.weight, out=out)

    def _normed(self, norm: _Norm, rows: "Tensor") -> "Tensor":
        from torch.nn.functional import layer_norm

        return layer_norm(rows, (rows.shape[1],), norm.weight, norm.bias, self._epsilon)

    def _room(self, place: str, rows: int, width: int) -> "Tensor":
        """Memory of this thread, used again at every layer: new pages cost as much as the sums."""
        import torch

        kept: dict[str, Tensor] = self._scratch.__dict__
        room = kept.get(place)
        if room is None or room.shape[0] < rows:
            most = max(rows, _ROW_OF_TOKENS)
            room = kept[place] = torch.empty(most, width, dtype=self._precision)
        return room[:rows]


class _Stored:
    """The tensors of a file, by BERT's names."""

    def __init__(self, file: Any, precision: "dtype") -> None:
        self._file, self.precision = file, precision
        self._names = set(file.keys())
        # A model saved with the head of its training has its own name before each tensor's.
        found = [name for name in self._names if name.endswith(_WORDS)]
        self._prefix = found[0].removesuffix(_WORDS) if len(found) == 1 else None

    @property
    def holds_bert(self) -> bool:
        """Whether they are named as is usual."""
        first_layer = "encoder.layer.0.attention.self.query.weight"
        return self._prefix is not None and self._prefix + first_layer in self._names

    def tensor(self, name: str) -> "Tensor":
        tensor: Tensor = self._file.get_tensor(f"{self._prefix}{name}")
        return tensor

    def norm(self, name: str) -> _Norm:
        return _Norm(self._precise(f"{name}.weight"), self._precise(f"{name}.bias"))

    def layer(self, name: str) -> _Layer:
        return _Layer(
            self._dense(*(f"{name}attention.self.{part}" for part in ("query", "key", "value"))),
            self._dense(f"{name}attention.output.dense"),
            self.norm(f"{name}attention.output.LayerNorm"),
            self._dense(f"{name}intermediate.dense"),
            self._dense(f"{name}output.dense"),
            self.norm(f"{name}output.LayerNorm"),
        )

    def _dense(self, *names: str) -> _Dense:
        """Layers that read the same rows, as one."""
        import torch

        weight = torch.cat([self._precise(f"{name}.weight") for name in names])
        return _Dense(weight.t(), torch.cat([self._precise(f"{name}.bias") for name in names]))

    def _precise(self, name: str) -> "Tensor":
        return self.tensor(name).to(self.precision)


def _is_known(config: dict[str, Any]) -> bool:
    """Whether what a model does beside BERT's sums is nothing."""
    return (
        config.get("model_type") in _FIRST_POSITION
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
    )


def _runs(lengths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Neighbours of one length: where they start, how many, and how long each is."""
    start = 0
    for length, group in groupby(lengths):
        texts = len(list(group))
        yield start, texts, length
        start += texts * length
