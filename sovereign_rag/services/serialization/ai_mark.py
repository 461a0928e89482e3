"""What tells a machine that an AI system gave an answer, and whether a model wrote it."""

from typing import Final, Self

from pydantic import Field

from sovereign_rag.domain import Answer, AnswerKind
from sovereign_rag.services.serialization.body import Body

SOURCE_TYPES: Final = {
    True: "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
    False: "http://cv.iptc.org/newscodes/digitalsourcetype/algorithmicallyEnhanced",
}
"""IPTC's terms: of words that a model wrote, and of others' words that were chosen by one."""


DISCLOSURE: Final = "AI-Disclosure"
"""The header's name, as drafted at the IETF (draft-abaris-aicdh)."""


class AiMarkOut(Body):
    """Machine-readable: who wrote this (AI Act, article 50)."""

    is_ai_system: bool = Field(description="Always true: a program answers, no person.")
    written_by_model: bool = Field(
        description="Whether the words are a language model's; else they are the documents' own, "
        "chosen by one."
    )
    model: str | None = Field(description="Which one; null: none wrote.")
    digital_source_type: str = Field(description="IPTC's term for it.")

    @classmethod
    def of(cls, answer: Answer) -> Self:
        is_written = answer.kind is AnswerKind.GENERATED
        return cls(
            is_ai_system=True,
            written_by_model=is_written,
            model=answer.model if is_written else None,
            digital_source_type=SOURCE_TYPES[is_written],
        )

    @property
    def header(self) -> str:
        """The same as the value of an `AI-Disclosure` header."""
        return disclosure("machine-generated" if self.written_by_model else "ai-modified")


def disclosure(mode: str) -> str:
    return f'mode={mode}; provider="sovereign-rag"'
