"""The small model, opened as the tests need it."""

from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import Message
from sovereign_rag.settings import GenerationSettings, Settings

SYSTEM = Message("system", "You answer from the passages. " + "Be brief, exact and honest. " * 16)


def opened(settings: Settings, **changes: object) -> LlamaCppModel:
    # The block is pinned: what was measured for this machine before would have another.
    generation = GenerationSettings.model_validate(
        {"slots": 2, "context_tokens": 4096, "tune": False, "block_tokens": 64} | changes
    )
    return LlamaCppModel.open(
        settings.model_copy(update={"generation": generation}), public_prompts=[SYSTEM.content]
    )
