"""One prompt for a model that has just been brought, in a process of its own."""

from typing import Final

from sovereign_rag.generation.llama_cpp import LlamaCppModel, ModelFile
from sovereign_rag.generation.protocol import CompletionRequest, Message
from sovereign_rag.models.gguf_header import GgufHeader
from sovereign_rag.settings import GenerationSettings

_PROMPT: Final = (
    Message("system", "You answer in one short sentence."),
    Message("user", "What is the capital of France?"),
)
_CONTEXT_TOKENS: Final = 512


def try_model(header: GgufHeader, *, sha256: str, max_tokens: int) -> str:
    """Load the model, ask it something, and give back what it said.

    Raises:
        ModelError: llama.cpp can't load it, or its template takes no messages.
        GenerationError: Its process died.
    """
    settings = GenerationSettings(context_tokens=_CONTEXT_TOKENS, slots=1)
    language_model = LlamaCppModel(ModelFile(header, sha256), settings)
    try:
        pieces = language_model.stream(
            CompletionRequest(_PROMPT, tenant="trial", max_tokens=max_tokens)
        )
        return "".join(piece.text for piece in pieces).strip()
    finally:
        language_model.close()
