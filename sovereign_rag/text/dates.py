"""Dates and times of the day in a text as values: 3. Oktober 2018, 2018-10-03, 03.10.2018 are one.

In the five languages; in another, those that are written in digits. Where a notation can be read
in two ways (03/10/2018 in English), both readings are kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from sovereign_rag.text.lexicon import entries

Reading = tuple[int | None, int, int | None]  # year, month, day; None where it is not said


@dataclass(frozen=True, slots=True)
class Date:
    """A day, a month of a year, or a day or month of any year."""

    start: int
    end: int
    readings: frozenset[Reading]

    @property
    def is_a_day(self) -> bool:
        """Whether it is one day of one year."""
        return all(None not in reading for reading in self.readings)

    def agrees(self, other: "Date", years: frozenset[int]) -> bool:
        """Whether all that this date says is said by `other`.

        Args:
            years: That stand around `other`, where it has none of its own.
        """
        return any(
            month == other_month
            and (day is None or day == other_day)
            and (year is None or year == other_year or (other_year is None and year in years))
            for year, month, day in self.readings
            for other_year, other_month, other_day in other.readings
        )

    @property
    def normal_forms(self) -> Iterator[str]:
        """2018-10-03 and its month, 2018-10; none without a year."""
        for year, month, day in sorted(self.readings, key=str):
            if year is not None:
                yield f"{year:04d}-{month:02d}"
                if day is not None:
                    yield f"{year:04d}-{month:02d}-{day:02d}"

    @property
    def narrow_forms(self) -> Iterator[str]:
        """The day alone, or the month where no day is said."""
        for year, month, day in sorted(self.readings, key=str):
            if year is not None:
                yield f"{year:04d}-{month:02d}" + (f"-{day:02d}" if day is not None else "")


@dataclass(frozen=True, slots=True)
class Time:
    """A time of the day."""

    start: int
    end: int
    minutes: int  # since midnight

    @property
    def normal_form(self) -> str:
        return f"{self.minutes // 60:02d}:{self.minutes % 60:02d}"


_ISO: Final = re.compile(r"(?<![\w-])(\d{4})-(\d{2})-(\d{2})(?!\d)")
_DIGITS: Final = re.compile(
    r"(?<![\w./-])(\d{1,2})(?P<mark>[./-])(\d{1,2})(?P=mark)(\d{4}|\d{2})(?![\w/]|[.-]\d)"
)
_YEARLESS: Final = re.compile(r"\b(?:am|ab|vom|bis|zum|den|der) (\d{1,2})\.\s?(\d{1,2})\.(?!\w)")
_COLON: Final = re.compile(
    r"(?<![\w:.])([01]?\d|2[0-4])(?::|(?<=\d)h(?=\d))([0-5]\d)(?::[0-5]\d)?(?![\w:])"
)


def dates(text: str, language: str | None) -> list[Date]:
    """The dates in `text`, in order."""
    found = [*_in_digits(text, language), *_in_words(text, language)]
    found.sort(key=lambda date: (date.start, -date.end))
    kept: list[Date] = []
    for date in found:
        if not kept or date.start >= kept[-1].end:
            kept.append(date)
    return kept


def _in_digits(text: str, language: str | None) -> Iterator[Date]:
    for match in _ISO.finditer(text):
        yield from _date(match.span(), (int(match[1]), int(match[2]), int(match[3])))
    for match in _DIGITS.finditer(text):
        year = int(match[4]) + (0 if len(match[4]) == 4 else 2000 if int(match[4]) < 70 else 1900)
        day, month = int(match[1]), int(match[3])
        readings = [(year, month, day)]
        if match["mark"] != "." and language in ("en", None):
            readings.append((year, day, month))
        yield from _date(match.span(), *readings)
    if language == "de":
        for match in _YEARLESS.finditer(text):
            yield from _date(match.span(), (None, int(match[2]), int(match[1])))


def _date(span: tuple[int, int], *readings: Reading) -> Iterator[Date]:
    possible = frozenset(
        (year, month, day)
        for year, month, day in readings
        if 1 <= month <= 12 and (day is None or 1 <= day <= 31)
    )
    if possible:
        yield Date(*span, possible)


def _in_words(text: str, language: str | None) -> Iterator[Date]:
    months = entries(language, "months")
    if not months:
        return
    patterns = _patterns(language)
    for match in patterns["date"].finditer(text):
        month = months[match["month"].lower().rstrip(".")]
        year = _year(match["year"])
        day = int(match["day"] or match["day2"]) if match["day"] or match["day2"] else None
        certain = year is not None or match["day"]
        if not certain and not _means_a_month(match, text, patterns):
            continue
        if match["first"]:  # 3 to 5 October 2018
            yield from _date(match.span("first"), (year, month, int(match["first"])))
        begin = match.start("day") if match["first"] else match.start()
        yield from _date((begin, match.end()), (year, month, day))


def _means_a_month(match: re.Match[str], text: str, patterns: dict[str, Any]) -> bool:
    """Whether a name without day and year is one: "may" and "mars" are words too."""
    name = match["month"]
    if not name[:1].isupper() and patterns["capital"]:
        return False
    if name.lower() not in patterns["words_too"] or match["day2"]:
        return True
    return bool(patterns["before"].search(text, 0, match.start()))


def _year(said: str | None) -> int | None:
    return int(said) if said else None


@cache
def _patterns(language: str) -> dict[str, Any]:
    words = entries(language, "dates")
    names = "|".join(sorted(entries(language, "months"), key=len, reverse=True))
    of = rf"(?:(?:{words['of']})\s+)?" if words["of"] else ""
    day = r"(?:\.|st|nd|rd|th|er|º|°|ª)?"
    until = rf"{day}\s*(?:[-–]|{words['until']})\s*"
    return {
        "date": re.compile(
            rf"(?<![\w.,])(?:(?:(?P<first>\d{{1,2}}){until})?(?P<day>\d{{1,2}}){day}\s*{of}\s*)?"
            rf"(?<![^\W\d_])(?P<month>{names})(?![^\W\d_])\.?"
            rf"(?:\s+(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?![\w:]|[.,%]\d))?"
            rf"(?:,?\s+{of}(?P<year>(?:1[0-9]|20)\d\d)(?!\w|[.,]\d))?",
            re.IGNORECASE,
        ),
        "before": re.compile(rf"(?<!\w)(?:{words['before_month']})\s+$", re.IGNORECASE),
        "words_too": frozenset(words["words_too"]),
        "capital": language in ("de", "en"),
    }


def times(text: str, language: str | None) -> list[Time]:
    """The times of the day in `text`, in order: 14:00, 14 Uhr, 2 p.m., 14h30."""
    found: dict[int, Time] = {}
    words = entries(language, "dates")
    for match in _COLON.finditer(text):
        _add(found, match, int(match[1]), int(match[2]))
    if words:
        for match in _clock(language).finditer(text):
            half = "pm" if match["pm"] else "am" if match["am"] else ""
            _add(found, match, int(match["hour"]), int(match["minute"] or 0), half)
    return sorted(found.values(), key=lambda time: time.start)


def _add(
    found: dict[int, Time], match: re.Match[str], hour: int, minute: int, half: str = ""
) -> None:
    if half == "pm" and hour < 12:
        hour += 12
    elif half == "am" and hour == 12:
        hour = 0
    if hour <= 24 and minute < 60:
        found[match.start()] = Time(match.start(), match.end(), hour * 60 + minute)


@cache
def _clock(language: str) -> re.Pattern[str]:
    words = entries(language, "dates")
    clock = words["clock"]
    return re.compile(
        rf"(?<![\w.,:])(?P<hour>\d{{1,2}})(?:[:.h](?P<minute>[0-5]\d))?\s?"
        rf"(?:(?P<am>(?:{clock})?\s?(?:{words['morning']}))"
        rf"|(?P<pm>(?:{clock})?\s?(?:{words['afternoon']}))"
        rf"|(?:{clock if language in ('de', 'en') else '(?!)'}))(?!\w)",
        re.IGNORECASE,
    )
