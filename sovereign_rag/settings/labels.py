"""What a document's level limits beside who reads it: which model sees it, what is taken along."""

from collections.abc import Sequence
from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from sovereign_rag.settings.section import Section

_OPENNESS = {"none": 0, "local": 1, "any": 2}


class LevelRule(Section):
    """For documents of a level and all above it, up to the next rule's."""

    level: PositiveInt
    model: Literal["none", "local", "any"] = Field(
        "any", description="local: a model in this process, and no endpoint but `endpoints`."
    )
    endpoints: tuple[str, ...] = Field(
        (),
        description="Of generation.endpoint.urls, those that may see it where `model` is local.",
    )
    take_along: bool = Field(
        True, description="Whether originals, texts and answers may be downloaded or exported."
    )


class LabelSettings(Section):
    """Limits by level. An answer has the highest level of what it was drawn from."""

    levels: tuple[LevelRule, ...] = Field(
        (),
        description='From a level on: `model` ("none", "local", "any") says which language model may see it, `endpoints` which endpoints beside a local one, `take_along` whether it may be downloaded or exported: docs/security.md.',
    )

    @model_validator(mode="after")
    def _never_looser(self) -> Self:
        for lower, higher in zip(self.levels, self.levels[1:], strict=False):
            if lower.level >= higher.level:
                raise ValueError("the levels of labels.levels ascend, each named once")
            if _OPENNESS[higher.model] > _OPENNESS[lower.model]:
                raise ValueError(f"level {higher.level} lets more models see it than lower ones")
            if lower.model != "any" and not set(higher.endpoints) <= set(lower.endpoints):
                raise ValueError(f"level {higher.level} lets more endpoints see it than lower ones")
            if higher.take_along and not lower.take_along:
                raise ValueError(f"level {higher.level} may be taken along, and a lower one not")
        if any(rule.endpoints and rule.model != "local" for rule in self.levels):
            raise ValueError('endpoints of a level are listed where its model is "local"')
        return self

    def model_may_see(self, level: int | None, *, is_local: bool) -> bool:
        """Whether words of this level may be in a prompt; None: of an unknown level."""
        rule = self._rule(level)
        return rule is None or rule.model == "any" or (rule.model == "local" and is_local)

    def endpoints_that_may_see(self, level: int | None, urls: Sequence[str]) -> frozenset[str]:
        """Of addresses of `generation.endpoint.urls`, those to which words of this level may go."""
        rule = self._rule(level)
        if rule is None or rule.model == "any":
            return frozenset(urls)
        return frozenset(urls) & frozenset(rule.endpoints)

    def may_be_taken_along(self, level: int) -> bool:
        """Whether it may leave as a file."""
        rule = self._rule(level)
        return rule is None or rule.take_along

    def _rule(self, level: int | None) -> LevelRule | None:
        """What is not known may be of the highest level."""
        held = [rule for rule in self.levels if level is None or rule.level <= level]
        return held[-1] if held else None
