"""Numbers in a text as values with units: 1.000,00 is 1,000.00, nineteen is 19, 2.5 % is not 25 %.

Numerals in words are read by text2num (Allo-Media, MIT); it knows no units, no marks and no
ranges, which are read here. Where a notation can be read in two ways (1.234 is a thousand in
German and a little over one in English, and documents mix both), both readings are kept.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from text_to_num import find_numbers

from sovereign_rag.text.lexicon import entries, whole_words


@dataclass(frozen=True, slots=True)
class Number:
    """A number with its unit, where it has one that is known."""

    start: int
    end: int  # of its digits or words, without the unit
    behind: int  # of its unit, where that stands behind it
    readings: frozenset[float]
    unit: str = ""  # a key of UNITS, or a currency's code
    noun: str = ""  # the word that follows, where it is no unit
    spelled: bool = False  # in words, not in digits

    @property
    def is_year(self) -> bool:
        """Whether it can be one: a whole number from 1000 to 2099 without a unit."""
        return not self.unit and any(looks_like_a_year(value) for value in self.readings)

    @property
    def measure(self) -> str:
        """The unit, or "cent" for what a currency is divided into, whose unit it is not."""
        return self.unit or ("cent" if self.noun in _CENTS else "")

    def agrees(self, other: "Number") -> bool:
        """Whether both can be one value; a unit that one of them lacks is not held against it."""
        if self.measure and other.measure and self.measure != other.measure:
            return _converted(self) is not None and _converted(self) == _converted(other)
        return bool(self.readings & other.readings)


_CENTS: Final = frozenset(
    [
        *("cent", "cents", "centime", "centimes", "céntimo", "céntimos", "centavo", "centavos"),
        *("centesimo", "centesimi", "pence", "rappen"),
    ]
)
UNITS: Final[dict[str, tuple[str, float]]] = {
    "second": ("time", 1),
    "minute": ("time", 60),
    "hour": ("time", 3600),
    "day": ("time", 86400),
    "week": ("time", 7 * 86400),
    "month": ("months", 1),
    "quarter": ("months", 3),
    "year": ("months", 12),
    "mm": ("length", 0.001),
    "cm": ("length", 0.01),
    "m": ("length", 1),
    "km": ("length", 1000),
    "mg": ("mass", 0.001),
    "g": ("mass", 1),
    "kg": ("mass", 1000),
    "t": ("mass", 1_000_000),
    "ml": ("volume", 0.001),
    "cl": ("volume", 0.01),
    "l": ("volume", 1),
    "W": ("power", 1),
    "kW": ("power", 1000),
    "MW": ("power", 1_000_000),
    "KB": ("data", 1),
    "MB": ("data", 1e3),
    "GB": ("data", 1e6),
    "TB": ("data", 1e9),
}
"""Unit -> what it measures, and how many of the smallest it is. What is not here (percent,
currencies) is only the same as itself."""

_TIMES: Final = {"second", "minute", "hour", "day", "week", "month", "quarter", "year"}
_SIGNS: Final = {
    "%": "percent",
    "€": "EUR",
    "$": "USD",
    "US$": "USD",
    "£": "GBP",
    "¥": "JPY",
    "h": "hour",
    "min": "minute",
    "s": "second",
    "°C": "°C",
    "°F": "°F",
    "m²": "m²",
    "Fr.": "CHF",
    "qm": "m²",
    "kWh": "kWh",
    "Mo": "MB",
    "Go": "GB",
}
_UNIT_SIGNS: Final = tuple(unit for unit in UNITS if unit not in _TIMES)
_CURRENCIES: Final = (
    "EUR",
    "USD",
    "GBP",
    "CHF",
    "JPY",
    "SEK",
    "NOK",
    "DKK",
    "PLN",
    "CZK",
    "HUF",
    "CAD",
    "AUD",
    "CNY",
    "INR",
)
_BEFORE: Final = re.compile(
    rf"(US\$|[€$£¥]|\b(?:{'|'.join(_CURRENCIES)}|Fr\.))[\s\u00a0\u202f]?-?$"
)
_GAP: Final = r"[\s\u00a0\u202f-]*"
_AFTER: Final = re.compile(
    _GAP
    + "("
    + "|".join(
        re.escape(sign)
        for sign in sorted({*_SIGNS, *_UNIT_SIGNS, *_CURRENCIES}, key=len, reverse=True)
    )
    + r")(?![\w’'²])"
)

_NUMBER: Final = re.compile(
    r"(?<![\w.,])(?P<sign>(?<=\s)[-−]|^[-−])?"
    r"(?P<digits>\d{1,3}(?:[.,'’\u00a0\u202f ]\d{3}(?!\d))+(?:[.,]\d+)?|\d+(?:[.,]\d+)?)"
    r"(?P<decade>s|er)?(?P<rank>(?:st|nd|rd|th|er|re|e|ème|º|ª|°)(?!\w))?"
)
_TOKEN: Final = re.compile(r"[^\W\d_]+|\d+|[\W_]+")
_MIDDLE: Final = re.compile(_GAP + r"([^\W\d_]{4,})\s+(?=[^\W\d_])")
_WORD: Final = re.compile(r"[\s\u00a0\u202f]+([^\W\d_][\w'’-]*)")


def numbers(text: str, language: str | None) -> list[Number]:
    """The numbers in `text`, in order, in digits and in words."""
    found = [*_in_digits(text, language), *_in_words(text, language)]
    taken: set[int] = set()
    kept = []
    for number in sorted(found, key=lambda n: (n.spelled, n.start)):
        if taken.isdisjoint(range(number.start, number.end)):
            taken.update(range(number.start, number.behind))  # "pour cent" is no hundred
            kept.append(number)
    return _units_shared(sorted(kept, key=lambda n: n.start), text, language)


def _in_digits(text: str, language: str | None) -> Iterator[Number]:
    for match in _NUMBER.finditer(text):
        if text[match.end() : match.end() + 1].isalnum() and not _AFTER.match(text, match.end()):
            scaled = _scale(text, match.end("digits"), language)[0] != 1
            if not scaled:
                continue  # 37signals, 3M: a name
        digits = match["digits"]
        values = _readings(digits)
        if match["decade"] and len(digits) == 2:
            values |= {value + 1900 for value in values}  # the 70s
        if match["sign"]:
            values = {-value for value in values}
        yield _number(text, match.start("digits"), match.end(), values, language)


def _readings(digits: str) -> set[float]:
    """What digits with their marks can mean: "1.234" is 1234 or 1.234, "1.000,5" is 1000.5."""
    plain = re.sub(r"['’\u00a0\u202f ]", "", digits)
    marks = [c for c in plain if c in ".,"]
    if not marks:
        return {float(plain)}
    last = max(plain.rfind("."), plain.rfind(","))
    whole, rest = re.sub(r"[.,]", "", plain[:last]), plain[last + 1 :]
    thousands, decimal = float(whole + rest), float(f"{whole}.{rest}")
    if len(set(marks)) == 2:
        return {decimal}
    if len(marks) > 1:
        return {thousands}
    if len(rest) == 3 and whole != "0" and len(whole) <= 3:
        return {decimal} if plain != digits else {thousands, decimal}
    return {decimal}


def _scale(text: str, at: int, language: str | None) -> tuple[float, int]:
    """What the word behind a number multiplies it by, and where that ends."""
    for name, factor in (("billion", 1e9), ("million", 1e6), ("thousand", 1e3)):
        words = _scale_words(language, name)
        match = words.match(text, at) if words else None
        if match and (len(match[1]) > 1 or _BEFORE.search(text[:at].rstrip("0123456789., "))):
            return factor, match.end()
    return 1, at


@cache
def _scale_words(language: str | None, name: str) -> re.Pattern[str] | None:
    words = entries(language, "scales").get(name)
    return re.compile(rf"{_GAP}({words})(?!\w)", re.IGNORECASE) if words else None


def _number(
    text: str,
    start: int,
    end: int,
    values: set[float],
    language: str | None,
    *,
    spelled: bool = False,
) -> Number:
    factor, end = _scale(text, end, language)
    unit, behind = _unit_behind(text, end, language)
    unit = unit or _unit_before(text, start)
    word = _WORD.match(text, end) if not unit else None
    return Number(
        start,
        end,
        behind,
        frozenset(round(value * factor, 9) for value in values),
        unit,
        word[1].casefold() if word else "",
        spelled,
    )


def _unit_before(text: str, start: int) -> str:
    match = _BEFORE.search(text, max(0, start - 5), start)
    return _SIGNS.get(match[1], match[1]) if match else ""


def _unit_behind(text: str, end: int, language: str | None) -> tuple[str, int]:
    """The unit after a number, and where it ends; none: "" and `end`."""
    sign = _AFTER.match(text, end)
    if sign:
        return _SIGNS.get(sign[1], sign[1]), sign.end()
    words = _unit_words(language)
    if words is None:
        return "", end
    middle = _MIDDLE.match(text, end)
    for at in (end, middle.end() if middle else None):  # 30 days, 30 calendar days
        found = words.match(text, at) if at is not None else None
        if found and found.lastgroup:
            return found.lastgroup, found.end()
    return "", end


@cache
def _unit_words(language: str | None) -> re.Pattern[str] | None:
    units = entries(language, "units")
    if not units:
        return None
    names = "|".join(f"(?P<{unit}>{words})" for unit, words in units.items())
    return re.compile(rf"{_GAP}(?:(?:de|di|d['’])\s?)?(?:{names})(?!\w)", re.IGNORECASE)


class _Token:
    """A word as text2num takes it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def text(self) -> str:
        return self._text

    def nt_separated(self, previous: "_Token") -> bool:
        return False

    def not_a_number_part(self) -> bool:
        return self._text.isdigit()


def _in_words(text: str, language: str | None) -> Iterator[Number]:
    numerals = entries(language, "numerals")
    if not numerals:
        return
    assert language is not None  # it has words
    spans = [match.span() for match in _TOKEN.finditer(text)]
    tokens = [_Token(text[start:end].casefold()) for start, end in spans]
    for found in find_numbers(tokens, language, 0.0):
        start, end = spans[found.start][0], spans[found.end - 1][1]
        number = _number(text, start, end, {float(found.value)}, language, spelled=True)
        if not _is_a_word(text[start:end], number, language):
            yield number
    yield from _small(text, language)
    yield from _decades(text, language)


def _is_a_word(said: str, number: Number, language: str) -> bool:
    """Whether it only looks like a numeral: a "sei" that is, a "neuf" that is new, one of us."""
    if min(number.readings) <= 2 and not number.unit:
        return min(number.readings) <= 1
    ambiguous = whole_words(language, "numerals", "ambiguous")
    return bool(ambiguous and ambiguous.fullmatch(said)) and not number.unit


def _small(text: str, language: str) -> Iterator[Number]:
    """One and two in their forms; one only before a unit, for it is an article too."""
    for name, value in (("one", 1.0), ("two", 2.0)):
        words = whole_words(language, "numerals", name)
        for match in words.finditer(text) if words else ():
            number = _number(text, *match.span(), {value}, language, spelled=True)
            if number.unit or value == 2:
                yield number


def _decades(text: str, language: str) -> Iterator[Number]:
    for name, value in entries(language, "numerals").get("decades", {}).items():
        for match in re.finditer(rf"(?<!\w){name}(?:jahren?)?(?!\w)", text, re.IGNORECASE):
            yield Number(
                *match.span(), match.end(), frozenset({float(value), 1900.0 + value}), spelled=True
            )


def _units_shared(found: list[Number], text: str, language: str | None) -> list[Number]:
    """With the unit of the second where the first has none: "10 to 20 %"."""
    pattern = whole_words(language, "ranges", "to")
    shared = list(found)
    for index in range(len(shared) - 2, -1, -1):
        here, following = shared[index], shared[index + 1]
        if following.unit and not here.unit and _joined(text, here, following, pattern):
            shared[index] = replace(here, unit=following.unit, noun="")
    return shared


def _joined(text: str, left: Number, right: Number, words: re.Pattern[str] | None) -> bool:
    between = text[left.end : right.start].strip(" \u00a0\u202f$€£.")
    return between in {"-", "–", "—", "/"} or bool(words and words.fullmatch(between))


def looks_like_a_year(value: float) -> bool:
    return 1000 <= value < 2100 and value == int(value)


def _converted(number: Number) -> tuple[str, frozenset[float]] | None:
    known = UNITS.get(number.unit)
    if known is None:
        return None
    kind, factor = known
    return kind, frozenset(round(value * factor, 6) for value in number.readings)
