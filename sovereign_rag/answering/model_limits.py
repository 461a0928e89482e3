"""What of documents the language model may see, by their level."""

from collections.abc import Iterable
from dataclasses import dataclass

from sovereign_rag.domain import Passage
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.settings import GenerationSettings, LabelSettings


@dataclass(frozen=True, slots=True)
class ModelLimits:
    """For the model of this installation: in this process, or at an endpoint."""

    labels: LabelSettings
    generation: GenerationSettings

    def may_see(self, level: int | None) -> bool:
        """Whether words of this level may be in a prompt; None: nobody knows which."""
        if self.generation.endpoint.urls:
            return bool(self.endpoints(level))
        return self.labels.model_may_see(level, is_local=True)

    def endpoints(self, *levels: int | None) -> frozenset[str] | None:
        """The addresses to which words of each of these levels may be sent; None: none writes."""
        urls = self.generation.endpoint.urls
        allowed = (self.labels.endpoints_that_may_see(level, urls) for level in levels)
        return frozenset(urls).intersection(*allowed) if urls else None


def high_water(passages: Iterable[Passage], turns: Iterable[Turn] = ()) -> int:
    """The highest level of passages, and of answers that a conversation went on from."""
    levels = [passage.level for passage in passages]
    levels += [turn.level for turn in turns if turn.level is not None]
    return max(levels, default=0)
