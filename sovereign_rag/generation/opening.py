"""Opens the language model that the settings name: a server's, or a file on this machine."""

from collections.abc import Collection

from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.settings import Settings


def open_language_model(
    settings: Settings, *, public_prompts: Collection[str] = ()
) -> LanguageModel:
    """The model, by the header of its file alone; close it when done.

    Args:
        public_prompts: Beginnings of prompts that hold nothing of any tenant: all may share them.

    Raises:
        ModelMissing: The file isn't there, or no package ships one.
        ModelError: It is broken, no model to chat with, or not the expected one.
        SettingsError: The server's address may not be used.
    """
    if settings.generation.endpoint.urls:
        from sovereign_rag.generation.endpoint import EndpointModel

        return EndpointModel.open(settings.generation)
    from sovereign_rag.generation.llama_cpp import LlamaCppModel

    return LlamaCppModel.open(settings, public_prompts=public_prompts)
