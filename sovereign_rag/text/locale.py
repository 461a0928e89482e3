"""Words for people, in each language that answers come in, from `locales/`: the one store.

The page and the answers take them from here. A part of the page may keep its words in files of its
own, `PART.fr.json` beside `fr.json`. Prompts, which are words for a model, stand in
`answering/prompts`.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Final, TypeGuard

from sovereign_rag.domain import LANGUAGES, Language

DEFAULT: Final[Language] = "en"
_FOLDER = Path(__file__).parent / "locales"
_NO_BREAK: Final = (
    (re.compile(r"(?<=[\d}]) (?=(?:s|J|min|[MG]i[Bo])\b)"), "\N{NO-BREAK SPACE}"),  # units
)
_FRENCH: Final = (  # its punctuation never begins a line; it stands off by a blank
    (re.compile(r"(?<=«) | (?=[:»])"), "\N{NO-BREAK SPACE}"),
    (re.compile(r" (?=[;?!])|(?<=\d) (?=\d)"), "\N{NARROW NO-BREAK SPACE}"),
)


@dataclass(frozen=True, slots=True)
class Locale:
    """The words of one language; an unknown key is a KeyError, in the tests at the latest."""

    language: str
    texts: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        return self.texts[key].format(**values)

    @property
    def _region(self) -> str:
        """Whose dates and numbers: English as it is written in Europe."""
        return "en_GB" if self.language == "en" else self.language

    def count(self, key: str, n: int, **values: object) -> str:
        """`key.none`, `key.one` or `key.many`, whichever suits `n` in this language."""
        from babel import Locale as Rules

        form = "none"
        if n:
            form = "one" if Rules.parse(self._region).plural_form(n) == "one" else "many"
        return self(f"{key}.{form}", n=self.number(n), **values)

    def number(self, n: int) -> str:
        """A whole number, its digits in groups."""
        from babel.numbers import format_decimal

        return str(format_decimal(n, locale=self._region))

    def decimal(self, number: float) -> str:
        """One digit behind the comma, which is a point in English."""
        from babel.numbers import format_decimal

        return str(format_decimal(number, format="#,##0.0", locale=self._region))

    def percent(self, share: float) -> str:
        """A share of 1 in whole percent, cut and not rounded: 89.9 % do not reach 90."""
        from babel.numbers import format_percent

        return str(format_percent(math.floor(100 * share + 1e-9) / 100, locale=self._region))

    def date(self, day: date) -> str:
        """A day as people write it: 29 nov. 2026."""
        from babel.dates import format_date

        return str(format_date(day, format="medium", locale=self._region))

    def time(self, moment: datetime) -> str:
        """Day and time, in the zone that `moment` is in, which is named."""
        from babel.dates import format_time

        clock = format_time(moment, format="short", locale=self._region)
        return f"{self.date(moment)}, {clock} {moment.tzname() or ''}".rstrip()

    def language_name(self, code: str | None) -> str:
        """A language by its name in this one; an unknown code as it is, "–" for none."""
        from babel import Locale as Rules

        if not code:
            return "–"
        name = Rules.parse(self._region).languages.get(code)
        return str(name) if name else code


def speaks(language: str | None) -> TypeGuard[Language]:
    """Whether there are words in this language."""
    return language in LANGUAGES


def nearest_locale(language: str | None) -> "Locale":
    """The words of a language, English where we don't speak it."""
    return locale(language if speaks(language) else DEFAULT)


@cache
def locale(language: Language) -> Locale:
    """The words of one language."""
    texts: dict[str, str] = {}
    for path in (_FOLDER / f"{language}.json", *sorted(_FOLDER.glob(f"*.{language}.json"))):
        texts |= json.loads(path.read_text(encoding="utf-8"))
    places = (*_NO_BREAK, *_FRENCH) if language == "fr" else _NO_BREAK
    return Locale(language, {key: _with_no_breaks(text, places) for key, text in texts.items()})


def _with_no_breaks(text: str, places: Iterable[tuple[re.Pattern[str], str]]) -> str:
    for place, blank in places:
        text = place.sub(blank, text)
    return text
