"""Whether a model's own words are given where the settings leave it open, and what says so.

Where it sat the exam (`exam`), its result does. Until then its size does, or for a server of the
tenant's network the admin, who knows what stands behind it.
"""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal, Protocol

from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.settings import GenerationSettings


@dataclass(frozen=True, slots=True)
class Trust:
    """What is held of a model in one language, and by what. The counts are the exam's."""

    trusted: bool
    by: Literal["exam", "prior"]
    questions: int = 0
    right: int = 0  # by the model
    extracts_right: int = 0  # by the best sentences of the passages


class TrustPolicy(Protocol):
    """Says whether a model is trusted, and is told when somebody asks a question."""

    def judge(self, language_model: LanguageModel, language: str) -> Trust:
        """Whether `language_model` is trusted to write in `language`, ISO 639-1."""
        ...

    def question(self) -> AbstractContextManager[None]:
        """A question is being answered: whatever can wait, waits."""
        ...


@dataclass(frozen=True, slots=True)
class Unexamined:
    """Goes by what is known without an exam."""

    settings: GenerationSettings

    def judge(self, language_model: LanguageModel, language: str) -> Trust:
        del language  # size is the same in all
        least = self.settings.trusted_from_parameters
        return Trust(language_model.info.is_capable(from_parameters=least), "prior")

    def question(self) -> AbstractContextManager[None]:
        return nullcontext()
