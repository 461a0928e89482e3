"""The page's own words, in each language that answers come in, from `locales/*.json`."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from starlette.requests import Request

from sovereign_rag.domain import LANGUAGES

COOKIE: Final = "srag_lang"
DEFAULT: Final = "en"
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


@cache
def locale(language: str) -> Locale:
    """The words of `language`, one of LANGUAGES."""
    path = _FOLDER / f"{language}.json"
    return Locale(language, json.loads(path.read_text(encoding="utf-8")))


def locale_of(request: Request) -> Locale:
    """What somebody chose (`?lang=`, else the cookie), else what their browser asks for."""
    for choice in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if choice in LANGUAGES:
            return locale(choice)
    return locale(_accepted(request.headers.get("accept-language", "")))


def _accepted(header: str) -> str:
    """The best of LANGUAGES in an Accept-Language header; the first named wins a tie."""
    best, best_weight = DEFAULT, 0.0
    for item in header.split(",")[:20]:
        tag, _, parameter = item.strip().partition(";")
        language = tag.strip().lower().partition("-")[0]
        try:
            weight = float(parameter.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if language in LANGUAGES and weight > best_weight:
            best, best_weight = language, weight
    return best
