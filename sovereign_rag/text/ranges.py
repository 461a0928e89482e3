"""Ranges between the numbers of a text, and thresholds: £100 to £500, more than 50, up to 12."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

from sovereign_rag.text.dates import Date
from sovereign_rag.text.lexicon import entries, whole_words
from sovereign_rag.text.numbers import Number, looks_like_a_year

_MANY: Final = math.inf


@dataclass(frozen=True, slots=True)
class Range:
    """From one value to another, both included; infinite where it is open."""

    low: float
    high: float
    unit: str

    def holds(self, number: Number) -> bool:
        """Whether a number lies in it; a year only in a range of years."""
        if number.unit and self.unit and number.unit != self.unit:
            return False
        ends = [end for end in (self.low, self.high) if math.isfinite(end)]
        if number.is_year and not all(looks_like_a_year(end) for end in ends):
            return False
        return any(self.low <= value <= self.high for value in number.readings)


def ranges(text: str, language: str | None, found: Sequence[Number]) -> list[Range]:
    """What lies between two of the numbers, or beyond one: "£100 to £500", "more than 50"."""
    made = []
    to = whole_words(language, "ranges", "to")
    opening = _ends_with(language, "from")
    for left, right in pairwise(found):
        between = text[left.end : right.start]
        plain = between.strip(" \u00a0\u202f$€£.%")
        dashed = plain in {"-", "–", "—"}
        if dashed or (to and to.fullmatch(plain) and _is_range(text, left, plain, opening)):
            low, high = min(left.readings), max(right.readings)
            if low < high:
                made.append(Range(low, high, right.unit or left.unit))
    more, less = _ends_with(language, "more"), _ends_with(language, "less")
    or_more, or_less = _begins_with(language, "or_more"), _begins_with(language, "or_less")
    for number in found:
        before = text[max(0, number.start - 30) : number.start].rstrip(" \u00a0$€£")
        value = min(number.readings)
        if (more and more.search(before)) or (or_more and or_more.match(text, number.end)):
            made.append(Range(value, _MANY, number.unit))
        elif (less and less.search(before)) or (or_less and or_less.match(text, number.end)):
            made.append(Range(-_MANY, value, number.unit))
    return made


def borders_time(text: str, language: str | None, found: Sequence[Date]) -> bool:
    """Whether one of the dates begins or ends a time: "from April 26th 2023 onwards"."""
    words = _ends_with(language, "date_border")
    return words is not None and any(
        words.search(text[max(0, date.start - 30) : date.start].rstrip()) for date in found
    )


def _is_range(text: str, left: Number, word: str, opening: re.Pattern[str] | None) -> bool:
    """Whether a word joins two ends: "to" does by itself, "and" only after "between"."""
    if word.casefold() in {"to", "bis", "à", "hasta", "al"}:
        return True
    before = text[max(0, left.start - 20) : left.start].rstrip(" \u00a0$€£")
    return bool(opening and opening.search(before))


@cache
def _ends_with(language: str | None, name: str) -> re.Pattern[str] | None:
    words = entries(language, "ranges").get(name)
    return re.compile(rf"(?<!\w)(?:{words})$", re.IGNORECASE) if words else None


@cache
def _begins_with(language: str | None, name: str) -> re.Pattern[str] | None:
    words = entries(language, "ranges").get(name)
    return re.compile(rf"[^\w.;]{{0,3}}\w*\s?(?:{words})(?!\w)", re.IGNORECASE) if words else None
