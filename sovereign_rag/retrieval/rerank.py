"""The best passages, weighed again by a model that reads question and passage together."""

import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self

from sovereign_rag.domain import Passage
from sovereign_rag.errors import ModelError, ModelMissing
from sovereign_rag.models.manifest import model_hash, require_hash
from sovereign_rag.settings import Settings

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder

_BATCH = 16


class Reranker(Protocol):
    """Puts passages that were found into a better order; the seam behind which a model lives."""

    @property
    def model_id(self) -> str:
        """Short stable name with a hash of the weights."""
        ...

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        """All of `passages`, best first by the model.

        `score_parts` gets "rerank", the model's own score: comparable within one search only.
        `score` stays what the search gave it: the thresholds of an answer are held against it.

        Raises:
            ModelError: The model can't be loaded, or fails.
        """
        ...


class CrossEncoderReranker:
    """A cross-encoder in a folder of sentence-transformers; any number of threads may call it.

    The weights are loaded by `warm_up`, else at the first use. One question is weighed at a time:
    a model of some hundred million parameters keeps all cores busy by itself.
    """

    def __init__(self, folder: Path, *, sha256: str, max_tokens: int = 512) -> None:
        """
        Args:
            sha256: The folder's hash; it becomes part of `model_id`.
            max_tokens: Of question and passage together; a longer passage is cut for the model.

        Raises:
            ModelMissing: There is no such folder.
        """
        if not folder.is_dir():
            raise ModelMissing(
                f"There is no reranking model at {folder}. Copy a cross-encoder's folder there, "
                "or unset retrieval.reranker."
            )
        self._folder, self._max_tokens = folder, max_tokens
        self._model_id = f"{folder.resolve().name}-{sha256[:8]}"
        self._one_at_a_time = threading.Lock()
        self._loading: threading.Thread | None = None

    @classmethod
    def open(cls, settings: Settings) -> Self | None:
        """The reranker that the settings name; None: they name none.

        Raises:
            ModelMissing: It isn't on this machine.
            ModelError: It can't be read, or isn't the expected one.
        """
        folder = settings.retrieval.reranker
        if folder is None:
            return None
        if not folder.is_dir():
            return cls(folder, sha256="")  # says what is missing
        sha256 = model_hash(folder, models_dir=settings.models_dir)
        require_hash(
            folder, sha256, settings.retrieval.reranker_sha256, "retrieval.reranker_sha256"
        )
        return cls(folder, sha256=sha256)

    @property
    def model_id(self) -> str:
        return self._model_id

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        if not passages:
            return []
        pairs = [(question, passage.chunk.embedded_text) for passage in passages]
        with self._one_at_a_time:
            try:
                scores = self._model.predict(pairs, batch_size=_BATCH, show_progress_bar=False)
            except (RuntimeError, ValueError, IndexError) as error:
                raise ModelError(
                    f"The reranking model {self._model_id} failed: {error}. Is it a cross-encoder "
                    "with one score? If not, unset retrieval.reranker."
                ) from error
        if scores.shape != (len(passages),):
            raise ModelError(
                f"{self._model_id} gives {scores.shape[1:]} numbers a passage, a reranker gives "
                "one. Set retrieval.reranker to another model."
            )
        weighed = [
            replace(passage, score_parts={**passage.score_parts, "rerank": float(score)})
            for passage, score in zip(passages, scores, strict=True)
        ]
        return sorted(weighed, key=lambda passage: -passage.score_parts["rerank"])

    def warm_up(self) -> None:
        """Begin to load the weights, without waiting for it; a failure shows at the first use."""
        if self._loading is None:
            self._loading = threading.Thread(target=self._load, name="reranker", daemon=True)
            self._loading.start()

    def close(self) -> None:
        if self._loading is not None:
            self._loading.join()

    def unload(self) -> None:
        """Let go of the weights; the next use loads them anew."""
        with self._one_at_a_time:
            vars(self).pop("_model", None)

    def _load(self) -> None:
        with self._one_at_a_time, suppress(ModelError):
            _ = self._model

    @cached_property
    def _model(self) -> "CrossEncoder":
        from sentence_transformers import CrossEncoder
        from transformers.utils import logging

        logging.disable_progress_bar()
        try:
            return CrossEncoder(
                str(self._folder),
                device="cpu",
                max_length=self._max_tokens,
                local_files_only=True,
                trust_remote_code=False,
            )
        except Exception as error:  # the libraries raise whatever their readers do
            raise ModelError(
                f"The reranking model {self._folder} can't be loaded: {error}. Copy the folder "
                "again, whole, or unset retrieval.reranker."
            ) from error
