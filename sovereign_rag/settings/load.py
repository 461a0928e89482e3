"""The only reader of the environment: `sovereign-rag.toml` and SOVEREIGN_RAG_* become `Settings`.

Read once, in `wiring.py` or by a command, and handed on as the section that each part needs.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import BaseModel, Field, PrivateAttr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from sovereign_rag.errors import SettingsError
from sovereign_rag.settings.answering import AnswerSettings, GenerationSettings, RetrievalSettings
from sovereign_rag.settings.console import ConsoleSettings
from sovereign_rag.settings.content import ContentSettings, EncryptionSettings
from sovereign_rag.settings.front_ends import FrontEndSettings
from sovereign_rag.settings.house import HouseSettings
from sovereign_rag.settings.identity import IdentitySettings
from sovereign_rag.settings.ingestion import (
    ChunkSettings,
    EmbeddingSettings,
    IngestSettings,
    ParseSettings,
)
from sovereign_rag.settings.labels import LabelSettings
from sovereign_rag.settings.limits import LimitSettings, SightSettings
from sovereign_rag.settings.metadata import MetadataSettings
from sovereign_rag.settings.retention import RetentionSettings
from sovereign_rag.settings.section import Section
from sovereign_rag.settings.service import ClientSettings, HistorySettings, ServerSettings
from sovereign_rag.settings.sources import AnySource, ArchiveSettings
from sovereign_rag.settings.storage import AuditSettings, CatalogSettings, StoreSettings
from sovereign_rag.settings.webhooks import WebhookSettings

PREFIX = "SOVEREIGN_RAG_"
FILE_NAME = "sovereign-rag.toml"
_NAMED_BY_THE_ADMIN = ("sources", "front_ends", "webhooks")
SOURCE_NAME = re.compile(r"[a-z][a-z0-9+-]{0,63}")


Origin = Literal["default", "file", "console", "environment", "command"]
"""Where a setting was said, the weakest first."""


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
    content: ContentSettings = ContentSettings()
    encryption: EncryptionSettings = EncryptionSettings()
    audit: AuditSettings = AuditSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    chunk: ChunkSettings = ChunkSettings()
    parse: ParseSettings = ParseSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    generation: GenerationSettings = GenerationSettings()
    server: ServerSettings = ServerSettings()
    history: HistorySettings = HistorySettings()
    identity: IdentitySettings = IdentitySettings()
    limits: LimitSettings = LimitSettings()
    sight: SightSettings = SightSettings()
    client: ClientSettings = ClientSettings()
    console: ConsoleSettings = ConsoleSettings()
    house: HouseSettings = HouseSettings()
    ingest: IngestSettings = IngestSettings()
    archives: ArchiveSettings = ArchiveSettings()
    labels: LabelSettings = LabelSettings()
    retention: RetentionSettings = RetentionSettings()
    metadata: MetadataSettings = MetadataSettings()
    sources: dict[str, AnySource] = Field(
        {}, description="Where documents come from, a section [sources.NAME] each: docs/sources.md."
    )

    front_ends: dict[str, FrontEndSettings] = Field(
        {},
        description="Front ends that act for their people, a section [front_ends.NAME] each: docs/integrations.md.",
    )
    webhooks: dict[str, WebhookSettings] = Field(
        {},
        description="Programs that are told when a job or a sync ends, a section [webhooks.NAME] each: docs/integrations.md.",
    )

    _origins: dict[str, Origin] = PrivateAttr(default_factory=dict)

    def origin(self, name: str) -> Origin:
        """Where the setting of a dotted name was said."""
        return self._origins.get(name, "default")

    @field_validator("sources")
    @classmethod
    def _source_names(cls, sources: dict[str, AnySource]) -> dict[str, AnySource]:
        for name in sources:
            if not SOURCE_NAME.fullmatch(name) or name in {"file", "upload"}:
                raise ValueError(
                    f"{name!r} can't name a source: take lower-case letters, digits and - +, "
                    "and neither file nor upload"
                )
        return sources

    @field_validator("webhooks")
    @classmethod
    def _webhook_names(cls, webhooks: dict[str, WebhookSettings]) -> dict[str, WebhookSettings]:
        for name in webhooks:
            if not SOURCE_NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} can't name a webhook: take lower-case letters, digits and - +"
                )
        return webhooks

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
        settings = Settings(**overrides)
        settings._origins.update(_origins(overrides, _toml_file))
        return settings
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
        if isinstance(info.annotation, type) and issubclass(info.annotation, Section):
            found += _walk(info.annotation, f"{prefix}{name}.")
        else:
            found.append((prefix + name, info.description or ""))
    return found


def _origins(overrides: Mapping[str, Any], file: Path | None) -> dict[str, Origin]:
    """Where each setting was said that was said at all; the strongest place."""
    content = {} if file is None else tomllib.loads(file.read_text(encoding="utf-8"))
    in_file, set_ = set(_keys(content, "")), {name.upper() for name in os.environ}
    found: dict[str, Origin] = {}
    for name in names():
        section = name.partition(".")[0]
        if section in overrides:
            found[name] = "command"
        elif variable(name) in set_ or PREFIX + section.upper() in set_:
            found[name] = "environment"
        elif any(key == name or key.startswith(f"{name}.") for key in in_file):
            found[name] = "file"
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
        if name.upper().startswith(tuple(f"{PREFIX}{s.upper()}__" for s in _NAMED_BY_THE_ADMIN)):
            continue  # what is in them is checked as a whole
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
    tables = tuple(f"{name}." for name in (*known, *_NAMED_BY_THE_ADMIN))  # whose keys are values
    for key in _keys(content, ""):
        if key not in known and not key.startswith(tables):
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
