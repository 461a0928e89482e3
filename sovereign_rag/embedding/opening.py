"""Opens the embedding model that the settings name: here, or by a server of the own network."""

from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.endpoint import EndpointEmbedder
from sovereign_rag.settings import Settings

OpenedEmbedder = DenseEmbedder | EndpointEmbedder
"""To be closed when done."""


def open_embedder(settings: Settings) -> OpenedEmbedder:
    """The embedder of `settings.embedding`.

    Raises:
        ModelMissing: The model isn't on this machine.
        ModelError: It can't be read, or isn't the expected one.
        SettingsError: An endpoint's address may not be used.
    """
    if settings.embedding.endpoint.urls:
        return EndpointEmbedder.open(settings)
    return DenseEmbedder.open(settings)
