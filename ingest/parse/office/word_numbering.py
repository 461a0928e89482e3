"""The numbers and marks that Word draws before a paragraph and stores nowhere as text.

Source: ECMA-376 part 1, 17.9 (numbering): an abstract list has levels, each with a format and a
pattern like "%1.%2."; paragraphs count through instances of it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lxml import etree

from ingest.parse.office.package import W

_LEVELS = 9
_PLACE = re.compile(r"%([1-9])")
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)


@dataclass(frozen=True, slots=True)
class _Level:
    start: int
    format: str
    pattern: str
    restart: int | None  # the level, from 1, up to which another's use starts it again; 0: none
    legal: bool  # all numbers in digits


@dataclass(slots=True)
class _Instance:
    abstract: str
    starts: dict[int, int] = field(default_factory=dict)  # by level, once
    levels: dict[int, _Level] = field(default_factory=dict)


class Numbering:
    """Counts through the lists of a document; ask for each paragraph once, in order."""

    def __init__(self, root: etree._Element | None, linked: Mapping[str, str]) -> None:
        """`linked`: the list (numId) that a numbering style names."""
        self._levels: dict[str, dict[int, _Level]] = {}
        self._instances: dict[str, _Instance] = {}
        self._counts: dict[str, list[int | None]] = {}
        self._styles: dict[tuple[str, str], int] = {}
        links: dict[str, str] = {}
        for node in root.iter(W + "abstractNum") if root is not None else ():
            number = node.get(W + "abstractNumId") or ""
            self._levels[number] = dict(map(_level, node.findall(W + "lvl")))
            for level in node.findall(W + "lvl"):
                style = _value(level, "pStyle")
                if style:
                    self._styles[number, style] = int(level.get(W + "ilvl") or 0)
            if link := _value(node, "numStyleLink"):
                links[number] = link
        for node in root.iter(W + "num") if root is not None else ():
            self._instances[node.get(W + "numId") or ""] = _instance(node)
        for abstract, style in links.items():
            target = self._instances.get(linked.get(style, ""))
            if target is not None:
                self._levels[abstract] = self._levels.get(target.abstract, {})

    def level_of_style(self, number: str, style: str) -> int:
        """The level at which a list counts the paragraphs of a style."""
        instance = self._instances.get(number)
        return self._styles.get((instance.abstract, style), 0) if instance else 0

    def label(self, number: str, level: int) -> str | None:
        """The label of the next paragraph of a list; "" for a bullet, None where it is no list."""
        instance = self._instances.get(number)
        if instance is None or not 0 <= level < _LEVELS:
            return None
        levels = {**self._levels.get(instance.abstract, {}), **instance.levels}
        shown = levels.get(level)
        if shown is None:
            return None
        counts = self._counts.setdefault(instance.abstract, [None] * _LEVELS)
        start = instance.starts.pop(level, None)
        current = counts[level]
        counts[level] = (
            start if start is not None else shown.start if current is None else (current + 1)
        )
        for deeper in range(level + 1, _LEVELS):
            rule = levels[deeper].restart if deeper in levels else None
            if rule is None or level < rule:
                counts[deeper] = None
        if shown.format in {"bullet", "none"}:
            return ""

        def number_at(match: re.Match[str]) -> str:
            place = int(match.group(1)) - 1
            at = levels.get(place)
            count = counts[place]
            if count is None:
                count = counts[place] = at.start if at else 1
            return formatted(count, "decimal" if shown.legal or at is None else at.format)

        return _PLACE.sub(number_at, shown.pattern)


def formatted(number: int, style: str) -> str:
    """A number as Word writes it in one of its formats; digits where the format is unknown."""
    if style in {"lowerRoman", "upperRoman"} and 0 < number < 4000:
        roman = ""
        for value, sign in _ROMAN:
            roman += sign * (number // value)
            number %= value
        return roman.upper() if style == "upperRoman" else roman
    if style in {"lowerLetter", "upperLetter"} and number > 0:
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letter.upper() if style == "upperLetter" else letter
    if style == "ordinal":
        teen = 10 <= number % 100 <= 20
        return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"
    if style == "decimalZero":
        return f"{number:02}"
    return "" if style in {"none", "bullet"} else str(number)


def _level(node: etree._Element) -> tuple[int, _Level]:
    made = _Level(
        start=_integer(_value(node, "start"), 0),
        format=_value(node, "numFmt") or "decimal",
        pattern=_value(node, "lvlText") or "",
        restart=_integer(restart, 0) if (restart := _value(node, "lvlRestart")) else None,
        legal=node.find(W + "isLgl") is not None,
    )
    return _integer(node.get(W + "ilvl"), 0), made


def _instance(node: etree._Element) -> _Instance:
    made = _Instance(_value(node, "abstractNumId") or "")
    for override in node.findall(W + "lvlOverride"):
        level = _integer(override.get(W + "ilvl"), 0)
        if (start := _value(override, "startOverride")) is not None:
            made.starts[level] = _integer(start, 1)
        if (own := override.find(W + "lvl")) is not None:
            made.levels[level] = _level(own)[1]
    return made


def _value(node: etree._Element, name: str) -> str | None:
    found = node.find(W + name)
    return None if found is None else found.get(W + "val")


def _integer(text: str | None, default: int) -> int:
    try:
        return int(text or "")
    except ValueError:
        return default
