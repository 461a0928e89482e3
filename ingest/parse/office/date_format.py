"""Dates, times and durations of a spreadsheet as their formats show them."""

import datetime as dt
import math
from collections.abc import Sequence
from itertools import pairwise

ELAPSED = "elapsed"
DateTokens = Sequence[tuple[str, str]]
"""(kind, text): "date" and "elapsed" for what stands for a part of the time, else itself."""

_EPOCH = dt.datetime(1899, 12, 30)
_LANGUAGES = {0x07: "de", 0x0C: "fr", 0x0A: "es", 0x10: "it"}  # by the low bits of a language id
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre "
    "dicembre",
}
_SHORT_MONTHS = {
    "de": "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "fr": "janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.",
}
_DAYS = {
    "en": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "de": "Montag Dienstag Mittwoch Donnerstag Freitag Samstag Sonntag",
    "fr": "lundi mardi mercredi jeudi vendredi samedi dimanche",
    "es": "lunes martes miércoles jueves viernes sábado domingo",
    "it": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
}
_SHORT_DAY = {"de": 2, "fr": 3, "es": 3, "it": 3, "en": 3}  # letters


def shown_date(days: float, tokens: DateTokens, language: int) -> str:
    """A moment or a duration, `days` after 30 December 1899, as its format shows it.

    Args:
        tokens: The format, taken apart.
        language: A Windows language id, for the names of months; 0: English.

    Raises:
        OverflowError: It is no date.
    """
    decimals = _decimals(tokens)
    per_day = 86_400 * 10**decimals
    ticks = math.floor(abs(days) * per_day + 0.5)
    moment = _EPOCH + dt.timedelta(seconds=ticks // 10**decimals) if days >= 0 else _EPOCH
    fraction = ticks % 10**decimals
    spoken = _LANGUAGES.get(language & 0x3FF, "en")
    noon = any(kind == "noon" for kind, _ in tokens)
    out: list[str] = []
    last = ""  # the part of the time that came last: an "m" behind hours counts minutes
    skip = False
    for at, (kind, text) in enumerate(tokens):
        if skip:
            skip = False
        elif kind == "elapsed":
            out.append(_elapsed(ticks // 10**decimals, text))
            last = text[0]
        elif kind == "date":
            unit = text[0].lower()
            if unit == "m" and (last == "h" or _seconds_follow(tokens, at)):
                out.append(f"{moment.minute:0{min(2, len(text))}}")
                last = "n"
            else:
                out.append(_unit(moment, unit, len(text), spoken, noon))
                last = unit
        elif kind == "noon":
            out.append(_noon(moment, text))
        elif kind == "point" and tokens[at + 1 : at + 2] and tokens[at + 1][0] == "digits":
            out.append(f".{fraction:0{decimals}}")
            skip = True
        elif kind == "general":
            out.append(f"{days:.15g}")
        else:
            out.append(text)
    sign = "-" if days < 0 and any(kind == ELAPSED for kind, _ in tokens) and ticks else ""
    return sign + "".join(out)


def _decimals(tokens: DateTokens) -> int:
    """Decimals of a second that the format shows."""
    for (kind, _), (after, text) in pairwise(tokens):
        if kind == "point" and after == "digits":
            return min(6, len(text))
    return 0


def _seconds_follow(tokens: DateTokens, at: int) -> bool:
    units = (text[0].lower() for kind, text in tokens[at + 1 :] if kind in {"date", ELAPSED})
    return next(units, "") == "s"


def _elapsed(seconds: int, text: str) -> str:
    per = {"h": 3_600, "m": 60, "s": 1}[text[0]]
    return f"{seconds // per:0{len(text)}}"


def _unit(moment: dt.datetime, unit: str, count: int, language: str, noon: bool) -> str:
    if unit in {"y", "e"}:
        return f"{moment.year % 100:02}" if count <= 2 and unit == "y" else f"{moment.year:04}"
    if unit == "b":  # the Buddhist era
        return str(moment.year + 543) if count > 2 else f"{(moment.year + 543) % 100:02}"
    if unit == "m" and count >= 3:
        return _month(moment.month, count, language)
    if unit == "d" and count >= 3:
        name = _DAYS[language].split()[moment.weekday()]
        return name if count > 3 else name[: _SHORT_DAY[language]]
    if unit == "g":
        return ""
    hour = moment.hour % 12 or 12 if noon else moment.hour
    number = {"m": moment.month, "d": moment.day, "h": hour, "s": moment.second}[unit]
    return f"{number:0{min(2, count)}}"


def _month(month: int, count: int, language: str) -> str:
    name = _MONTHS[language].split()[month - 1]
    if count == 3:
        short = _SHORT_MONTHS.get(language)
        return short.split()[month - 1] if short else name[:3]
    return name[:1] if count == 5 else name


def _noon(moment: dt.datetime, text: str) -> str:
    before, _, after = text.partition("/")
    return before if moment.hour < 12 else after
