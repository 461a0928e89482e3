"""What a text names as values: numbers with units, dates, times, identifiers.

Two notations of one value are equal, two values are not, however alike they are written. Digits
of a name (37signals) and of an identifier (an IBAN, a file reference) are no numbers.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sovereign_rag.text.dates import Date, Time, dates, times
from sovereign_rag.text.folding import compatible
from sovereign_rag.text.identifiers import iban
from sovereign_rag.text.numbers import Number, looks_like_a_year, numbers
from sovereign_rag.text.ranges import Range, borders_time, ranges

_BLANK: Final = "\x1f"  # stands where a value was taken out: no letter, digit or space
_MARKER: Final = re.compile(
    r"(?m)^[ \t]*(?:\(?\d{1,3}[a-z]?[.)]|[-*•–▪◦#]+)(?:[ \t]+|$)|\[\d{1,2}\]"
)
_IBAN: Final = re.compile(
    r"\b[A-Z]{2}\d{2}(?:\s?[A-Z0-9]{4}){2,7}(?:\s?[A-Z0-9]{1,3})?\b", re.IGNORECASE
)
_NAME: Final = re.compile(r"(?<![\w])(?=[\w./:+-]*\d)(?=[\w./:+-]*[^\W\d_])\w+(?:[-./_:+]\w+)*")
_DIGIT_RUN: Final = re.compile(r"(?<![\w.,])(?:\+?\d+(?:[ \u00a0/-]\d+)+|0\d{4,})(?![\w]|[.,]\d)")
_GROUPED: Final = re.compile(r"\d{1,3}(?:[ \u00a0]\d{3})+")
_YEARS: Final = re.compile(r"(?:1[5-9]|20)\d\d(?:[ /-](?:1[5-9]|20)?\d\d)+")
_NUMBER_FIRST: Final = re.compile(r"\d+(?:[.,]\d+)?(?:-[^\W\d_]+)+")  # 6-week, 30-Tage-Frist
_YEAR_LAST: Final = re.compile(r"[a-zäöüéèàçñ]+-\d+")  # mid-2019
_UNIT_STUCK: Final = re.compile(
    r"\d+(?:[.,]\d+)?(?:[kK]|[mM]|bn|%|€|[a-zµ]{1,3}|[kMGT]?[WBg]h?|CHF|EUR|°[CF])(?![\w])"
)
_SQUARE: Final = re.compile(r"(?<=[^\W\d_])²")  # of a unit: m²
_LEAST_CODE: Final = 8  # digits of a number in groups that is a code: a telephone's, an account's


Value = Number | Date | Time | str
"""A string is an identifier, or a name that holds digits."""


@dataclass(frozen=True, slots=True)
class Values:
    """The values that a text names, in its order."""

    numbers: tuple[Number, ...]
    dates: tuple[Date, ...]
    times: tuple[Time, ...]
    codes: tuple[str, ...]  # identifiers and names that hold digits: letters and digits, folded
    ranges: tuple[Range, ...]
    borders_time: bool  # whether one of the dates begins or ends a time
    compact: str  # the whole text's letters and digits, folded

    @property
    def years(self) -> frozenset[int]:
        found = {year for date in self.dates for year, _, _ in date.readings if year is not None}
        return frozenset(found) | {
            int(value) for n in self.numbers for value in n.readings if looks_like_a_year(value)
        }

    def lacking(self, said: "Values", *, given: "Values | None" = None) -> list[Value]:
        """The values of `said` that these don't hold.

        Args:
            given: Numbers that are asked about: one is held by a range that it lies in as well.
        """
        lacking: list[Value] = [
            number
            for number in said.numbers
            if not self._has_number(number)
            and not (
                given is not None
                and given.name(number)
                and any(r.holds(number) for r in self.ranges)
            )
        ]
        lacking += [d for d in said.dates if not self._has_date(d)]
        lacking += [t for t in said.times if not self._has_time(t)]
        lacking += [code for code in said.codes if not self.has_code(code)]
        return lacking

    def name(self, number: Number) -> bool:
        """Whether a number stands here, in any notation."""
        return any(number.agrees(other) for other in self.numbers)

    def _has_number(self, number: Number) -> bool:
        if self.name(number):
            return True
        if number.spelled and not number.unit and max(number.readings) <= 2:
            return True  # "both", "one of them": too loose to be held against it
        whole = {int(value) for value in number.readings if value == int(value)}
        if not number.unit and whole & self.years:
            return True
        if number.unit in {"", "hour"} and any(
            time.minutes / 60 in number.readings for time in self.times
        ):
            return True
        return any(len(str(value)) >= 5 and self.has_code(str(value)) for value in whole)

    def _has_date(self, date: Date) -> bool:
        return any(date.agrees(other, self.years) for other in self.dates)

    def _has_time(self, time: Time) -> bool:
        if any(time.minutes == other.minutes for other in self.times):
            return True
        return any(
            number.unit in {"", "hour"} and time.minutes / 60 in number.readings
            for number in self.numbers
        )

    def has_code(self, code: str) -> bool:
        """Whether an identifier stands here, however its parts are joined."""
        left = r"(?<!\d)" if code[:1].isdigit() else ""
        right = r"(?!\d)" if code[-1:].isdigit() else ""
        return code in self.compact and bool(
            re.search(left + re.escape(code) + right, self.compact)
        )

    def normal_forms(self, *, narrow: bool = False) -> Iterator[str]:
        """One word for each value whose notations share none: days, months, times, fractions.

        A whole number is its digits; a small one, in digits anyway, has none. A day has its month
        beside, unless `narrow`.
        """
        for date in self.dates:
            yield from date.narrow_forms if narrow else date.normal_forms
        for time in self.times:
            yield time.normal_form
        for number in self.numbers:
            for value in sorted(number.readings):
                if value != int(value):
                    yield f"{value:.9g}"
                elif abs(value) >= 1000 or (number.spelled and value > 2):
                    yield str(int(value))


@lru_cache(maxsize=8192)
def values(text: str, language: str | None) -> Values:
    """`read_values`, kept for a while: a sentence is compared with many."""
    return read_values(text, language)


def read_values(text: str, language: str | None) -> Values:
    """Read the values of `text`; in a language without a lexicon, those in digits."""
    text = _SQUARE.sub("\ue000", text.replace("\u202f", "\u00a0"))
    text = compatible(text).replace("\ue000", "²")
    compact = _compact(text)
    rest = _MARKER.sub(lambda m: _BLANK * len(m[0]), text)
    codes: list[str] = []
    rest = _taken(rest, [_iban_span(m) for m in _IBAN.finditer(rest)], codes)
    found_dates = dates(rest, language)
    bordering = borders_time(rest, language, found_dates)
    rest = _blanked(rest, [(d.start, d.end) for d in found_dates])
    found_times = times(rest, language)
    rest = _blanked(rest, [(t.start, t.end) for t in found_times])
    rest = _taken(rest, [m.span() for m in _NAME.finditer(rest) if _is_name(m[0])], codes)
    rest = _taken(rest, [m.span() for m in _DIGIT_RUN.finditer(rest) if _is_code(m[0])], codes)
    found = numbers(rest, language)
    return Values(
        tuple(found),
        tuple(found_dates),
        tuple(found_times),
        tuple(codes),
        tuple(ranges(rest, language, found)),
        bordering,
        compact,
    )


def _iban_span(match: re.Match[str]) -> tuple[int, int]:
    return match.start(), match.start() + len(iban(match[0].casefold()))


def _is_name(found: str) -> bool:
    """Whether letters and digits together are a name, not a number with its unit or rank."""
    if _NUMBER_FIRST.fullmatch(found) or _YEAR_LAST.fullmatch(found):
        return False
    return not _UNIT_STUCK.fullmatch(found)


def _is_code(found: str) -> bool:
    if _GROUPED.fullmatch(found) or _YEARS.fullmatch(found):
        return False
    if found.startswith("0") and found.isdigit():
        return True
    groups = re.split(r"[ \u00a0/-]", found.lstrip("+"))
    return sum(map(len, groups)) >= _LEAST_CODE and len(groups) > 1


def _taken(text: str, spans: Sequence[tuple[int, int]], codes: list[str]) -> str:
    codes += [_compact(text[start:end]) for start, end in spans]
    return _blanked(text, spans)


def _blanked(text: str, spans: Sequence[tuple[int, int]]) -> str:
    for start, end in spans:
        text = text[:start] + _BLANK * (end - start) + text[end:]
    return text


def _compact(text: str) -> str:
    return re.sub(r"[\W_]", "", text.casefold())
