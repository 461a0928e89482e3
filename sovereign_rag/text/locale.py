"""Words for people, in each language that answers come in, from `locales/*.json`: the one store.

The page and the answers take them from here. Prompts, which are words for a model, stand in
`answering/prompts`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, TypeGuard

from sovereign_rag.domain import LANGUAGES, Language

DEFAULT: Final[Language] = "en"
_FOLDER = Path(__file__).parent / "locales"


@dataclass(frozen=True, slots=True)
class Locale:
    """The words of one language; an unknown key is a KeyError, in the tests at the latest."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        return self.texts[key].format(**values)

    def count(self, key: str, n: int) -> str:
        """`key.none`, `key.one` or `key.many`, whichever suits `n`."""
        form = {0: "none", 1: "one"}.get(n, "many")
        return self(f"{key}.{form}", n=n)

    def decimal(self, number: float) -> str:
        """One digit behind the comma, which is a point in English."""
        text = f"{number:.1f}"
        return text if self.language == "en" else text.replace(".", ",")


def speaks(language: str | None) -> TypeGuard[Language]:
    """Whether there are words in this language."""
    return language in LANGUAGES


@cache
def locale(language: Language) -> Locale:
    """The words of one language."""
    path = _FOLDER / f"{language}.json"
    return Locale(language, json.loads(path.read_text(encoding="utf-8")))
