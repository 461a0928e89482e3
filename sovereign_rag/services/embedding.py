"""Vectors for integrators: texts of theirs, by the model that the documents were embedded with."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from sovereign_rag.access import Principal
from sovereign_rag.embedding.protocol import Embedder, Vectors
from sovereign_rag.errors import BadInput
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.system.admission import Admission

TextRole = Literal["query", "passage"]
"""A question, or what questions are held against: the model prefixes them differently."""

_BATCH: Final = 16  # texts of one turn: a long list lets others in between


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of texts, in order, and how many tokens they took."""

    vectors: Vectors
    tokens: int


class EmbeddingService:
    """Embeds on behalf of principals. No document is read; the record says who had how many."""

    def __init__(self, *, embedder: Embedder, audit: AuditTrail, admission: Admission) -> None:
        """`embedder` keeps nothing: nobody shall learn from the clock what others embedded."""
        self._embedder, self._audit, self._admission = embedder, audit, admission

    @property
    def model_id(self) -> str:
        return self._embedder.model_id

    @property
    def dimension(self) -> int:
        return self._embedder.dimension

    def embed(
        self,
        texts: Sequence[str],
        principal: Principal,
        *,
        role: TextRole,
        cancel: threading.Event | None = None,
    ) -> Embedded:
        """Embed `texts`, in order; rows have unit length.

        Raises:
            BadInput: A text is empty, or longer than the model's window.
            Busy: Too many ask at once; it tells when to come again.
            CallerLeft: `cancel` was set meanwhile.
            AuditError: It could not be recorded; nothing is released.
        """
        lengths = self._embedder.count_tokens(texts)
        for index, (text, length) in enumerate(zip(texts, lengths, strict=True)):
            if not text.strip():
                raise BadInput(f"The text at {index} is empty.")
            if length > self._embedder.max_tokens:
                raise BadInput(
                    f"The text at {index} has {length} tokens, the model takes "
                    f"{self._embedder.max_tokens}. Cut it into pieces."
                )
        made = [
            self._batch(texts[start : start + _BATCH], principal, role, cancel)
            for start in range(0, len(texts), _BATCH)
        ]
        detail = {"texts": len(texts), "role": role, "model": self._embedder.model_id}
        self._audit.append(entry("embed", principal, detail))
        return Embedded(np.concatenate(made), sum(lengths))

    def _batch(
        self,
        texts: Sequence[str],
        principal: Principal,
        role: TextRole,
        cancel: threading.Event | None,
    ) -> Vectors:
        with self._admission.turn(principal.tenant, principal.user, cancel):
            if role == "query":
                return self._embedder.embed_queries(texts)
            return self._embedder.embed_passages(texts, urgent=True)
